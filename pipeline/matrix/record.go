package matrix

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"livesplice/kmod/diff"
	"livesplice/kmod/livepatch"
	"livesplice/pipeline"
)

// Record is what came of a cell, and the file cell.json beside its packages. The same inputs give the same record.
type Record struct {
	Format int    `json:"format"` // 1
	Key    string `json:"key"`    // a hash over the inputs
	Kernel string `json:"kernel"`
	Fix    string `json:"fix"`

	Code    int    `json:"code"`    // as of `livesplice create`
	Outcome string `json:"outcome"` // the code in words

	Release  string     `json:"release,omitempty"`
	BuildID  string     `json:"build_id,omitempty"`
	ID       string     `json:"id,omitempty"`
	Packages []string   `json:"packages,omitempty"`
	Replaced []Replaced `json:"replaced,omitempty"`
	Warnings int        `json:"warnings,omitempty"` // how many; the report has them

	Refusals diff.Refusals `json:"refusals,omitempty"`
	Error    string        `json:"error,omitempty"` // the whole message

	Files []File `json:"files,omitempty"` // of the cell's folder, but for the record
}

// Replaced are the functions that an update replaces in vmlinux or a module, sorted.
type Replaced struct {
	Object    string   `json:"object"`
	Functions []string `json:"functions"`
}

// File is one file of a cell.
type File struct {
	Path   string `json:"path"` // relative to the cell's folder
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// outcomes say the exit codes in words.
var outcomes = map[int]string{
	pipeline.ExitDone: "done", pipeline.ExitFault: "failed", pipeline.ExitUsage: "not usable", pipeline.ExitNoChange: "no change",
	pipeline.ExitRefused: "refused", pipeline.ExitMismatch: "no match", pipeline.ExitBuild: "build failed",
}

// recordName is the record's file.
const recordName = "cell.json"

// newRecord says what came of a cell.
func newRecord(c Cell, key string, res *pipeline.Result, err error) *Record {
	r := &Record{Format: 1, Key: key, Kernel: c.Kernel.Name, Fix: c.Fix.Name, Code: pipeline.ExitCode(err)}
	r.Outcome = outcomes[r.Code]
	if err != nil {
		r.Error = err.Error()
		errors.As(err, &r.Refusals)
		return r
	}
	rep := res.Report
	r.Release, r.BuildID, r.ID, r.Packages, r.Warnings = rep.Release, rep.BuildID, rep.ID, rep.Packages, len(rep.Warnings)
	functions := map[string][]string{}
	for _, u := range rep.Units {
		for _, f := range u.Replaced {
			functions[u.Target] = append(functions[u.Target], f.Name)
		}
	}
	for object, names := range functions {
		slices.Sort(names)
		r.Replaced = append(r.Replaced, Replaced{object, slices.Compact(names)})
	}
	slices.SortFunc(r.Replaced, func(a, b Replaced) int { return compareObjects(a.Object, b.Object) })
	return r
}

// compareObjects puts vmlinux first, then modules by name.
func compareObjects(a, b string) int {
	switch {
	case a == b:
		return 0
	case a == livepatch.VMLinux || b != livepatch.VMLinux && a < b:
		return -1
	}
	return 1
}

// final says whether the cell need not be done again as long as its inputs are the same. What did not match or did not
// build may do so once the machine is another.
func (r *Record) final() bool {
	return r.Code == pipeline.ExitDone || r.Code == pipeline.ExitNoChange || r.Code == pipeline.ExitRefused
}

// seal lists the files of a cell's folder in the record, writes it there, and has all of it on the disk.
func (r *Record) seal(dir string) error {
	err := eachFile(dir, func(rel string) error {
		if rel == recordName {
			return nil
		}
		f, err := describe(filepath.Join(dir, rel))
		f.Path = rel
		r.Files = append(r.Files, f)
		return err
	})
	if err != nil {
		return err
	}
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, recordName), append(data, '\n'), 0o644); err != nil {
		return err
	}
	return syncAll(dir)
}

// load reads the record of a cell; nil if there is none that can be read.
func load(dir string) *Record {
	data, err := os.ReadFile(filepath.Join(dir, recordName))
	if err != nil {
		return nil
	}
	r := &Record{}
	if json.Unmarshal(data, r) != nil || r.Format != 1 || r.Key == "" {
		return nil
	}
	return r
}

// unaltered says whether the files of a cell are those that its record lists.
func (r *Record) unaltered(dir string) bool {
	n := 0
	err := eachFile(dir, func(rel string) error {
		if rel == recordName {
			return nil
		}
		i := slices.IndexFunc(r.Files, func(f File) bool { return f.Path == rel })
		if i < 0 {
			return fs.ErrExist
		}
		got, err := describe(filepath.Join(dir, rel))
		got.Path = rel
		if err == nil && got != r.Files[i] {
			err = fs.ErrInvalid
		}
		n++
		return err
	})
	return err == nil && n == len(r.Files)
}

// eachFile calls fn for the files in a folder, in the order of their names.
func eachFile(dir string, fn func(rel string) error) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		return fn(rel)
	})
}

func describe(path string) (File, error) {
	f, err := os.Open(path)
	if err != nil {
		return File{}, err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, f)
	return File{Size: n, SHA256: fmt.Sprintf("%x", h.Sum(nil))}, err
}

// syncAll has a folder and all in it on the disk.
func syncAll(dir string) error {
	return filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return syncOne(path)
	})
}

func syncOne(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// state says what is to be done about a cell; its record is nil if it is to be done.
func state(ctx context.Context, k *keys, c Cell, dir string) (key, why string, r *Record, err error) {
	if key, err = k.of(ctx, c); err != nil {
		return "", "", nil, err
	}
	r = load(dir)
	switch {
	case r == nil:
		return key, "not done yet", nil, nil
	case r.Key != key:
		return key, "its inputs or livesplice changed", nil, nil
	case !r.unaltered(dir):
		return key, "its files changed", nil, nil
	case !r.final():
		return key, "tried before: " + r.Outcome, nil, nil
	}
	return key, r.Outcome, r, nil
}
