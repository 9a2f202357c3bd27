package main

import (
	"errors"
	"fmt"
	"slices"

	"livesplice/kconfig"
	"livesplice/pipeline"
	"livesplice/pipeline/review"
)

type createCmd struct {
	Args        []string `arg:"" name:"patch" help:"Patches, applied in this order. Packages and folders among them count as --kernel."`
	Source      string   `placeholder:"PATH" help:"The source as shipped: folder, linux-source .deb, .src.rpm or tar (default: that of --build-tree)."`
	BuildTree   string   `name:"build-tree" placeholder:"DIR" help:"The finished kernel build, in place or the O= folder, which is only read: no headers, no source and no preparing are needed, and headers can be patched (default: none)."`
	Kernel      []string `required:"" sep:"none" placeholder:"PATH" help:"Shipped packages (.deb or .rpm: image, headers), or folders with them unpacked; may be repeated."`
	Debuginfo   string   `placeholder:"PATH" help:"A vmlinux with symbols, or its package, to check the matching against (default: none)."`
	CC          string   `name:"cc" placeholder:"CC" help:"The kernel's compiler (default: the one that its config names)."`
	Root        string   `name:"toolchain-root" placeholder:"DIR" help:"A root (chroot) with compiler and build tools of another release; the kernel's build runs in it (default: none)."`
	ModuleSrc   string   `name:"module-source" placeholder:"DIR" help:"Source of an out-of-tree module: a folder with a Kbuild or Makefile that sets obj-m, which the patches are of (default: none, the patches are of the kernel)."`
	Module      []string `sep:"none" placeholder:"FILE" help:"A module made from --module-source as shipped: .ko, .ko.xz or .ko.zst; may be repeated (default: looked for in the packages of --kernel)."`
	ID          string   `name:"id" placeholder:"ID" help:"The update's ID, eight hexadecimal digits (default: a hash over the inputs)."`
	Description string   `placeholder:"TEXT" help:"What the update is, for administrators (default: its ID and kernel)."`
	Fixes       []string `placeholder:"CVE" help:"What it fixes: CVE-2026-12345; may be repeated (default: none)."`
	NeedsReboot []string `placeholder:"CVE" help:"What concerns this kernel too and needs a reboot into a fixed one; may be repeated (default: none)."`
	Severity    string   `default:"none" placeholder:"WORD" help:"How urgent it is, for an rpm repository: none, low, moderate, important, critical (default: ${default})."`
	Engine      string   `default:"auto" help:"How calls are redirected: auto, livepatch (default: ${default})."`
	SignKey     string   `name:"sign-key" placeholder:"FILE" help:"Private key (PEM) to sign the module with, for kernels that take signed modules only (default: it is not signed)."`
	SignCert    string   `name:"sign-cert" placeholder:"FILE" help:"The key's certificate (PEM or DER), which the patched machines' kernels trust (default: none)."`
	Format      []string `default:"deb,rpm" help:"Packages to make: deb, rpm (default: ${default})."`
	Out         string   `default:"." placeholder:"DIR" help:"Folder for the results (default: the present one)."`
	Revision    int      `default:"1" help:"Version of the cumulative package (default: ${default})."`
	Stack       bool     `help:"Make a single update that stands beside others, instead of a cumulative one."`
	Jobs        int      `short:"j" placeholder:"N" help:"Parallel compilers (default: the number of CPUs)."`
	Launcher    string   `placeholder:"CMD" help:"A command before the compiler: ccache, distcc or icecc; it changes no result, and where it fails the compiler runs without it (default: none)."`
	JSON        bool     `name:"json" help:"Print the report as JSON; without an update, the error."`
	Timings     string   `placeholder:"FILE" help:"Write what each stage took, and the peak memory of livesplice itself, to this file as JSON (default: none)."`
}

// Help is shown by --help.
func (createCmd) Help() string {
	return `Example:
  livesplice create --source linux-source-6.1_6.1.190-1_all.deb \
    --kernel linux-image-6.1.0-54-amd64_6.1.190-1_amd64.deb \
    --kernel linux-headers-6.1.0-54-amd64_6.1.190-1_amd64.deb \
    --kernel linux-headers-6.1.0-54-common_6.1.190-1_all.deb \
    --fixes CVE-2026-12345 --out dist fix.patch
After a kernel build, with what it left:
  livesplice create --build-tree ../linux-obj --kernel linux-image-6.1.190_6.1.190-1_amd64.deb --out dist fix.patch
The same for an out-of-tree module, with a patch of its own source:
  livesplice create --source ... --kernel ... --kernel ... --kernel ... \
    --module-source /usr/src/mydriver-1.2 --module mydriver.ko.xz --out dist mydriver.patch`
}

func (c *createCmd) Run(e *env) error {
	boundHeap()
	err := c.create(e)
	if err == nil || !c.JSON {
		return err
	}
	return errors.Join(err, e.json(pipeline.NewFailure(err)))
}

func (c *createCmd) create(e *env) error {
	patches, kernels := splitArgs(c.Args)
	if len(patches) == 0 {
		return &kconfig.UsageError{Thing: "argument PATCH", Reason: fmt.Sprintf("at least one patch is needed; %q, a package or folder, counts as --kernel", kernels[0])}
	}
	res, err := pipeline.Create(e.ctx, pipeline.Options{
		Patches: patches, Source: c.Source, BuildTree: c.BuildTree, Kernel: append(c.Kernel, kernels...), DebugInfo: c.Debuginfo, CC: c.CC, ToolchainRoot: c.Root,
		ModuleSource: c.ModuleSrc, Modules: c.Module, ID: c.ID,
		Description: c.Description, Fixes: c.Fixes, NeedsReboot: c.NeedsReboot, Severity: c.Severity, Engine: c.Engine, SignKey: c.SignKey, SignCert: c.SignCert, Formats: c.Format, Out: c.Out, Revision: c.Revision, Stack: c.Stack,
		Jobs: c.Jobs, Cache: e.cache, Launcher: c.Launcher,
	}, pipeline.NewStages(e.stderr))
	if err != nil {
		return err
	}
	if c.Timings != "" {
		if err := pipeline.WriteMeasured(c.Timings, res); err != nil {
			return err
		}
	}
	if c.JSON {
		return e.json(res.Report)
	}
	return c.print(e, res)
}

func (c *createCmd) print(e *env, res *pipeline.Result) error {
	if err := review.Brief(e.stdout, res.Manifest); err != nil {
		return err
	}
	for _, p := range slices.Concat(res.Packages, []string{res.Review}, res.Documents) {
		fmt.Fprintln(e.stdout, p)
	}
	return nil
}
