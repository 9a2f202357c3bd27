package pipeline

import (
	"context"

	"livesplice/kmod/livepatch"
	"livesplice/pipeline/patch"
	"livesplice/pipeline/rebuild"
)

// Prepared is a shipped kernel with its source, ready for any number of updates at the same time: what the stages before
// the plan give, which is the same for all of them.
type Prepared struct{ ready creation }

// Prepare reads kernel and source and lets kbuild prepare the tree. Of opts it takes what says which kernel it is:
// Source, Kernel, DebugInfo, CC and ToolchainRoot; and Jobs, Cache and Launcher.
func Prepare(ctx context.Context, opts Options, stages *Stages) (*Prepared, error) {
	c, err := newCreation(opts, stages)
	if err != nil {
		return nil, err
	}
	if err := c.run(ctx, readingStages...); err != nil {
		c.close()
		return nil, err
	}
	return &Prepared{ready: *c}, nil
}

// Tree is the prepared tree, to be closed when no more updates are made.
func (p *Prepared) Tree() *rebuild.Tree { return p.ready.tree }

// Kernel names the shipped kernel: `uname -r`, the version of its package ("" if not known) and its build-id in hex.
func (p *Prepared) Kernel() (release, version, buildID string) {
	k := p.ready.kernel
	return k.Release, k.PackageVersion, k.BuildID.String()
}

// Trial is a change that is to be taken as far as a verified module. It is for measuring and no way to make an update.
type Trial struct {
	Name  string // of the patch
	Patch []byte

	// UncheckedHeaders are new contents of headers, by path, which the patched units are compiled with and no other
	// unit is: whether those would change as well nobody asks. Create refuses patches of headers for that reason.
	UncheckedHeaders map[string][]byte
}

// Tried is a trial that came through.
type Tried struct {
	Module   []byte // the .ko
	Manifest *livepatch.Manifest
	Report   *Report
	Timings  []Timing
}

// Try makes the module of a trial. Errors are those of Create.
func (p *Prepared) Try(ctx context.Context, t Trial) (*Tried, error) {
	c := p.ready
	c.stages = NewStages(nil)
	c.opts.Description, c.opts.Engine, c.opts.Revision, c.opts.Stack, c.opts.Jobs = t.Name, "auto", 1, true, 1
	parsed, planned, err := parsePatch(t.Name, t.Patch)
	if err != nil {
		return nil, err
	}
	c.parsed, c.plan, c.headers = []*patch.Patch{parsed}, &Plan{Patches: []PlannedPatch{planned}}, t.UncheckedHeaders
	if err := c.run(ctx, makingStages...); err != nil {
		return nil, err
	}
	report := c.report()
	tried := &Tried{Module: c.module, Manifest: c.manifest(report), Report: report, Timings: c.stages.Timings()}
	return tried, tried.Manifest.Validate()
}
