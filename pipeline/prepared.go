package pipeline

import (
	"context"
	"errors"
	"slices"

	"livesplice/pipeline/rebuild"
)

// Create makes an update of the prepared kernel: what the function Create makes of the same options, byte for byte. What opts
// says about the kernel, source, tools, signature and cache is not looked at. It may run several times at once.
func (p *Prepared) Create(ctx context.Context, opts Options, stages *Stages) (*Result, error) {
	if err := opts.Check(); err != nil {
		return nil, err
	}
	if err := probe(opts.Out); err != nil {
		return nil, err
	}
	c := p.ready
	own := c.opts
	c.opts, c.stages = opts, stages
	c.opts.Source, c.opts.Kernel, c.opts.DebugInfo, c.opts.CC, c.opts.ToolchainRoot = own.Source, own.Kernel, own.DebugInfo, own.CC, own.ToolchainRoot
	c.opts.BuildTree, c.opts.SignKey, c.opts.SignCert = own.BuildTree, own.SignKey, own.SignCert
	c.opts.ModuleSource, c.opts.Modules, c.opts.Cache, c.opts.Launcher = own.ModuleSource, own.Modules, own.Cache, own.Launcher
	if c.opts.Jobs <= 0 {
		c.opts.Jobs = own.Jobs
	}
	parsed, planned, err := readPatches(opts.Patches)
	if err != nil {
		return nil, err
	}
	c.parsed, c.plan = parsed, &Plan{Patches: planned}
	return c.finish(ctx)
}

// Record has kbuild compile the units of several updates as shipped, those that the cache does not know, in one run. Each
// element is the patches of an update. What an update cannot be made of is left to Create, which says so.
func (p *Prepared) Record(ctx context.Context, updates [][]string) error {
	var units []string
	for _, files := range updates {
		parsed, planned, err := readPatches(files)
		if err != nil {
			continue
		}
		plan, _, err := newPlan(ctx, p.ready.tree, parsed, planned)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			continue
		}
		for _, u := range plan.Units {
			units = append(units, u.Object)
		}
	}
	slices.Sort(units)
	_, err := p.ready.tree.Record(ctx, slices.Compact(units)...)
	var build *rebuild.BuildError
	if errors.As(err, &build) {
		return nil
	}
	return err
}
