package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"livesplice/kconfig"
	"livesplice/pipeline/verify"
	"livesplice/pkgfmt"
)

type verifyCmd struct {
	Args    []string      `arg:"" name:"package" help:"Packages of updates; kernel packages and folders among them count as --kernel."`
	Kernel  []string      `sep:"none" placeholder:"PATH" help:"The shipped packages (.deb or .rpm: image, modules), or a folder with them unpacked; may be repeated (default: what stands among the packages)."`
	Host    string        `placeholder:"PATH" help:"The package of splicectl, of the update's format (default: one beside the update or livesplice; else it is made)."`
	Timeout time.Duration `default:"10m" help:"Bound for each machine (default: ${default})."`
	JUnit   string        `name:"junit" placeholder:"FILE" help:"Write a JUnit report to this file (default: none)."`
	JSON    bool          `name:"json" help:"Print the results as JSON."`
}

// Help is shown by --help.
func (verifyCmd) Help() string {
	return `Each package gets a machine of its own, which boots the shipped kernel as it is. In it the package is installed, the update undone and
applied again, and the package removed. After each step livepatch, ftrace and the kernel's log are asked whether that is what happened.
It needs qemu-system-x86, mmdebstrap and Go. An update that fails gives exit code 4.

Example:
  livesplice verify dist/linux-livesplice-6.1.0-54-amd64_1_amd64.deb \
    --kernel linux-image-6.1.0-54-amd64_6.1.190-1_amd64.deb --junit verify.xml`
}

func (c *verifyCmd) Run(e *env) error {
	packages, kernels, err := c.sort(e)
	if err != nil {
		return err
	}
	var attempts []verify.Attempt
	var errs []error
	for _, p := range packages {
		fmt.Fprintf(e.stderr, "verify %s\n", p)
		res, err := verify.Run(e.ctx, verify.Options{Package: p, Kernel: kernels, Host: c.Host, Timeout: c.Timeout, Cache: e.cache, Tell: func(s verify.Step) { tell(e, s) }})
		attempts = append(attempts, verify.Attempt{Package: p, Result: res, Err: err})
		errs = append(errs, err)
		if e.ctx.Err() != nil {
			break
		}
	}
	if c.JUnit != "" {
		var report bytes.Buffer
		if err := verify.WriteJUnit(&report, attempts); err != nil {
			return err
		}
		if err := os.WriteFile(c.JUnit, report.Bytes(), 0o644); err != nil {
			return &kconfig.UsageError{Thing: `flag "--junit"`, Reason: err.Error()}
		}
	}
	return errors.Join(append(errs, c.print(e, attempts))...)
}

// sort tells updates from the packages of the kernel, by their names.
func (c *verifyCmd) sort(e *env) (updates, kernels []string, err error) {
	kernels = c.Kernel
	for _, a := range c.Args {
		if st, err := os.Stat(a); err == nil && st.IsDir() {
			kernels = append(kernels, a)
			continue
		}
		p, err := pkgfmt.Open(a)
		if err != nil {
			return nil, nil, err
		}
		if strings.Contains(p.Name, "-livesplice-") {
			updates = append(updates, a)
		} else {
			kernels = append(kernels, a)
		}
	}
	switch {
	case len(updates) == 0:
		err = &kconfig.UsageError{Thing: "argument PACKAGE", Reason: "at least one package of an update is needed"}
	case len(kernels) == 0:
		err = &kconfig.UsageError{Thing: `flag "--kernel"`, Reason: "the shipped kernel packages are needed: the image, and modules where they are apart"}
	}
	return updates, kernels, err
}

func tell(e *env, s verify.Step) {
	state := "ok"
	if len(s.Problems) > 0 {
		state = "FAILED"
	}
	fmt.Fprintf(e.stderr, "%-8s %6.2fs  %s: %s\n", s.Name, s.Seconds, s.What, state)
}

func (c *verifyCmd) print(e *env, attempts []verify.Attempt) error {
	if c.JSON {
		results := []*verify.Result{}
		for _, a := range attempts {
			if a.Result != nil {
				results = append(results, a.Result)
			}
		}
		return e.json(results)
	}
	for _, a := range attempts {
		if a.Err == nil {
			fmt.Fprintf(e.stdout, "%s: verified: update %s on %s\n", a.Package, a.Result.ID, a.Result.Release)
		}
		if a.Result != nil && len(a.Result.Absent) > 0 {
			fmt.Fprintf(e.stdout, "%s: not loadable in the machine, so not seen patched: %s\n", a.Package, strings.Join(a.Result.Absent, ", "))
		}
	}
	return nil
}
