package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"livesplice/pipeline/matrix"
)

// work is where the runs happen.
type work struct {
	dir     string
	program string // livesplice
	cache   string
	log     io.Writer
}

// The manifests: all fixes, and the first one alone.
const (
	all   = "fixes.yaml"
	first = "first.yaml"
)

// kill is one end of a run before its time.
type kill struct {
	after time.Duration // since its start
	done  int           // cells that are there then
}

// compare makes all cells in one run, and again in one that is killed so many times. The kernels are prepared before, so that
// both runs do the same.
func (w *work) compare(ctx context.Context, kills int, seed uint64) (*result, error) {
	r := &result{}
	whole, pieces := filepath.Join(w.dir, "whole"), filepath.Join(w.dir, "pieces")
	fmt.Fprintln(w.log, "matrix: the kernels are prepared")
	if _, _, err := w.start(ctx, first, filepath.Join(w.dir, "prepared"), 0); err != nil {
		return nil, err
	}
	if err := w.forget(whole, pieces); err != nil {
		return nil, err
	}
	fmt.Fprintln(w.log, "matrix: the whole in one run")
	start := time.Now()
	text, _, err := w.start(ctx, all, whole, 0)
	if err != nil {
		return nil, err
	}
	r.whole = time.Since(start)
	if r.outcomes, err = outcomes(whole); err != nil {
		return nil, err
	}
	if err := w.forget(pieces); err != nil {
		return nil, err
	}
	for i, after := range moments(rand.New(rand.NewPCG(seed, 1)), kills, r.whole) {
		fmt.Fprintf(w.log, "matrix: a run that is killed after %.1f s\n", after.Seconds())
		_, killed, err := w.start(ctx, all, pieces, after)
		if err != nil {
			return nil, err
		}
		if !killed {
			return nil, fmt.Errorf("run %d was at its end before it could be killed", i+1)
		}
		done, err := cells(pieces)
		if err != nil {
			return nil, err
		}
		r.kills = append(r.kills, kill{after, done})
	}
	fmt.Fprintln(w.log, "matrix: the run that comes to its end")
	start = time.Now()
	again, _, err := w.start(ctx, all, pieces, 0)
	if err != nil {
		return nil, err
	}
	r.rest = time.Since(start)
	if !bytes.Equal(text, again) {
		r.differ = append(r.differ, "what livesplice matrix prints")
	}
	return r, r.files(whole, pieces)
}

// forget removes results, and the objects from the cache, so that they are made again. Sources and prepared trees stay.
func (w *work) forget(results ...string) error {
	for _, kind := range []string{"unit", "pre", "post"} {
		results = append(results, filepath.Join(w.cache, kind))
	}
	var errs []error
	for _, dir := range results {
		errs = append(errs, os.RemoveAll(dir))
	}
	return errors.Join(errs...)
}

// start runs livesplice matrix, and kills it some time after its start if that is not 0. Only livesplice itself is killed: the
// compilers that it has started go on, as they do when somebody else kills it. A run that came to its end has left a summary;
// whatever came of the cells, the result counts.
func (w *work) start(ctx context.Context, manifest, out string, after time.Duration) (text []byte, killed bool, err error) {
	summary := filepath.Join(out, "summary.json")
	if err := os.Remove(summary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, false, err
	}
	cmd := exec.CommandContext(ctx, w.program, "--cache", w.cache, "matrix", filepath.Join(w.dir, manifest), "--out", out)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	var stdout bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, w.log
	if err := cmd.Start(); err != nil {
		return nil, false, err
	}
	if after > 0 {
		timer := time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
		defer timer.Stop()
	}
	err = cmd.Wait()
	if ctx.Err() != nil {
		return nil, false, context.Cause(ctx)
	}
	status, _ := cmd.ProcessState.Sys().(syscall.WaitStatus)
	if after > 0 && status.Signaled() && status.Signal() == syscall.SIGKILL {
		return nil, true, nil
	}
	if _, serr := os.Stat(summary); serr != nil || !status.Exited() {
		return nil, false, fmt.Errorf("livesplice matrix: %w", errors.Join(err, serr))
	}
	return stdout.Bytes(), false, nil
}

// moments are the times after which runs are killed: together less than the whole takes, so that none comes to its end.
func moments(rng *rand.Rand, n int, whole time.Duration) []time.Duration {
	var list []time.Duration
	for range n {
		share := (0.1 + 0.8*rng.Float64()) / float64(n)
		list = append(list, time.Duration(share*float64(whole)))
	}
	return list
}

// outcomes says how many cells came to what.
func outcomes(dir string) (map[string]int, error) {
	data, err := os.ReadFile(filepath.Join(dir, "summary.json"))
	if err != nil {
		return nil, err
	}
	var s matrix.Summary
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, fmt.Errorf("file %q: %w", filepath.Join(dir, "summary.json"), err)
	}
	return s.Counts, nil
}

// cells counts the cells that are in their places.
func cells(dir string) (int, error) {
	found, err := filepath.Glob(filepath.Join(dir, "*", "*", "cell.json"))
	return len(found), err
}

// files holds the files of two folders of results against each other.
func (r *result) files(whole, pieces string) error {
	a, n, err := sums(whole)
	if err != nil {
		return err
	}
	b, _, err := sums(pieces)
	if err != nil {
		return err
	}
	r.compared, r.bytes = len(a), n
	for name := range a {
		if a[name] != b[name] { // or there is none
			r.differ = append(r.differ, name)
		}
	}
	for name := range b {
		if _, ok := a[name]; !ok {
			r.differ = append(r.differ, name)
		}
	}
	slices.Sort(r.differ)
	return nil
}

// sums are the hashes of all files in a folder of results, and how many bytes they have. What begins with a dot is no
// result.
func sums(dir string) (map[string][sha256.Size]byte, int64, error) {
	all, n := map[string][sha256.Size]byte{}, int64(0)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		hidden := d.Name()[0] == '.'
		switch {
		case hidden && d.IsDir():
			return fs.SkipDir
		case hidden || d.IsDir():
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		all[rel], n = sha256.Sum256(data), n+int64(len(data))
		return err
	})
	return all, n, err
}
