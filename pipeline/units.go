package pipeline

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"livesplice/kmod/diff"
	"livesplice/kmod/elfobj"
	"livesplice/kmod/finding"
	"livesplice/kmod/layout"
	"livesplice/kmod/link"
	"livesplice/kmod/vmlinux"
	"livesplice/pkgfmt"
)

// planUnits applies the patches and asks what the touched files are part of.
func (c *creation) planUnits(ctx context.Context) (string, error) {
	p, refused, err := newPlan(ctx, c.tree, c.parsed, c.plan.Patches)
	c.stages.cost("plan", c.tree.Indexed)
	if err != nil {
		return "", err
	}
	maps.Copy(p.files, c.headers)
	c.targets = newTargets(c.kernel, c.image, c.vers, c.external)
	c.plan, c.refused = p, refused
	for _, i := range p.Ignored {
		c.note("%s: %s, ignored", i.File, i.Reason)
	}
	if len(p.Units)+len(p.Fixed) == 0 && len(refused) > 0 {
		return "", c.refuse(refused)
	}
	if len(p.Units)+len(p.Fixed) == 0 {
		if slices.ContainsFunc(p.Ignored, func(i Ignored) bool { return i.Reason == onlyComments }) {
			return "", ErrNoChange
		}
		return "", ErrNotBuilt
	}
	if len(p.Fixed) > 0 {
		return fmt.Sprintf("%d units, %d other objects that must stay as they are", len(p.Units), len(p.Fixed)), nil
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
	results, same := make([]*comparison, len(c.plan.Units)), make([]bool, len(c.plan.Fixed))
	// Compilers are most of the work, and take turns with it: while some units are compared, others are compiled.
	c.compilers = make(chan struct{}, c.opts.Jobs)
	g, gctx := errgroup.WithContext(ctx)
	var done atomic.Int32
	g.SetLimit(2 * c.opts.Jobs)
	for i, f := range c.plan.Fixed {
		g.Go(func() (err error) {
			same[i], err = c.sameFixed(gctx, f)
			return err
		})
	}
	for i, u := range c.plan.Units {
		g.Go(func() (err error) {
			results[i], err = c.compareUnit(gctx, u)
			c.stages.Progress("diff", int(done.Add(1)), len(results), u.Source)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return "", err
	}
	for i, f := range c.plan.Fixed {
		if !same[i] {
			c.refused = append(c.refused, refuseFixed(f))
		}
	}
	changed, added, functions := 0, 0, 0
	for i, r := range results {
		c.refused = append(c.refused, r.Refusals...)
		c.warn(r.warnings)
		functions += r.Counts.Functions
		for _, n := range r.Notes {
			c.note("%s: %s", r.Unit, n)
		}
		if r.Post != nil {
			changed, added = changed+len(r.Replaced()), added+r.Counts.New
			c.units = append(c.units, link.Unit{Target: c.plan.Units[i].Target, Diff: r.Result})
			c.objects = append(c.objects, c.plan.Units[i].Object)
		}
	}
	c.refused = append(c.refused, movedVariables(results)...)
	c.widened = map[[2]string]string{}
	for i, r := range results {
		for _, name := range r.widened {
			c.widened[[2]string{c.plan.Units[i].Target, name}] = c.plan.Units[i].Source
		}
	}
	if err := c.extract(); err != nil {
		return "", err
	}
	if changed == 0 {
		return "", ErrNoChange
	}
	return fmt.Sprintf("%d of %d functions replaced, %d new", changed, functions, added), nil
}

// relative makes a place that the compiler recorded relative to the source tree. The patched file was compiled from
// a folder of its own.
func relative(place, tree, unit string) string {
	if place == "" {
		return ""
	}
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

// sameFixed says whether what no update can replace comes out as it is.
func (c *creation) sameFixed(ctx context.Context, f PlannedFixed) (bool, error) {
	if err := c.compilerSlot(ctx); err != nil {
		return false, err
	}
	defer c.freeSlot()
	same, cost, err := c.tree.Same(ctx, f.Target, c.plan.files)
	c.stages.cost("diff", cost)
	return same, err
}

// compilerSlot waits until a compiler may run.
func (c *creation) compilerSlot(ctx context.Context) error {
	select {
	case c.compilers <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (c *creation) freeSlot() { <-c.compilers }

// comparison is what is known of a unit before anything is extracted from it.
type comparison struct {
	*diff.Result // without the objects of a unit in which nothing changed
	warnings     finding.Warnings
	gone, added  []diff.MovedVariable
	widened      []string // see widened
}

// compareUnit compiles one unit twice and compares code, data and the layout of types.
func (c *creation) compareUnit(ctx context.Context, u PlannedUnit) (out *comparison, err error) {
	pre, err := c.compile(ctx, u, nil)
	if err != nil {
		return nil, err
	}
	post, err := c.compile(ctx, u, c.plan.files)
	if err != nil {
		return nil, err
	}
	r, err := diff.Compare(u.Source, pre.obj, post.obj, c.diffOptions(u))
	if err != nil {
		return nil, err
	}
	if r.Undecided {
		return idle(r), nil
	}
	if post, r, err = c.keepVariables(ctx, u, pre, post, r); err != nil {
		return nil, err
	}
	if r, err = c.confirmLines(ctx, u, pre, post, r); err != nil {
		return nil, err
	}
	r.Notes = append(r.Notes, post.kept...)
	gone, added := r.Moved()
	names := r.NewNames()
	widened := widened(r, names)
	defer func() {
		if out != nil {
			out.gone, out.added, out.widened = gone, added, widened
		}
	}()
	if len(r.Changes) == 0 && len(r.Refusals) == 0 && len(names) == 0 {
		return idle(r), nil
	}
	run, err := c.targets.run(ctx, u.Target)
	var missing *pkgfmt.InputError
	if u.readsOnly() && errors.As(err, &missing) {
		r.Notes, r.Refusals = []string{fmt.Sprintf("changes through what it includes, and is left out: module %s is not in the packages given", u.Target)}, nil
		return idle(r), nil
	}
	if err != nil {
		return nil, err
	}
	if err := errors.Join(pre.readTypes(u), post.readTypes(u)); err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		it := names[name]
		known := slices.ContainsFunc(r.Refusals, func(f diff.Refusal) bool { return f.Code == diff.MovedDefinition && f.Subject == name })
		if !known && len(run.Globals(name)) > 0 {
			r.Refusals = append(r.Refusals, diff.Refusal{Code: diff.MovedDefinition, Unit: u.Source, Subject: name, Source: r.Post.Source(it),
				Reason: "the shipped kernel has a definition of this name in another place, which the rest of it goes on using",
				Remedy: "change that definition where it is"})
		}
	}
	if err := c.compareShapes(ctx, u, pre, post, r); err != nil {
		return nil, err
	}
	c.compareVariables(u, pre, post, r)
	c.comparePrototypes(u, pre, post, r)
	held, err := r.HeldFunctions(pre.types, post.types)
	if err != nil {
		return nil, fmt.Errorf("object of %s: %w", u.Source, err)
	}
	r.Refusals = append(r.Refusals, held...)
	if len(r.Replaced())+len(r.NewGlobals()) == 0 {
		return idle(r), nil
	}
	w, err := finding.Look(r)
	r.Pre.DropDebug(reader(pre.path))
	r.Post.DropDebug(reader(post.path))
	return &comparison{Result: r, warnings: w}, err
}

// idle is the comparison of a unit of which nothing goes into the update. Its objects are given up: a header has a thousand of
// them.
func idle(r *diff.Result) *comparison {
	return &comparison{Result: &diff.Result{Unit: r.Unit, Counts: r.Counts, Notes: r.Notes, Refusals: r.Refusals, Undecided: r.Undecided}}
}

func (c *creation) diffOptions(u PlannedUnit) diff.Options {
	opts := diff.Options{Module: u.Target != vmlinux.Object, Types: c.image, InitOver: u.readsOnly()}
	if !opts.Module {
		opts.Freed = freedSections(u.Source, c.image, c.image)
	}
	return opts
}

// compiled is an object and what its debug information says.
type compiled struct {
	path  string
	data  []byte
	files map[string][]byte // in the place of the tree's
	obj   *elfobj.Object
	types *layout.Unit // after readTypes

	kept      []string           // of post: notes on variables that were kept; see keepVariables
	dropped   map[[2]string]bool // the same: diff.Options.Dropped
	unwritten map[[2]string]bool // diff.Options.Unwritten
}

func (o *compiled) readTypes(u PlannedUnit) (err error) {
	if o.types, err = layout.Read(o.data); err != nil {
		return fmt.Errorf("object of %s: %w", u.Source, err)
	}
	return nil
}

func (c *creation) compile(ctx context.Context, u PlannedUnit, files map[string][]byte) (*compiled, error) {
	if err := c.compilerSlot(ctx); err != nil {
		return nil, err
	}
	o, err := c.tree.Compile(ctx, u.Object, files)
	c.freeSlot()
	if err != nil {
		return nil, err
	}
	c.stages.cost("diff", o.Kbuild, o.CC)
	data, err := os.ReadFile(o.Path)
	if err != nil {
		return nil, err
	}
	r := &compiled{path: o.Path, data: data, files: files}
	if r.obj, err = elfobj.Read(data); err != nil {
		return nil, fmt.Errorf("object of %s: %w", u.Source, err)
	}
	return r, nil
}

// reader reads an object once more. It holds on to its path alone.
func reader(path string) func() (*elfobj.Object, error) {
	return func() (*elfobj.Object, error) {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		return elfobj.Read(data)
	}
}

// extract takes what changed out of each unit; after it, all refusals are known.
func (c *creation) extract() error {
	for i := range c.units {
		u := &c.units[i]
		if len(u.Diff.Refusals) > 0 {
			continue
		}
		x, err := u.Diff.Extract(c.extractNames(i))
		var refused diff.Refusals
		switch {
		case errors.As(err, &refused):
			c.refused = append(c.refused, refused...)
		case err != nil:
			return err
		}
		u.Extract = x
		if x != nil {
			for _, name := range x.Idle {
				c.note("%s: new function %s: nothing that changed calls it, left out", u.Diff.Unit, name)
			}
			for _, what := range x.Silent {
				c.note("%s: tracepoint %s: does not fire in the new code, since it belongs to module %s", u.Diff.Unit, what, u.Target)
			}
		}
	}
	return c.refuse(c.refused)
}

// extractNames says how a unit's extract names what is outside of it.
func (c *creation) extractNames(i int) diff.Names {
	return diff.Names{Prefix: fmt.Sprintf("u%d", i), Late: c.late(c.units[i].Target)}
}

// late says for a unit of a module which names outside of it the kernel finds only when the module is there: what
// the module itself or another one defines, but not exports of vmlinux and what the update adds.
func (c *creation) late(target string) func(name string) bool {
	if target == vmlinux.Object {
		return nil
	}
	added := map[string]bool{}
	for _, u := range c.units {
		for _, it := range u.Diff.NewGlobals() {
			for _, y := range it.Syms {
				added[y.Name] = true
			}
		}
	}
	own := c.targets.opened()[target]
	return func(name string) bool {
		_, exported := c.image.Export(name)
		return !added[name] && (!exported || len(own.Globals(name)) > 0)
	}
}

// refuse gives refusals in a stable order, with places relative to the source tree; nil for none.
func (c *creation) refuse(refused diff.Refusals) error {
	if len(refused) == 0 {
		return nil
	}
	for i := range refused {
		refused[i].Source = relative(refused[i].Source, c.tree.Source, refused[i].Unit)
	}
	refused.Sort()
	return refused
}
