package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"livesplice/kmod/diff"
	"livesplice/kmod/elfobj"
	"livesplice/kmod/match"
	"livesplice/kmod/module"
	"livesplice/kmod/unit"
	"livesplice/kmod/vmlinux"
	"livesplice/pipeline/cache"
	"livesplice/pipeline/rebuild"
	"livesplice/pipeline/source"
	"livesplice/pkgfmt"
)

// work is one kernel, with the binaries that the sample needs.
type work struct {
	tree    *rebuild.Tree
	vmlinux *vmlinux.Image
	modules map[string]*module.Image // by name

	mu sync.Mutex
	f  *figures
}

// measure fills in the figures.
func (f *figures) measure(ctx context.Context, o options) error {
	c, err := cache.Open(o.cache)
	if err != nil {
		return err
	}
	src, err := source.Open(ctx, c, o.source)
	if err != nil {
		return err
	}
	k, err := pkgfmt.OpenKernel(ctx, c, o.kernel)
	if err != nil {
		return err
	}
	f.Release, f.Version, f.Compiler = k.Release, k.Version, k.Compiler
	w := &work{f: f}
	say("preparing " + k.Release)
	if w.tree, err = rebuild.Prepare(ctx, c, src, k, rebuild.Options{CC: o.cc, Root: o.root}); err != nil {
		return err
	}
	defer w.tree.Close()
	all, err := w.tree.EveryUnit(ctx)
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(u rebuild.Owner) bool {
		return o.of != "all" && (u.Kind == rebuild.InModule) != (o.of == "modules")
	})
	f.Units = len(all)
	units := sample(all, o.sample, o.seed)
	if err := w.open(ctx, k, units); err != nil {
		return err
	}
	if err := w.record(ctx, units); err != nil {
		return err
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.NumCPU())
	for _, u := range units {
		g.Go(func() error { return w.one(gctx, u) })
	}
	err = g.Wait()
	f.sort()
	return err
}

// sample takes n units at random, the same ones for the same seed; all for 0.
func sample(all []rebuild.Owner, n int, seed uint64) []rebuild.Owner {
	if n == 0 || n >= len(all) {
		return all
	}
	list := slices.Clone(all)
	rng := rand.New(rand.NewPCG(seed, 0))
	rng.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list[:n]
}

// open reads vmlinux and the modules that the sample is part of.
func (w *work) open(ctx context.Context, k *pkgfmt.Kernel, units []rebuild.Owner) error {
	raw, err := os.ReadFile(k.Vmlinux)
	if err != nil {
		return err
	}
	if w.vmlinux, err = vmlinux.Parse(raw); err != nil {
		return fmt.Errorf("file %q: %w", k.Vmlinux, err)
	}
	wanted := map[string]bool{}
	for _, u := range units {
		if u.Kind == rebuild.InModule {
			wanted[u.Target] = true
		}
	}
	say(fmt.Sprintf("reading %d modules", len(wanted)))
	w.modules = map[string]*module.Image{}
	return k.EveryModule(ctx, func(name, path string, image []byte) error {
		if !wanted[name] {
			return nil
		}
		im, err := module.Parse(image)
		if err != nil {
			return fmt.Errorf("file %q: %w", path, err)
		}
		w.modules[name] = im
		if len(w.modules) == len(wanted) {
			return pkgfmt.ErrStop
		}
		return nil
	})
}

// record has kbuild compile the units, many at a time, so that make starts seldom. One that does not compile is found
// when it is compiled by itself.
func (w *work) record(ctx context.Context, units []rebuild.Owner) error {
	const together = 50
	for i := 0; i < len(units); i += together {
		say(fmt.Sprintf("compiling: %d of %d", i, len(units)))
		var names []string
		for _, u := range units[i:min(i+together, len(units))] {
			names = append(names, u.Unit)
		}
		var failed *rebuild.BuildError
		if _, err := w.tree.Record(ctx, names...); err != nil && !errors.As(err, &failed) {
			return err
		}
	}
	return nil
}

// one compiles and matches a unit. What is wrong with it alone is among the figures.
func (w *work) one(ctx context.Context, o rebuild.Owner) error {
	failed := func(err error) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.f.Failed = append(w.f.Failed, finding{Unit: o.Unit, Target: o.Target, Why: err.Error()})
		return nil
	}
	obj, err := w.tree.Compile(ctx, o.Unit, nil)
	if err != nil {
		return failed(err)
	}
	data, err := os.ReadFile(obj.Path)
	if err != nil {
		return err
	}
	parsed, err := elfobj.Read(data)
	if err != nil {
		return failed(err)
	}
	pre, err := unit.New(parsed)
	if err != nil {
		return failed(err)
	}
	var run match.Run = w.vmlinux
	if o.Kind == rebuild.InModule {
		im := w.modules[o.Target]
		if im == nil {
			return failed(fmt.Errorf("module %q: none of the kernel's packages has it", o.Target))
		}
		run = im
	}
	r, err := match.Match(o.Source, pre, run)
	if err != nil {
		return failed(err)
	}
	if err := r.Conflicts(); err != nil {
		return failed(err)
	}
	var shifted []finding
	if w.f.Shift {
		if shifted, err = w.shifted(ctx, o, parsed); err != nil {
			return failed(err)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.f.add(o, r)
	w.f.Shifted = append(w.f.Shifted, shifted...)
	return nil
}

// shifted compiles a unit with an empty line on top, and gives what counts as changed by it.
func (w *work) shifted(ctx context.Context, o rebuild.Owner, pre *elfobj.Object) (found []finding, err error) {
	text, err := os.ReadFile(filepath.Join(w.tree.Source, o.Source))
	if err != nil {
		return nil, err
	}
	obj, err := w.tree.Compile(ctx, o.Unit, map[string][]byte{o.Source: append([]byte("\n"), text...)})
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(obj.Path)
	if err != nil {
		return nil, err
	}
	post, err := elfobj.Read(data)
	if err != nil {
		return nil, err
	}
	d, err := diff.Compare(o.Source, pre, post, diff.Options{Module: o.Kind == rebuild.InModule})
	if err != nil {
		return nil, err
	}
	for _, c := range d.Changes {
		found = append(found, finding{Unit: o.Unit, Target: o.Target, Function: c.Name, Why: fmt.Sprint(c)})
	}
	for _, r := range d.Refusals {
		found = append(found, finding{Unit: o.Unit, Target: o.Target, Function: r.Subject, Why: r.String()})
	}
	return found, nil
}

func say(what string) { fmt.Fprintln(os.Stderr, "matching:", what) }
