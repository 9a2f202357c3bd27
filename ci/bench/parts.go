package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"livesplice/kmod/diff"
	"livesplice/kmod/elfobj"
	"livesplice/kmod/match"
	"livesplice/kmod/unit"
	"livesplice/kmod/vmlinux"
)

// largeUnits are what parts are measured on: a middling and a large one.
var largeUnits = []string{"fs/namei.o", "kernel/sched/core.o"}

// parts measures what works on bytes alone.
func (t *kernelTree) parts(ctx context.Context) ([]part, error) {
	image, err := os.ReadFile(t.kernel.Vmlinux)
	if err != nil {
		return nil, err
	}
	var im *vmlinux.Image
	p := part{Name: "parse the shipped vmlinux", Bytes: int64(len(image))}
	if p.Wall, err = repeat(func() error { im, err = vmlinux.Parse(image); return err }); err != nil {
		return nil, fmt.Errorf("file %q: %w", t.kernel.Vmlinux, err)
	}
	parts := []part{p}
	for _, name := range largeUnits {
		of, err := t.unitParts(ctx, name, im)
		if err != nil {
			return nil, err
		}
		parts = append(parts, of...)
	}
	return parts, nil
}

// unitParts reads, compares and matches one unit. It is compared with itself, which takes every function the whole way
// through the comparison.
func (t *kernelTree) unitParts(ctx context.Context, name string, im *vmlinux.Image) ([]part, error) {
	o, err := t.tree.Compile(ctx, name, nil)
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(o.Path)
	if err != nil {
		return nil, err
	}
	var d *diff.Result
	compare := part{Name: "read and diff " + name, Bytes: 2 * int64(len(data))}
	compare.Wall, err = repeat(func() error {
		pre, err := elfobj.Read(data)
		if err != nil {
			return err
		}
		post, err := elfobj.Read(data)
		if err != nil {
			return err
		}
		d, err = diff.Compare(o.Source, pre, post)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("unit %q: %w", name, err)
	}
	if n := len(d.Replaced()); n != 0 || len(d.Refusals) != 0 {
		return nil, fmt.Errorf("unit %q: compared with itself, %d functions differ", name, n)
	}
	compare.Functions = d.Counts.Functions
	obj, err := elfobj.Read(data)
	if err != nil {
		return nil, fmt.Errorf("unit %q: %w", name, err)
	}
	u, err := unit.New(obj)
	if err != nil {
		return nil, fmt.Errorf("unit %q: %w", name, err)
	}
	var m *match.Result
	find := part{Name: "match " + name}
	if find.Wall, err = repeat(func() error { m, err = match.Match(o.Source, u, im); return err }); err != nil {
		return nil, fmt.Errorf("unit %q: %w", name, err)
	}
	find.Functions = m.Strict + m.ByInsn
	return []part{compare, find}, nil
}

// repeat is the median time of fn, which runs five times or more, for half a second.
func repeat(fn func() error) (time.Duration, error) {
	var times []time.Duration
	for begin := time.Now(); len(times) < 5 || time.Since(begin) < time.Second/2; {
		start := time.Now()
		if err := fn(); err != nil {
			return 0, err
		}
		times = append(times, time.Since(start))
	}
	return median(times), nil
}
