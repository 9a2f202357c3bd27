package main

import (
	"fmt"

	"livesplice/pipeline"
)

type subscribeCmd struct {
	Args   []string `arg:"" optional:"" name:"path" help:"More of --kernel."`
	Kernel []string `sep:"none" placeholder:"PATH" help:"The shipped image package, or a folder with it unpacked; may be repeated (default: what stands beside the flags)."`
	Format []string `default:"deb,rpm" help:"Packages to make: deb, rpm (default: ${default})."`
	Out    string   `default:"." placeholder:"DIR" help:"Folder for the packages (default: the present one)."`
	JSON   bool     `name:"json" help:"Print what was made as JSON."`
}

// Help is shown by --help.
func (subscribeCmd) Help() string {
	return `Makes revision 0 of a kernel's update package, to be shipped with the kernel: it changes nothing, and brings each later
revision as an ordinary upgrade.

Example:
  livesplice subscribe --kernel linux-image-6.1.0-54-amd64_6.1.190-1_amd64.deb --format deb --out dist`
}

func (c *subscribeCmd) Run(e *env) error {
	files, kernels := splitArgs(c.Args)
	s, err := pipeline.Subscribe(e.ctx, pipeline.SubscribeOptions{Kernel: append(append(c.Kernel, kernels...), files...), Formats: c.Format, Out: c.Out, Cache: e.cache})
	if err != nil {
		return err
	}
	if c.JSON {
		return e.json(s)
	}
	fmt.Fprintf(e.stdout, "revision 0 for %s (build-id %s)\n", s.Release, s.BuildID)
	for _, p := range s.Packages {
		fmt.Fprintln(e.stdout, p)
	}
	return nil
}
