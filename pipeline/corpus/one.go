package corpus

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"livesplice/kmod/diff"
	"livesplice/pipeline"
	"livesplice/pipeline/rebuild"
	"livesplice/pipeline/verify"
)

// one takes one file from the plan to the module. An error is one of the machine, which ends the run.
func (w *work) one(ctx context.Context, file string) (line, error) {
	start := time.Now()
	l := line{Entry: Entry{File: file}}
	tried, err := w.try(ctx, &l.Entry)
	if ctx.Err() != nil {
		return l, context.Cause(ctx)
	}
	l.Seconds = time.Since(start).Seconds()
	l.classify(err)
	if tried == nil {
		return l, nil
	}
	l.Stages = tried.Timings
	l.Module, l.Objects = tried.Manifest.ModuleFile, verify.Objects(tried.Manifest)
	for _, r := range tried.Manifest.Unload.Reasons {
		l.Held = append(l.Held, r.Subject+" "+r.Reason)
	}
	return l, writeModule(filepath.Join(w.opts.Out, "modules"), l.Module, tried.Module)
}

// errNotBuilt is of a file that neither the kernel nor a module of it is made from.
var errNotBuilt = errors.New("no part of this kernel or its modules")

// try gives nil and an error that says why there is no module.
func (w *work) try(ctx context.Context, e *Entry) (*pipeline.Tried, error) {
	var err error
	if e.Units, e.Targets, err = w.owned(ctx, e.File); err != nil {
		return nil, err
	}
	if len(e.Units) == 0 {
		return nil, errNotBuilt
	}
	ch := &change{file: e.File, units: e.Units}
	if ch.content, err = os.ReadFile(filepath.Join(w.after, e.File)); err != nil {
		return nil, err
	}
	if err := w.compile(ctx, ch); err != nil {
		return nil, err
	}
	e.Headers = slices.Sorted(maps.Keys(ch.headers))
	text, err := unified(ctx, w.old.Dir, w.after, e.File)
	if err != nil {
		return nil, err
	}
	return w.prepared.Try(ctx, pipeline.Trial{Name: e.File, Patch: text, UncheckedHeaders: ch.headers})
}

// classify reads the outcome off an error.
func (e *Entry) classify(err error) {
	if err == nil {
		e.Outcome = Spliced
		return
	}
	e.Error = err.Error()
	var (
		other    *alone
		refused  diff.Refusals
		rebuilt  *rebuild.Refusal
		build    *rebuild.BuildError
		exitCode = pipeline.ExitCode(err)
	)
	switch {
	case errors.Is(err, errNotBuilt), errors.Is(err, pipeline.ErrNotBuilt):
		e.Outcome = NotBuilt
	case errors.As(err, &other):
		e.Outcome = Alone
	case exitCode == pipeline.ExitNoChange:
		e.Outcome = NoChange
	case errors.As(err, &refused):
		e.Outcome, e.Refusals = Refused, refused
		for _, r := range refused {
			e.Codes = append(e.Codes, r.Code)
		}
		slices.Sort(e.Codes)
		e.Codes = slices.Compact(e.Codes)
	case errors.As(err, &rebuilt):
		e.Outcome, e.Codes = Refused, []diff.Code{"generated-constants"}
	case exitCode == pipeline.ExitMismatch:
		e.Outcome = Mismatch
	case errors.As(err, &build) && build.Command == "ld": // a name that no file of the old version defines
		e.Outcome = Alone
	default:
		e.Outcome = Failed
	}
}

// writeModule writes a module that appears whole or not at all.
func writeModule(dir, name string, data []byte) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(dir, ".module-")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(data)
	if err := errors.Join(err, tmp.Chmod(0o644), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), filepath.Join(dir, name))
}

func codes(c []diff.Code) string {
	var s []string
	for _, one := range c {
		s = append(s, string(one))
	}
	return strings.Join(s, " ")
}
