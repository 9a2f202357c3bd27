package main

import (
	"fmt"

	"livesplice/kconfig"
	"livesplice/pipeline"
	"livesplice/pipeline/review"
	"livesplice/pkgfmt"
)

type inspectCmd struct {
	File string `arg:"" help:"A .deb, .rpm, module, vmlinuz, vmlinux or manifest.json."`
	JSON bool   `name:"json" help:"Print it as JSON."`
}

// Help is shown by --help.
func (inspectCmd) Help() string {
	return "Of an update, its package, module or manifest.json tells what it replaces, and how that was proven.\n\n" +
		"Example:\n  livesplice inspect linux-image-6.1.0-54-amd64_6.1.190-1_amd64.deb\n" +
		"  livesplice inspect dist/linux-livesplice-6.1.0-54-amd64_1_amd64.deb"
}

func (c *inspectCmd) Run(e *env) error {
	d, err := pkgfmt.Describe(e.ctx, c.File)
	if err != nil {
		return err
	}
	if c.JSON {
		return e.json(d)
	}
	fmt.Fprintln(e.stdout, d)
	if d.Update != nil {
		return review.Brief(e.stdout, d.Update)
	}
	return nil
}

type checkCmd struct {
	Args   []string `arg:"" optional:"" name:"path" help:"More of --kernel."`
	Kernel []string `sep:"none" placeholder:"PATH" help:"The shipped image package, or a folder with it unpacked; may be repeated (default: what stands beside the flags)."`
	JSON   bool     `name:"json" help:"Print it as JSON."`
}

// Help is shown by --help.
func (checkCmd) Help() string {
	return "Example:\n  livesplice check --kernel linux-image-6.1.0-54-amd64_6.1.190-1_amd64.deb"
}

// checkReport is what check says of a kernel.
type checkReport struct {
	Release string          `json:"release"`
	Engine  string          `json:"engine"` // "livepatch", or "none"
	Unmet   []kconfig.Unmet `json:"unmet"`
}

func (c *checkCmd) Run(e *env) error {
	files, kernels := splitArgs(c.Args)
	k, err := openImage(e, append(append(c.Kernel, kernels...), files...))
	if err != nil {
		return err
	}
	unmet, refused, err := pipeline.Requirements(k)
	if err != nil {
		return err
	}
	r := checkReport{Release: k.Release, Engine: "livepatch", Unmet: unmet}
	if len(refused) > 0 {
		r.Engine = "none"
	}
	if c.JSON {
		err = e.json(r)
	} else {
		fmt.Fprintf(e.stdout, "%s: engine %s\n", r.Release, r.Engine)
		for _, u := range r.Unmet {
			fmt.Fprintf(e.stdout, "%s: %s=%s: %s\n", u.Level, u.Option, u.Have, u.Why)
		}
	}
	if err == nil && len(refused) > 0 {
		return refused
	}
	return err
}

type versionCmd struct{}

// Help is shown by --help.
func (versionCmd) Help() string {
	return "Example:\n  livesplice version"
}

func (versionCmd) Run(e *env) error {
	fmt.Fprintln(e.stdout, "livesplice", pipeline.Version())
	return nil
}
