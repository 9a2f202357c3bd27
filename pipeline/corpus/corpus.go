// Package corpus measures how many real changes can be spliced: each .c file that differs between two source versions is
// taken as one patch, from the plan to the finished module.
package corpus

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"runtime"

	"livesplice/kconfig"
	"livesplice/pipeline"
	"livesplice/pipeline/cache"
	"livesplice/pipeline/rebuild"
	"livesplice/pipeline/source"
)

// Options are what `livesplice corpus` is told.
type Options struct {
	OldSource, NewSource string   // the source as shipped, and a later version of it
	Kernel               []string // packages of the kernel built from OldSource
	CC                   string   // the compiler, "" for the one that the kernel's config names
	ToolchainRoot        string   // a root with compiler and build tools of another release; "" for none
	Under                []string // only these files and those below these folders; empty: all
	Sample               int      // how many buildable files to take, in an order by chance; 0 for all files
	Seed                 uint64   // of that order
	Out                  string   // folder for results and modules; what is there already is not done again
	Jobs                 int      // files taken at the same time; 0 for the number of CPUs
	Cache                string
	Log                  io.Writer // a line for each file; may be nil
}

// Run takes files of the new version one by one as patches of the old one. With a Sample it draws them in an order that
// the seed gives until so many are buildable; otherwise it takes all. It is resumable: a result is kept in Out as soon as
// it is there, and holds for the same inputs and the same program. The same inputs give the same Result.
func Run(ctx context.Context, opts Options) (*Result, error) {
	if opts.Out == "" || opts.OldSource == "" || opts.NewSource == "" || len(opts.Kernel) == 0 {
		return nil, &kconfig.UsageError{Thing: "corpus", Reason: "--old-source, --new-source, --kernel and --out are needed"}
	}
	for flag, n := range map[string]int{"--sample": opts.Sample, "--jobs": opts.Jobs} {
		if n < 0 {
			return nil, &kconfig.UsageError{Thing: fmt.Sprintf("flag %q", flag), Reason: fmt.Sprintf("%d is a negative number", n)}
		}
	}
	if opts.Jobs == 0 {
		opts.Jobs = runtime.NumCPU()
	}
	if opts.Log == nil {
		opts.Log = io.Discard
	}
	w := &work{opts: opts}
	defer w.close()
	if err := w.open(ctx); err != nil {
		return nil, err
	}
	files := below(w.differ.sources, opts.Under)
	r := &Result{Differ: len(files), Old: w.old.version(), New: w.new.version(), Seed: opts.Seed, Sample: opts.Sample}
	r.Release, r.Kernel, _ = w.prepared.Kernel()
	if opts.Sample > 0 {
		rng := rand.New(rand.NewPCG(opts.Seed, 0))
		rng.Shuffle(len(files), func(i, j int) { files[i], files[j] = files[j], files[i] })
	}
	var err error
	if r.Entries, err = w.draw(ctx, files); err != nil {
		return nil, err
	}
	w.slowest(r.Entries)
	return r, nil
}

// work is one run.
type work struct {
	opts     Options
	cache    *cache.Cache
	old, new *tree
	prepared *pipeline.Prepared
	tree     *rebuild.Tree
	differ   *differences
	after    string // folder of the new source
	results  *results
}

// tree is a source version.
type tree struct{ *source.Tree }

// version names it for people.
func (t *tree) version() string {
	if t.PackageVersion != "" {
		return t.PackageVersion
	}
	return t.Version.String()
}

func (w *work) open(ctx context.Context) error {
	if err := os.MkdirAll(w.opts.Out, 0o755); err != nil {
		return &kconfig.UsageError{Thing: `flag "--out"`, Reason: err.Error()}
	}
	c, err := cache.Open(w.opts.Cache)
	if err != nil {
		return err
	}
	w.cache = c
	stages := pipeline.NewStages(w.opts.Log)
	w.prepared, err = pipeline.Prepare(ctx, pipeline.Options{Source: w.opts.OldSource, Kernel: w.opts.Kernel, CC: w.opts.CC, ToolchainRoot: w.opts.ToolchainRoot,
		Cache: w.opts.Cache}, stages)
	if err != nil {
		return err
	}
	w.tree = w.prepared.Tree()
	var trees [2]*tree
	for i, path := range []string{w.opts.OldSource, w.opts.NewSource} {
		t, err := source.Open(ctx, c, path)
		if err != nil {
			return err
		}
		trees[i] = &tree{t}
	}
	w.old, w.new, w.after = trees[0], trees[1], trees[1].Dir
	if w.differ, err = differing(ctx, w.old.Dir, w.after); err != nil {
		return err
	}
	program, err := os.Executable()
	if err != nil {
		return err
	}
	hash, err := c.HashFile(program)
	if err != nil {
		return err
	}
	_, _, buildID := w.prepared.Kernel()
	w.results, err = openResults(w.opts.Out, fmt.Sprintln(hash, buildID, w.tree.Key, w.old.ID, w.new.ID))
	return err
}

func (w *work) close() {
	if w.results != nil {
		w.results.close()
	}
	if w.tree != nil {
		w.tree.Close() // what is not removed is in the way of nobody
	}
}
