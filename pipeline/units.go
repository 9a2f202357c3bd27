package pipeline

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"livesplice/kmod/diff"
	"livesplice/kmod/elfobj"
	"livesplice/kmod/finding"
	"livesplice/kmod/layout"
	"livesplice/kmod/link"
	"livesplice/kmod/vmlinux"
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
		c.stages.Note("%s: %s, ignored", i.File, i.Reason)
	}
	if len(p.Units) == 0 && len(refused) > 0 {
		return "", c.refuse(refused)
	}
	if len(p.Units) == 0 {
		return "", ErrNotBuilt
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
	results := make([]*comparison, len(c.plan.Units))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(c.opts.Jobs)
	var done atomic.Int32
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
	changed, added, functions := 0, 0, 0
	for i, r := range results {
		c.refused = append(c.refused, r.Refusals...)
		c.warn(r.warnings)
		changed, added, functions = changed+len(r.Replaced()), added+r.Counts.New, functions+r.Counts.Functions
		for _, n := range r.Notes {
			c.stages.Note("%s: %s", r.Unit, n)
		}
		if len(r.Replaced())+len(r.NewGlobals()) > 0 {
			c.units = append(c.units, link.Unit{Target: c.plan.Units[i].Target, Diff: r.Result})
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

// comparison is what is known of a unit before anything is extracted from it.
type comparison struct {
	*diff.Result
	warnings finding.Warnings
}

// compareUnit compiles one unit twice and compares code, data and the layout of types.
func (c *creation) compareUnit(ctx context.Context, u PlannedUnit) (*comparison, error) {
	pre, err := c.compile(ctx, u, nil)
	if err != nil {
		return nil, err
	}
	post, err := c.compile(ctx, u, c.plan.files)
	if err != nil {
		return nil, err
	}
	run, err := c.targets.run(ctx, u.Target)
	if err != nil {
		return nil, err
	}
	r, err := diff.Compare(u.Source, pre.obj, post.obj, c.diffOptions(u))
	if err != nil {
		return nil, err
	}
	if r.Undecided {
		return &comparison{Result: r}, nil
	}
	if r, err = c.confirmLines(ctx, u, pre, post, r); err != nil {
		return nil, err
	}
	for _, it := range r.NewGlobals() {
		if len(run.Globals(it.Name)) > 0 {
			r.Refusals = append(r.Refusals, diff.Refusal{Code: codeMoved, Unit: u.Source, Subject: it.Name, Source: r.Post.Source(it),
				Reason: "the shipped kernel has a definition of this name in another place, which the rest of it goes on using",
				Remedy: "change that definition where it is"})
		}
	}
	if err := c.compareShapes(ctx, u, pre, post, r); err != nil {
		return nil, err
	}
	c.comparePrototypes(u, pre, post, r)
	w, err := finding.Look(r)
	return &comparison{Result: r, warnings: w}, err
}

func (c *creation) diffOptions(u PlannedUnit) diff.Options {
	return diff.Options{Module: u.Target != vmlinux.Object, Types: c.image}
}

// compiled is an object and what its debug information says.
type compiled struct {
	obj   *elfobj.Object
	types *layout.Unit
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
		x, err := u.Diff.Extract(diff.Names{Prefix: fmt.Sprintf("u%d", i), Late: c.late(u.Target)})
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
				c.stages.Note("%s: new function %s: nothing that changed calls it, left out", u.Diff.Unit, name)
			}
			for _, what := range x.Silent {
				c.stages.Note("%s: tracepoint %s: does not fire in the new code, since it belongs to module %s", u.Diff.Unit, what, u.Target)
			}
		}
	}
	return c.refuse(c.refused)
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
