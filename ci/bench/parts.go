package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"livesplice/kmod/diff"
	"livesplice/kmod/elfobj"
	"livesplice/kmod/match"
	"livesplice/kmod/module"
	"livesplice/kmod/unit"
	"livesplice/kmod/vmlinux"
)

// largeUnits are what parts are measured on: a middling and a large one of vmlinux, and one of a module that has more
// functions than any other (1,586 in Debian's 6.1: a handful for each tracepoint).
var largeUnits = []struct{ unit, module string }{{"fs/namei.o", ""}, {"kernel/sched/core.o", ""}, {manyFunctions, "xfs"}}

const manyFunctions = "fs/xfs/xfs_trace.o"

// parts measures what works on bytes alone.
func (t *kernelTree) parts(ctx context.Context) ([]part, error) {
	image, err := os.ReadFile(t.kernel.Vmlinux)
	if err != nil {
		return nil, err
	}
	var im *vmlinux.Image
	index := part{Name: indexPart, Bytes: int64(len(image))}
	if err := index.repeat(func() error { im, err = vmlinux.Parse(image); return err }); err != nil {
		return nil, fmt.Errorf("file %q: %w", t.kernel.Vmlinux, err)
	}
	modules, err := t.modulesIndex(ctx)
	if err != nil {
		return nil, err
	}
	parts := []part{index, modules}
	for _, l := range largeUnits {
		var run match.Run = im
		if l.module != "" {
			file, err := t.kernel.Module(ctx, l.module)
			if err != nil {
				return nil, err
			}
			data, err := os.ReadFile(file)
			if err != nil {
				return nil, err
			}
			if run, err = module.Parse(data); err != nil {
				return nil, fmt.Errorf("file %q: %w", file, err)
			}
		}
		of, err := t.unitParts(ctx, l.unit, run)
		if err != nil {
			return nil, err
		}
		parts = append(parts, of...)
	}
	return parts, nil
}

// modulesIndex measures once what is only done when it is asked for: reading all modules out of their package.
func (t *kernelTree) modulesIndex(ctx context.Context) (part, error) {
	p := part{Name: "index the symbols of all modules"}
	ix := module.NewIndex()
	err := p.once(func() error {
		return t.kernel.EveryModule(ctx, func(name, path string, image []byte) error {
			p.Bytes += int64(len(image))
			return ix.Add(name, image)
		})
	})
	p.Functions = ix.Symbols()
	return p, err
}

// unitParts reads, compares and matches one unit. It is compared with itself, which takes every function the whole way
// through the comparison.
func (t *kernelTree) unitParts(ctx context.Context, name string, run match.Run) ([]part, error) {
	o, err := t.tree.Compile(ctx, name, nil)
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(o.Path)
	if err != nil {
		return nil, err
	}
	var d *diff.Result
	compare := part{Name: diffPart + name, Bytes: 2 * int64(len(data))}
	err = compare.repeat(func() error {
		pre, err := elfobj.Read(data)
		if err != nil {
			return err
		}
		post, err := elfobj.Read(data)
		if err != nil {
			return err
		}
		d, err = diff.Compare(o.Source, pre, post, diff.Options{})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("unit %q: %w", name, err)
	}
	if n := len(d.Replaced()); n != 0 || len(d.Refusals) != 0 {
		return nil, fmt.Errorf("unit %q: compared with itself, %d functions differ", name, n)
	}
	compare.Functions = d.Counts.Functions
	var m *match.Result
	find := part{Name: matchPart + name}
	err = find.repeat(func() error {
		obj, err := elfobj.Read(data)
		if err != nil {
			return err
		}
		u, err := unit.New(obj)
		if err != nil {
			return err
		}
		m, err = match.Match(o.Source, u, run)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("unit %q: %w", name, err)
	}
	find.Functions = m.Strict + m.ByInsn
	return []part{compare, find}, nil
}

// repeat fills in the median times of fn, which runs five times or more, for half a second.
func (p *part) repeat(fn func() error) error {
	var wall, cpu []time.Duration
	for begin := time.Now(); len(wall) < 5 || time.Since(begin) < time.Second/2; {
		var one part
		if err := one.once(fn); err != nil {
			return err
		}
		wall, cpu = append(wall, one.Wall), append(cpu, one.CPU)
	}
	p.Wall, p.CPU = median(wall), median(cpu)
	return nil
}

// once fills in the times of one run of fn.
func (p *part) once(fn func() error) error {
	cpu, start := processorTime(), time.Now()
	if err := fn(); err != nil {
		return err
	}
	p.Wall, p.CPU = time.Since(start), processorTime()-cpu
	return nil
}

// processorTime is how long this process has run on any processor, the garbage collector's threads included.
func processorTime() time.Duration {
	var r unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &r); err != nil {
		panic(err) // it only fails for a wrong argument
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
