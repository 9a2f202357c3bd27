// Package pipeline makes updates: the stages from a patch to packages, in order, with their values, times and errors.
package pipeline

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sync/errgroup"

	"livesplice/kconfig"
	"livesplice/kmod/diff"
	"livesplice/kmod/elfobj"
	"livesplice/kmod/layout"
	"livesplice/kmod/link"
	"livesplice/kmod/match"
	"livesplice/kmod/vmlinux"
	"livesplice/pipeline/cache"
	"livesplice/pipeline/patch"
	"livesplice/pipeline/rebuild"
	"livesplice/pipeline/source"
	"livesplice/pkgfmt"
)

// Result is a finished update.
type Result struct {
	Report   *Report
	Packages []string // files in Options.Out
	Folder   string   // in Options.Out: the module and what each stage said
	Timings  []Timing
}

// creation is one run of Create.
type creation struct {
	opts   Options
	stages *Stages
	cache  *cache.Cache

	parsed []*patch.Patch
	plan   *Plan
	kernel *pkgfmt.Kernel
	source *source.Tree
	tree   *rebuild.Tree
	image  *vmlinux.Image
	vers   vmlinux.Symvers

	refused diff.Refusals
	units   []link.Unit
	link    *link.Plan
	id      string
	module  []byte
	debug   string // what the check against debug information found
}

// Create turns patches into packages. Nothing is left in Options.Out when it fails. ExitCode tells what kind its
// error is of; all refusals and all mismatches are in it at once.
func Create(ctx context.Context, opts Options, stages *Stages) (*Result, error) {
	if err := opts.check(); err != nil {
		return nil, err
	}
	if opts.Jobs <= 0 {
		opts.Jobs = runtime.NumCPU()
	}
	c := &creation{opts: opts, stages: stages}
	var err error
	if c.cache, err = cache.Open(opts.Cache); err != nil {
		return nil, err
	}
	for _, s := range []struct {
		name string
		fn   func(context.Context) (string, error)
	}{
		{"inputs", c.inputs}, {"prepare", c.prepare}, {"plan", c.planUnits}, {"diff", c.rebuildAndDiff}, {"match", c.match},
		{"link", c.linkModule}, {"verify", c.verify},
	} {
		if err := stages.run(s.name, func() (string, error) { return s.fn(ctx) }); err != nil {
			return nil, err
		}
	}
	var res *Result
	err = stages.run("package", func() (text string, err error) {
		res, text, err = c.output(ctx)
		return text, err
	})
	if err != nil {
		return nil, err
	}
	res.Timings = stages.Timings()
	return res, nil
}

// inputs reads the patches, the kernel packages and the source.
func (c *creation) inputs(ctx context.Context) (string, error) {
	parsed, planned, err := readPatches(c.opts.Patches)
	if err != nil {
		return "", err
	}
	c.parsed, c.plan = parsed, &Plan{Patches: planned}
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		c.kernel, err = pkgfmt.OpenKernel(gctx, c.cache, c.opts.Kernel)
		return err
	})
	g.Go(func() (err error) {
		c.source, err = source.Open(gctx, c.cache, c.opts.Source)
		return err
	})
	if err := g.Wait(); err != nil {
		return "", err
	}
	if err := c.requirements(); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s (%s), source %s", c.kernel.Release, c.kernel.PackageVersion, c.source.Version), nil
}

// requirements refuses a kernel that lacks what livepatch needs.
func (c *creation) requirements() error {
	data, err := os.ReadFile(c.kernel.Config)
	if err != nil {
		return err
	}
	cfg, err := kconfig.Parse(data)
	if err != nil {
		return &pkgfmt.InputError{Path: c.kernel.Origin(c.kernel.Config), Want: "a kernel's .config", Err: err}
	}
	release, err := kconfig.ParseRelease(c.kernel.Release, c.kernel.Banner)
	if err != nil {
		return err
	}
	var refused diff.Refusals
	for _, u := range kconfig.Requirements(cfg, release) {
		if u.Level == kconfig.Refused {
			refused = append(refused, diff.Refusal{Code: codeConfigRq, Unit: c.kernel.Release, Subject: u.Option,
				Reason: fmt.Sprintf("%s is needed, the kernel has %s: %s", u.Want, u.Have, u.Why), Remedy: u.Remedy})
		} else {
			c.stages.Note("%s=%s: %s", u.Option, u.Have, u.Why)
		}
	}
	if len(refused) > 0 {
		return refused
	}
	return nil
}

// prepare lets kbuild prepare the tree and, meanwhile, reads the shipped image.
func (c *creation) prepare(ctx context.Context) (string, error) {
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		c.tree, err = rebuild.Prepare(gctx, c.cache, c.source, c.kernel, rebuild.Options{CC: c.opts.CC, Jobs: c.opts.Jobs})
		return err
	})
	g.Go(c.readImage)
	if err := g.Wait(); err != nil {
		return "", err
	}
	c.stages.cost("prepare", c.tree.Prepared)
	return c.kernel.Compiler, nil
}

func (c *creation) readImage() error {
	data, err := os.ReadFile(c.kernel.Vmlinux)
	if err != nil {
		return err
	}
	if c.image, err = vmlinux.Parse(data); err != nil {
		return &pkgfmt.InputError{Path: c.kernel.Origin(c.kernel.Vmlinuz), Want: "a kernel image with kallsyms", Err: err}
	}
	if !c.image.HasData() {
		return diff.Refusals{{Code: codeConfigRq, Unit: c.kernel.Release, Subject: "CONFIG_KALLSYMS_ALL",
			Reason: "the image's symbol table holds functions only, so livepatch cannot resolve data", Remedy: "build the kernel with CONFIG_KALLSYMS_ALL=y"}}
	}
	return c.readSymvers()
}

// readSymvers reads the CRCs of exported symbols. The image knows what vmlinux exports: a Module.symvers that lacks one of
// these would make a module that the kernel does not load.
func (c *creation) readSymvers() error {
	path := c.kernel.Origin(c.kernel.Symvers)
	f, err := os.Open(c.kernel.Symvers)
	if err != nil {
		return &pkgfmt.InputError{Path: path, Want: "a Module.symvers", Err: err}
	}
	defer f.Close()
	if c.vers, err = vmlinux.ParseSymvers(f); err != nil {
		return &pkgfmt.InputError{Path: path, Want: "a Module.symvers", Err: err}
	}
	for _, e := range c.image.Exports() {
		if _, ok := c.vers[e.Name]; !ok {
			return &pkgfmt.MismatchError{Path: path, Got: fmt.Sprintf("%d symbols, %s not among them", len(c.vers), e.Name),
				Want: "the Module.symvers of " + c.kernel.Release + ", whose image exports it"}
		}
	}
	return nil
}

func (c *creation) planUnits(ctx context.Context) (string, error) {
	p, refused, err := newPlan(ctx, c.tree, c.parsed, c.plan.Patches)
	c.stages.cost("plan", c.tree.Indexed)
	if err != nil {
		return "", err
	}
	c.plan, c.refused = p, refused
	for _, i := range p.Ignored {
		c.stages.Note("%s: %s, ignored", i.File, i.Reason)
	}
	if len(p.Units) == 0 && len(refused) > 0 {
		return "", refused
	}
	if len(p.Units) == 0 {
		return "", ErrNoChange
	}
	return fmt.Sprintf("%d units", len(p.Units)), nil
}

// rebuildAndDiff compiles pre and post of each unit and compares them.
func (c *creation) rebuildAndDiff(ctx context.Context) (string, error) {
	var names []string
	for _, u := range c.plan.Units {
		names = append(names, u.Object)
	}
	cost, err := c.tree.Record(ctx, names...)
	c.stages.cost("diff", cost)
	if err != nil {
		return "", err
	}
	results := make([]*diff.Result, len(c.plan.Units))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(c.opts.Jobs)
	for i, u := range c.plan.Units {
		g.Go(func() (err error) {
			results[i], err = c.compareUnit(gctx, u)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return "", err
	}
	changed, added, functions := 0, 0, 0
	for _, r := range results {
		c.refused = append(c.refused, r.Refusals...)
		changed, added, functions = changed+len(r.Replaced()), added+r.Counts.New, functions+r.Counts.Functions
		if len(r.Replaced()) > 0 {
			c.units = append(c.units, link.Unit{Diff: r})
		}
	}
	if err := c.extract(); err != nil {
		return "", err
	}
	return fmt.Sprintf("%d of %d functions replaced, %d new", changed, functions, added), nil
}

// relative makes a place that the compiler recorded relative to the source tree. The patched file was compiled from
// a folder of its own.
func relative(place, tree, unit string) string {
	if rest, ok := strings.CutPrefix(place, tree+"/"); ok {
		return rest
	}
	if i := strings.LastIndex(place, "/"+unit+":"); i >= 0 {
		return place[i+1:]
	}
	if i := strings.LastIndex(place, "/include/"); i >= 0 {
		return place[i+1:]
	}
	return filepath.Base(place)
}

// compareUnit compiles one unit twice and compares code, data and the layout of types.
func (c *creation) compareUnit(ctx context.Context, u PlannedUnit) (*diff.Result, error) {
	pre, err := c.compile(ctx, u, nil)
	if err != nil {
		return nil, err
	}
	post, err := c.compile(ctx, u, c.plan.files)
	if err != nil {
		return nil, err
	}
	r, err := diff.Compare(u.Source, pre.obj, post.obj)
	if err != nil {
		return nil, err
	}
	for _, ch := range layout.Compare(pre.types, post.types) {
		r.Refusals = append(r.Refusals, diff.Refusal{Code: codeLayout, Unit: u.Source, Subject: ch.Pre.Name, Source: fmt.Sprintf("%s:%d", ch.Post.File, ch.Post.Line),
			Reason: "the layout changes: " + ch.What + "; what exists of it in the running kernel keeps the old one",
			Remedy: "keep the layout, and put what is new into a shadow variable"})
	}
	return r, nil
}

// compiled is an object and the types in its debug information.
type compiled struct {
	obj   *elfobj.Object
	types map[string]layout.Type
}

func (c *creation) compile(ctx context.Context, u PlannedUnit, files map[string][]byte) (*compiled, error) {
	o, err := c.tree.Compile(ctx, u.Object, files)
	if err != nil {
		return nil, err
	}
	c.stages.cost("diff", o.Kbuild, o.CC)
	data, err := os.ReadFile(o.Path)
	if err != nil {
		return nil, err
	}
	r := &compiled{}
	if r.obj, err = elfobj.Read(data); err != nil {
		return nil, fmt.Errorf("object of %s: %w", u.Source, err)
	}
	if r.types, err = layout.Read(data); err != nil {
		return nil, fmt.Errorf("object of %s: %w", u.Source, err)
	}
	return r, nil
}

// extract takes what changed out of each unit; after it, all refusals are known.
func (c *creation) extract() error {
	for i := range c.units {
		u := &c.units[i]
		if len(u.Diff.Refusals) > 0 {
			continue
		}
		x, err := u.Diff.Extract(fmt.Sprintf("u%d", i))
		var refused diff.Refusals
		switch {
		case errors.As(err, &refused):
			c.refused = append(c.refused, refused...)
		case err != nil:
			return err
		}
		u.Extract = x
	}
	if len(c.refused) > 0 {
		for i := range c.refused {
			c.refused[i].Source = relative(c.refused[i].Source, c.tree.Source, c.refused[i].Unit)
		}
		c.refused.Sort()
		return c.refused
	}
	if len(c.units) == 0 {
		return ErrNoChange
	}
	return nil
}

// match proves pre against the shipped image.
func (c *creation) match(ctx context.Context) (string, error) {
	strict, byInsn, unmatched := 0, 0, 0
	for i := range c.units {
		u := &c.units[i]
		var err error
		if u.Match, err = match.Match(u.Diff.Unit, u.Diff.Pre, c.image); err != nil {
			return "", err
		}
		strict, byInsn, unmatched = strict+u.Match.Strict, byInsn+u.Match.ByInsn, unmatched+u.Match.Unmatched
	}
	c.id = c.updateID()
	var err error
	if c.link, err = link.NewPlan("livesplice_"+c.id, c.units); err != nil {
		return "", err
	}
	if c.debug, err = c.checkDebugInfo(ctx); err != nil {
		return "", err
	}
	return fmt.Sprintf("%d functions proven by bytes, %d by instruction, %d not located%s", strict, byInsn, unmatched, c.debug), nil
}

// updateID is a hash over what decides the update's bytes. The shipped kernel's build-id stands for its source,
// configuration and compiler, which matching proves.
func (c *creation) updateID() string {
	if c.opts.ID != "" {
		return c.opts.ID
	}
	h := sha256.New()
	fmt.Fprintf(h, "livesplice 1\nkernel %x\nrevision %d\nstack %v\ndescription %q\n", c.kernel.BuildID, c.opts.Revision, c.opts.Stack, c.opts.Description)
	for _, f := range c.opts.Fixes {
		fmt.Fprintf(h, "fixes %q\n", f)
	}
	for _, p := range c.plan.Patches {
		fmt.Fprintf(h, "patch %x\n", sha256.Sum256(p.data))
	}
	return fmt.Sprintf("%x", h.Sum(nil)[:4])
}

// linkModule lets kbuild link the module, then writes its livepatch relocations.
func (c *creation) linkModule(ctx context.Context) (string, error) {
	src, err := c.link.Source(c.id, c.kernel.Release, c.description(), !c.opts.Stack)
	if err != nil {
		return "", err
	}
	files := map[string][]byte{"main.c": src}
	for i, u := range c.units {
		if files[fmt.Sprintf("u%d.o", i)], err = u.Extract.Obj.Write(); err != nil {
			return "", err
		}
	}
	m, err := c.tree.BuildModule(ctx, c.link.Module, files, "KCFLAGS=-g0")
	if err != nil {
		return "", err
	}
	c.stages.cost("link", m.Cost)
	ko, err := elfobj.Read(m.KO)
	if err != nil {
		return "", fmt.Errorf("module %s: %w", c.link.Module, err)
	}
	exported := func(name string) (uint64, bool) {
		e, ok := c.image.Export(name)
		return e.Addr, ok && e.Namespace == ""
	}
	if err := link.Convert(ko, c.link, exported); err != nil {
		return "", err
	}
	if c.module, err = ko.Write(); err != nil {
		return "", fmt.Errorf("module %s: %w", c.link.Module, err)
	}
	return fmt.Sprintf("%s.ko, %d bytes", c.link.Module, len(c.module)), nil
}

// verify reads the module back and holds it against post and the shipped tables.
func (c *creation) verify(ctx context.Context) (string, error) {
	err := link.Verify(c.module, c.units, link.Kernel{Run: c.image, Export: c.image.Export, Symvers: c.vers, Release: c.kernel.Release})
	if err != nil {
		return "", fmt.Errorf("the module is not what was meant, which is a fault of livesplice:\n%w", err)
	}
	return fmt.Sprintf("%d splices", len(c.link.Splices)), nil
}

// description is the module's: one line.
func (c *creation) description() string {
	if c.opts.Description != "" {
		return firstLine(c.opts.Description)
	}
	return "live update " + c.id + " of " + c.kernel.Release
}

func (c *creation) splice(entry string) link.Splice {
	for _, s := range c.link.Splices {
		if s.Entry == entry {
			return s
		}
	}
	return link.Splice{}
}
