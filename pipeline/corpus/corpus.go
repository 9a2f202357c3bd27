// Package corpus measures how many real fixes can be spliced: each .c file that differs between two source versions is
// taken as one patch through the whole of Create.
package corpus

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"livesplice/kconfig"
	"livesplice/kmod/diff"
	"livesplice/pipeline"
	"livesplice/pipeline/cache"
	"livesplice/pipeline/source"
)

// Options are what `livesplice corpus` is told.
type Options struct {
	OldSource, NewSource string   // the source as shipped, and a later version of it
	Kernel               []string // packages of the kernel built from OldSource
	Sample               int      // how many files to take, 0 for all
	Seed                 uint64   // of the sample
	Out                  string   // folder for results and modules; what is there already is not done again
	Jobs                 int      // updates made at the same time; 0 for the number of CPUs
	Cache                string
	Log                  io.Writer // a line for each file
}

// Outcome says what came of one file.
type Outcome string

// The outcomes.
const (
	Spliced  Outcome = "spliced"
	NoChange Outcome = "no object change"
	NotBuilt Outcome = "not built"
	Refused  Outcome = "refused"
	Alone    Outcome = "does not compile alone" // it needs a header, or another file, of the new version
	Mismatch Outcome = "no match"
	Failed   Outcome = "failed" // ours
)

var outcomes = []Outcome{Spliced, NoChange, NotBuilt, Refused, Alone, Mismatch, Failed}

// Entry is one file's result, a line of results.jsonl.
type Entry struct {
	File    string      `json:"file"`
	Outcome Outcome     `json:"outcome"`
	Codes   []diff.Code `json:"codes,omitempty"`  // of refusals, each once
	Error   string      `json:"error,omitempty"`  // the whole message
	Module  string      `json:"module,omitempty"` // file in Out/modules
}

// Result is all of them, by file.
type Result struct {
	Differ  int // files that differ
	Entries []Entry
}

// Run takes each file through Create. It is resumable: results are kept line by line in Out/results.jsonl.
func Run(ctx context.Context, opts Options) (*Result, error) {
	if opts.Out == "" || opts.OldSource == "" || opts.NewSource == "" || len(opts.Kernel) == 0 {
		return nil, &kconfig.UsageError{Thing: "corpus", Reason: "--old-source, --new-source, --kernel and --out are needed"}
	}
	if opts.Jobs <= 0 {
		opts.Jobs = runtime.NumCPU()
	}
	c, err := cache.Open(opts.Cache)
	if err != nil {
		return nil, err
	}
	before, err := source.Open(ctx, c, opts.OldSource)
	if err != nil {
		return nil, err
	}
	after, err := source.Open(ctx, c, opts.NewSource)
	if err != nil {
		return nil, err
	}
	if err := sameInputs(opts, before.ID, after.ID); err != nil {
		return nil, err
	}
	files, err := differing(ctx, before.Dir, after.Dir)
	if err != nil {
		return nil, err
	}
	r := &Result{Differ: len(files)}
	if opts.Sample > 0 && opts.Sample < len(files) {
		rng := rand.New(rand.NewPCG(opts.Seed, 0))
		rng.Shuffle(len(files), func(i, j int) { files[i], files[j] = files[j], files[i] })
		files = files[:opts.Sample]
		slices.Sort(files)
	}
	w := &work{opts: opts, before: before.Dir, after: after.Dir}
	if r.Entries, err = w.all(ctx, files); err != nil {
		return nil, err
	}
	return r, nil
}

// sameInputs keeps the inputs beside the results, so that a folder is not gone on with from others.
func sameInputs(opts Options, before, after string) error {
	if err := os.MkdirAll(opts.Out, 0o755); err != nil {
		return err
	}
	text := strings.Join(append([]string{before, after}, opts.Kernel...), "\n") + "\n"
	path := filepath.Join(opts.Out, "inputs")
	have, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return os.WriteFile(path, []byte(text), 0o644)
	}
	if err == nil && string(have) != text {
		return &kconfig.UsageError{Thing: `flag "--out"`, Reason: fmt.Sprintf("%q holds the results of other inputs", opts.Out)}
	}
	return err
}

// work is one run.
type work struct {
	opts          Options
	before, after string // source trees
	mu            sync.Mutex
	results       *os.File
}

func (w *work) all(ctx context.Context, files []string) ([]Entry, error) {
	if err := os.MkdirAll(filepath.Join(w.opts.Out, "modules"), 0o755); err != nil {
		return nil, err
	}
	path := filepath.Join(w.opts.Out, "results.jsonl")
	done, err := readResults(path)
	if err != nil {
		return nil, err
	}
	if w.results, err = os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644); err != nil {
		return nil, err
	}
	defer w.results.Close()
	entries := make([]Entry, len(files))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(w.opts.Jobs)
	for i, f := range files {
		if e, ok := done[f]; ok {
			entries[i] = e
			continue
		}
		g.Go(func() (err error) {
			entries[i], err = w.one(gctx, f)
			if err != nil {
				return err
			}
			return w.keep(entries[i])
		})
	}
	return entries, g.Wait()
}

// readResults reads what an earlier run left; a last line that was cut short is done again.
func readResults(path string) (map[string]Entry, error) {
	done := map[string]Entry{}
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return done, nil
	}
	if err != nil {
		return nil, err
	}
	for _, line := range bytes.Split(data, []byte("\n")) {
		var e Entry
		if json.Unmarshal(line, &e) == nil && e.File != "" {
			done[e.File] = e
		}
	}
	return done, nil
}

func (w *work) keep(e Entry) error {
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.opts.Log != nil {
		fmt.Fprintf(w.opts.Log, "%-22s %s %s\n", e.Outcome, e.File, codes(e.Codes))
	}
	_, err = w.results.Write(append(line, '\n'))
	return err
}

// one makes an update of one file.
func (w *work) one(ctx context.Context, file string) (Entry, error) {
	scratch, err := os.MkdirTemp(w.opts.Out, ".one-")
	if err != nil {
		return Entry{}, err
	}
	defer os.RemoveAll(scratch)
	text, err := unified(ctx, w.before, w.after, file)
	if err != nil {
		return Entry{}, err
	}
	patch := filepath.Join(scratch, "file.patch")
	if err := os.WriteFile(patch, text, 0o644); err != nil {
		return Entry{}, err
	}
	res, err := pipeline.Create(ctx, pipeline.Options{Patches: []string{patch}, Source: w.opts.OldSource, Kernel: w.opts.Kernel, Engine: "auto",
		Formats: []string{"deb"}, Out: filepath.Join(scratch, "out"), Revision: 1, Jobs: 1, Cache: w.opts.Cache, Description: file}, pipeline.NewStages(nil))
	if ctx.Err() != nil {
		return Entry{}, ctx.Err()
	}
	e := classify(file, err)
	if e.Outcome != Spliced {
		return e, nil
	}
	e.Module = res.Report.Module + ".ko"
	return e, os.Rename(filepath.Join(res.Folder, e.Module), filepath.Join(w.opts.Out, "modules", e.Module))
}

// classify reads the outcome off an error of Create.
func classify(file string, err error) Entry {
	e := Entry{File: file, Outcome: Spliced}
	if err == nil {
		return e
	}
	e.Error = err.Error()
	var refused diff.Refusals
	switch code := pipeline.ExitCode(err); {
	case errors.Is(err, pipeline.ErrNotBuilt):
		e.Outcome = NotBuilt
	case code == pipeline.ExitNoChange:
		e.Outcome = NoChange
	case code == pipeline.ExitRefused:
		e.Outcome = Refused
		if errors.As(err, &refused) {
			for _, r := range refused {
				e.Codes = append(e.Codes, r.Code)
			}
			slices.Sort(e.Codes)
			e.Codes = slices.Compact(e.Codes)
		}
	case code == pipeline.ExitMismatch:
		e.Outcome = Mismatch
	case code == pipeline.ExitBuild:
		e.Outcome = Alone
	default:
		e.Outcome = Failed
	}
	return e
}

func codes(c []diff.Code) string {
	var s []string
	for _, one := range c {
		s = append(s, string(one))
	}
	return strings.Join(s, " ")
}
