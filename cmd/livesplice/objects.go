package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"livesplice/kconfig"
	"livesplice/kmod/diff"
	"livesplice/kmod/elfobj"
	"livesplice/kmod/finding"
	"livesplice/kmod/match"
	"livesplice/kmod/unit"
	"livesplice/pipeline"
	"livesplice/pipeline/cache"
	"livesplice/pkgfmt"
)

type diffCmd struct {
	Pre  string `arg:"" help:"Object made from the source as shipped."`
	Post string `arg:"" help:"Object made from the patched source."`
	Out  string `short:"o" placeholder:"OUT.o" help:"Write what changed, as an update would carry it, to this file (default: none)."`
	// ForceExtract is for who knows what the pair alone does not tell.
	ForceExtract bool `name:"force-extract" help:"Extract what is refused too, where it can be: refusals become warnings, and the exit code is 0."`
	JSON         bool `name:"json" help:"Print the verdicts as JSON."`
}

// Help is shown by --help.
func (diffCmd) Help() string {
	return "The objects are those of one source file for one machine: x86_64, aarch64, ppc64le, s390x or loongarch64. They are best compiled with -ffunction-sections " +
		"-fdata-sections, so that what did not change stays where it was in its section; with -g, the reasons tell what was inlined.\n\n" +
		"Example:\n  livesplice diff pre/namei.o post/namei.o -o changed.o"
}

func (c *diffCmd) Run(e *env) error {
	pre, err := readObject(c.Pre)
	if err != nil {
		return err
	}
	post, err := readObject(c.Post)
	if err != nil {
		return err
	}
	r, err := diff.Compare(c.Post, pre, post, diff.Options{})
	if err != nil {
		return &pkgfmt.InputError{Path: c.Post, Want: "an object of the kernel, of the same machine as " + c.Pre, Err: err}
	}
	var warnings finding.Warnings
	if !r.Undecided {
		if warnings, err = finding.Look(r); err != nil {
			return err
		}
		held, err := r.ReadHeldFunctions()
		if err != nil {
			return &pkgfmt.InputError{Path: c.Post, Want: "debug information, as that of " + c.Pre, Err: err}
		}
		r.Refusals = append(r.Refusals, held...)
	}
	x, refused, err := c.extract(r)
	if err != nil {
		return err
	}
	report := r.Report(x, refused)
	for _, w := range warnings {
		fmt.Fprintf(e.stderr, "warning: %v\n", w)
	}
	if report.Forced {
		for _, w := range refused {
			fmt.Fprintf(e.stderr, "warning: not refused by force: %v\n", w)
		}
	}
	if c.JSON {
		if err := e.json(struct {
			*diff.Report
			Warnings finding.Warnings `json:"warnings"`
		}{report, append(finding.Warnings{}, warnings...)}); err != nil {
			return err
		}
	} else {
		printVerdicts(e, report)
	}
	switch {
	case len(refused) > 0 && !report.Forced:
		return refused
	case !report.Differs():
		return pipeline.ErrNoChange
	case c.Out == "":
		return nil
	}
	data, err := x.Obj.Write()
	if err != nil {
		return err
	}
	return writeWhole(c.Out, data)
}

// printVerdicts prints what differs, one item to a line.
func printVerdicts(e *env, report *diff.Report) {
	print := func(kind string, items []diff.ItemReport) {
		for _, it := range items {
			if it.Verdict == diff.Unchanged {
				continue
			}
			fmt.Fprintf(e.stdout, "%s %s %s", it.Verdict, kind, it.Name)
			for i, w := range it.Why {
				fmt.Fprintf(e.stdout, "%s%s", [...]string{": ", "; "}[min(i, 1)], w.Text())
			}
			fmt.Fprintln(e.stdout)
		}
	}
	print("function", report.Functions)
	print("datum", report.Data)
	for _, n := range report.Notes {
		fmt.Fprintf(e.stdout, "note: %s\n", n)
	}
}

// writeWhole writes a file that appears whole or not at all.
func writeWhole(path string, data []byte) error {
	fail := func(err error) error {
		return &kconfig.UsageError{Thing: `flag "-o"`, Reason: fmt.Sprintf("file %q cannot be written: %v", path, err)}
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".livesplice-")
	if err != nil {
		return fail(err)
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(data)
	err = errors.Join(err, tmp.Chmod(0o644), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return fail(err)
	}
	return nil
}

// extract gives what an update would carry and why it cannot; both where it is forced.
func (c *diffCmd) extract(r *diff.Result) (*diff.Extract, diff.Refusals, error) {
	if r.Undecided || len(r.Refusals) > 0 && !c.ForceExtract {
		return nil, r.Refusals, nil
	}
	x, err := r.Extract(diff.Names{Prefix: "u0", Force: c.ForceExtract})
	var refused diff.Refusals
	if errors.As(err, &refused) {
		return nil, append(slices.Clone(r.Refusals), refused...), nil
	}
	if err != nil {
		return nil, nil, err
	}
	return x, append(slices.Clone(r.Refusals), x.Forced...), nil
}

// maxObject bounds an object file, in bytes.
const maxObject = 1 << 30

func readObject(path string) (*elfobj.Object, error) {
	data, err := pkgfmt.ReadFile(path, "a relocatable object", maxObject)
	if err != nil {
		return nil, err
	}
	o, err := elfobj.Read(data)
	if err != nil {
		return nil, &pkgfmt.InputError{Path: path, Want: "a relocatable object", Err: err}
	}
	return o, nil
}

type matchCmd struct {
	Args   []string `arg:"" name:"object" help:"The object; packages and folders beside it count as --kernel."`
	Kernel []string `sep:"none" placeholder:"PATH" help:"The shipped image package, or a folder with it unpacked; may be repeated (default: what stands beside the object)."`
	Target string   `placeholder:"NAME" help:"What the object is part of: vmlinux, or a module as lsmod shows it (default: where its functions are)."`
	JSON   bool     `name:"json" help:"Print the result as JSON."`
}

// Help is shown by --help.
func (matchCmd) Help() string {
	return "Example:\n  livesplice match namei.o --kernel linux-image-6.1.0-54-amd64_6.1.190-1_amd64.deb\n" +
		"  livesplice match super.o --target ext4 --kernel linux-image-6.1.0-54-amd64_6.1.190-1_amd64.deb"
}

func (c *matchCmd) Run(e *env) error {
	objects, kernels := splitArgs(c.Args)
	if len(objects) != 1 {
		return &kconfig.UsageError{Thing: "argument OBJECT", Reason: fmt.Sprintf("%d objects given, one is matched at a time", len(objects))}
	}
	obj, err := readObject(objects[0])
	if err != nil {
		return err
	}
	u, err := unit.New(obj)
	if err != nil {
		return &pkgfmt.InputError{Path: objects[0], Want: "an object of the kernel", Err: err}
	}
	if !u.Arch.Matched() {
		return &pkgfmt.InputError{Path: objects[0], Want: "an object of x86_64", Err: fmt.Errorf("objects of %v can be compared, but not matched with a shipped kernel yet", obj.Machine)}
	}
	k, err := openImage(e, append(c.Kernel, kernels...))
	if err != nil {
		return err
	}
	r, err := pipeline.Locate(e.ctx, k, objects[0], u, c.Target)
	if err != nil {
		return err
	}
	if c.JSON {
		if err := e.json(r); err != nil {
			return err
		}
	} else {
		for _, f := range r.Functions {
			if f.Proof == match.None {
				fmt.Fprintf(e.stdout, "%-18s %6d %s %s: %s\n", "-", f.Size, f.Proof, f.Name, f.Why)
			} else {
				fmt.Fprintf(e.stdout, "%#x %6d %s %s (%s)\n", f.Address, f.Size, f.Proof, f.Name, f.By)
			}
		}
		fmt.Fprintf(e.stdout, "in %s: %d functions proven by bytes, %d by instruction, %d not located\n", r.Target, r.Strict, r.ByInsn, r.Unmatched)
	}
	return r.Unexplained()
}

func openImage(e *env, kernels []string) (*pkgfmt.Kernel, error) {
	if len(kernels) == 0 {
		return nil, &kconfig.UsageError{Thing: `flag "--kernel"`, Reason: "the shipped image package is needed"}
	}
	store, err := cache.Open(e.cache)
	if err != nil {
		return nil, err
	}
	return pkgfmt.OpenImage(e.ctx, store, kernels)
}
