// Matching measures how much of a shipped kernel can be proven: it compiles a random sample of the units of vmlinux and
// of the modules from the source as shipped, matches every function with the shipped binaries, and prints a table of what
// is proven, by which proof, and why anything is not. It ends with 1 if a function is neither proven nor explained.
//
// With -shift each unit is compiled once more with an empty line on top, so that every __LINE__ in it is another, and both
// objects are compared: nothing may count as changed.
//
// The kernel is the newest of the Debian archive's 6.1, or the packages that flags name.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"livesplice/ci/archive"
)

func main() {
	var o options
	flag.StringVar(&o.series, "series", "6.1", "kernel `series` of the archive, of which the newest is taken")
	flag.StringVar(&o.source, "source", "", "take this source `package` instead of the archive's, with -kernel")
	flag.Func("kernel", "take this kernel `package` instead of the archive's (repeatable: image, headers)", func(p string) error {
		o.kernel = append(o.kernel, p)
		return nil
	})
	flag.StringVar(&o.cc, "cc", "", "the kernel's `compiler`, if not the one that its configuration names")
	flag.StringVar(&o.root, "toolchain-root", "", "a root (`folder`) with compiler and build tools of another release")
	flag.StringVar(&o.cache, "cache", "", "cache `folder`; by default the user's")
	flag.StringVar(&o.of, "of", "all", "sample the units of `what`: vmlinux, modules or all")
	flag.IntVar(&o.sample, "sample", 200, "how many `units` to take, 0 for all")
	flag.Uint64Var(&o.seed, "seed", 1, "of the sample")
	flag.BoolVar(&o.shift, "shift", false, "also compile each unit with an empty line on top, which must be no change")
	asJSON := flag.Bool("json", false, "print the figures as JSON, with every function that is not proven")
	flag.Parse()
	if flag.NArg() > 0 || o.sample < 0 || !slices.Contains([]string{"all", "vmlinux", "modules"}, o.of) || (o.source == "") != (len(o.kernel) == 0) {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	f, err := measured(ctx, o)
	stop()
	if err == nil {
		err = f.print(*asJSON)
	}
	if n := len(f.Unexplained) + len(f.Failed); err == nil && n > 0 {
		err = fmt.Errorf("%d functions and units are neither proven nor explained", n)
	}
	if n := len(f.Shifted); err == nil && n > 0 {
		err = fmt.Errorf("%d functions and data are changed by an empty line", n)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "matching:", err)
		os.Exit(1)
	}
}

type options struct {
	series, source, cc, root, cache, of string
	kernel                              []string
	sample                              int
	seed                                uint64
	shift                               bool
}

func measured(ctx context.Context, o options) (figures, error) {
	f := figures{Date: time.Now().UTC().Format(time.DateOnly), Of: o.of, Sample: o.sample, Seed: o.seed, Shift: o.shift}
	if o.source == "" {
		kernels, err := archive.Kernels(ctx, o.series)
		if err != nil {
			return f, err
		}
		files, err := kernels[len(kernels)-1].Fetch(ctx)
		if err != nil {
			return f, err
		}
		o.source, o.kernel = files.Source, []string{files.Image, files.Headers, files.HeadersCommon}
	}
	return f, f.measure(ctx, o)
}

func (f *figures) print(asJSON bool) error {
	if !asJSON {
		_, err := fmt.Print(f.table())
		return err
	}
	enc := json.NewEncoder(os.Stdout)
	enc.SetIndent("", "  ")
	return enc.Encode(f)
}
