// Package pipeline makes updates: the stages from a patch to packages, in order, with their values, times and errors.
package pipeline

import (
	"context"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sync/errgroup"

	"livesplice/kconfig"
	"livesplice/kmod/diff"
	"livesplice/kmod/finding"
	"livesplice/kmod/klpcore"
	"livesplice/kmod/link"
	"livesplice/kmod/livepatch"
	"livesplice/kmod/match"
	"livesplice/kmod/sign"
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
	Manifest *livepatch.Manifest
	Packages []string // files in Options.Out
	Review   string   // in Options.Out: the page for whoever signs the update off
	// Documents are files in Options.Out for the supply chain: see package supply.
	Documents []string
	Folder    string // in Options.Out: the module and what each stage said
	Timings   []Timing
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
	build  string        // the finished build's folder; "" for none
	tree   *rebuild.Tree // of the patched units: the kernel's, or that of out-of-tree modules
	image  *vmlinux.Image
	vers   vmlinux.Symvers

	external map[string]string // shipped files of out-of-tree modules that are patched, by name; "" for one not given

	headers map[string][]byte // of a Trial

	compilers chan struct{} // holds a token for each compiler that runs

	refused  diff.Refusals
	warnings finding.Warnings
	notes    []string // narrated, and kept for the report
	targets  *targets
	units    []link.Unit
	widened  map[[2]string]string // sources, by target and name: see widened
	objects  []string             // of units, as kbuild names them
	built    map[match.Proof]int  // replaced functions, by their proofs in the objects of the finished build
	unload   *livepatch.Unload    // after matching
	link     *link.Plan
	id       string
	module   []byte
	// predicted is what the kernel will do with the module.
	predicted *klpcore.Prediction
	signer    *sign.Signer // nil: the module is not signed
	debug     string       // what the check against debug information found
}

// stage is one step of an update; its text is what it found, for people.
type stage struct {
	name string
	fn   func(*creation, context.Context) (string, error)
}

// The stages up to the finished module. What the first ones give is the same for all updates of one kernel: see Prepare.
var (
	readingStages = []stage{{"inputs", (*creation).inputs}, {"prepare", (*creation).prepare}}
	makingStages  = []stage{{"plan", (*creation).planUnits}, {"diff", (*creation).rebuildAndDiff}, {"match", (*creation).match},
		{"link", (*creation).linkModule}, {"verify", (*creation).verify}, {"sign", (*creation).sign}}
)

func (c *creation) run(ctx context.Context, stages ...stage) error {
	for _, s := range stages {
		if err := c.stages.run(s.name, func() (string, error) { return s.fn(c, ctx) }); err != nil {
			return err
		}
	}
	return nil
}

// newCreation opens the cache.
func newCreation(opts Options, stages *Stages) (*creation, error) {
	if opts.Jobs <= 0 {
		opts.Jobs = runtime.NumCPU()
	}
	c := &creation{opts: opts, stages: stages}
	var err error
	if c.cache, err = cache.Open(opts.Cache); err != nil {
		return nil, err
	}
	c.cache.Note = stages.Note
	if root := c.cache.Root(); !source.KbuildPath(root) {
		return nil, &kconfig.UsageError{Thing: `flag "--cache"`, Reason: fmt.Sprintf("the path of folder %q has a character in it that kbuild cannot take", root)}
	}
	return c, nil
}

// Create turns patches into packages. Nothing is left in Options.Out when it fails. ExitCode tells what kind its
// error is of; all refusals and all mismatches are in it at once.
func Create(ctx context.Context, opts Options, stages *Stages) (*Result, error) {
	if err := opts.Check(); err != nil {
		return nil, err
	}
	if err := probe(opts.Out); err != nil {
		return nil, err
	}
	c, err := newCreation(opts, stages)
	if err != nil {
		return nil, err
	}
	defer c.close()
	if err := c.run(ctx, readingStages...); err != nil {
		return nil, err
	}
	return c.finish(ctx)
}

// close removes what the compilers left in scratch folders. An update does not fail for what cannot be removed.
func (c *creation) close() {
	if c.tree == nil {
		return
	}
	if err := c.tree.Close(); err != nil {
		c.stages.Note("scratch folder: %v", err)
	}
}

// finish makes the module of a prepared kernel, and the packages.
func (c *creation) finish(ctx context.Context) (*Result, error) {
	if err := c.run(ctx, makingStages...); err != nil {
		return nil, err
	}
	var res *Result
	err := c.stages.run("package", func() (text string, err error) {
		res, text, err = c.output(ctx)
		return text, err
	})
	if err != nil {
		return nil, err
	}
	res.Timings = c.stages.Timings()
	return res, nil
}

// inputs reads the patches, the kernel packages and the source.
func (c *creation) inputs(ctx context.Context) (string, error) {
	parsed, planned, err := readPatches(c.opts.Patches)
	if err != nil {
		return "", err
	}
	c.parsed, c.plan = parsed, &Plan{Patches: planned}
	if err := c.openSigner(); err != nil {
		return "", err
	}
	read := c.openPackages
	if c.opts.BuildTree != "" {
		read = c.openBuild
	}
	if err := read(ctx); err != nil {
		return "", err
	}
	if err := c.requirements(); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s (%s), source %s", c.kernel.Release, c.kernel.PackageVersion, c.source.Version), nil
}

// openPackages reads the kernel packages and the source beside them.
func (c *creation) openPackages(ctx context.Context) error {
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
		return err
	}
	return rebuild.CheckConfig(c.kernel)
}

// requirements refuses a kernel that lacks what livepatch needs.
func (c *creation) requirements() error {
	unmet, refused, err := Requirements(c.kernel)
	if err != nil {
		return err
	}
	for _, u := range unmet {
		if u.Level != kconfig.Refused {
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
		opts := rebuild.Options{CC: c.opts.CC, Root: c.opts.ToolchainRoot, Jobs: c.opts.Jobs}
		if c.build != "" {
			c.tree, err = rebuild.OpenBuild(gctx, c.cache, c.source, c.build, c.kernel, opts)
			return err
		}
		c.tree, err = rebuild.Prepare(gctx, c.cache, c.source, c.kernel, opts)
		return err
	})
	g.Go(c.readImage)
	if err := g.Wait(); err != nil {
		return "", err
	}
	c.stages.cost("prepare", c.tree.Prepared)
	if err := c.tree.SetLauncher(ctx, c.opts.Launcher, c.stages.Note); err != nil {
		return "", err
	}
	if c.opts.ModuleSource != "" {
		if err := c.openExternal(ctx); err != nil {
			return "", err
		}
	}
	return c.kernel.Compiler, nil
}

func readVmlinux(k *pkgfmt.Kernel) (*vmlinux.Image, error) {
	data, err := os.ReadFile(k.Vmlinux)
	if err != nil {
		return nil, err
	}
	im, err := vmlinux.Parse(data)
	if err != nil {
		return nil, &pkgfmt.InputError{Path: k.Origin(k.Vmlinuz), Want: "a kernel image with kallsyms", Err: err}
	}
	return im, nil
}

func (c *creation) readImage() error {
	var err error
	if c.image, err = readVmlinux(c.kernel); err != nil {
		return err
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
