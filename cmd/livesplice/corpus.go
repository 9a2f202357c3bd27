package main

import (
	"fmt"

	"livesplice/pipeline/corpus"
)

type corpusCmd struct {
	Args      []string `arg:"" optional:"" name:"path" help:"More of --kernel."`
	OldSource string   `required:"" placeholder:"PATH" help:"The source as shipped."`
	NewSource string   `required:"" placeholder:"PATH" help:"A later version of it."`
	Kernel    []string `required:"" sep:"none" placeholder:"PATH" help:"Packages of the kernel built from the old source; may be repeated."`
	Out       string   `default:"corpus" placeholder:"DIR" help:"Folder for results and modules; a run that was stopped goes on from there (default: ${default})."`
	CC        string   `name:"cc" placeholder:"CC" help:"The kernel's compiler (default: the one that its config names)."`
	Root      string   `name:"toolchain-root" placeholder:"DIR" help:"A root (chroot) with compiler and build tools of another release; the kernel's build runs in it (default: none)."`
	Under     []string `placeholder:"PATH" help:"Only this file of the source, or those below this folder; may be repeated (default: all)."`
	Sample    int      `placeholder:"N" help:"Draw files by chance until N are buildable (default: take all)."`
	Seed      uint64   `default:"1" help:"Seed of the sample (default: ${default})."`
	Jobs      int      `short:"j" placeholder:"N" help:"Files taken at the same time (default: the number of CPUs)."`
	JSON      bool     `name:"json" help:"Print the results as JSON."`
}

// Help is shown by --help.
func (corpusCmd) Help() string {
	return `Each .c file that differs between two source versions is taken as one patch, from the plan to the finished module. A file
that does not compile alone is given the fewest headers of the new version that it takes; only the file itself sees them.

Example:
  livesplice corpus --old-source linux-source-6.1_6.1.176-1_all.deb --new-source linux-source-6.1_6.1.192-2_all.deb \
    --kernel linux-image-6.1.0-50-amd64_6.1.176-1_amd64.deb --kernel linux-headers-6.1.0-50-amd64_6.1.176-1_amd64.deb \
    --kernel linux-headers-6.1.0-50-common_6.1.176-1_all.deb --sample 300`
}

func (c *corpusCmd) Run(e *env) error {
	r, err := corpus.Run(e.ctx, corpus.Options{OldSource: c.OldSource, NewSource: c.NewSource, Kernel: append(c.Kernel, c.Args...), CC: c.CC, ToolchainRoot: c.Root,
		Under: c.Under, Sample: c.Sample, Seed: c.Seed, Out: c.Out, Jobs: c.Jobs, Cache: e.cache, Log: e.stderr})
	if err != nil {
		return err
	}
	if c.JSON {
		return e.json(r)
	}
	fmt.Fprint(e.stdout, r.Table())
	return nil
}
