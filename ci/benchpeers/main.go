// Benchpeers compares livesplice create with what people use instead, on the same patch and machine: a full build of the same
// kernel, and kpatch-build where it is installed (Debian has it since 13). Without arguments the kernels are Debian's 6.1 of
// the archive, from its packages, and the small one of ci/smallkernel, from its packages and by its finished build. Of any other
// kernel:
//
//	go run ./ci/benchpeers -source DIR -build-tree DIR -kernel IMAGE.deb PATCH
//
// A full build takes long. It is measured once, with -full, and kept in records/ with its log. kpatch-build works in a copy of
// the source, runs the gcc of the environment, and asks for a kernel with debug information: with -debug the kernel is the small
// one with that, built by the gcc-12 of where this program runs, which may be a root of another release.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"livesplice/ci/archive"
	"livesplice/ci/program"
	"livesplice/ci/smallkernel"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// options are the flags.
type options struct {
	program string // livesplice
	records string
	kpatch  string // kpatch-build
	full    bool
	debug   bool
	warm    int
	given   subject
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var o options
	fs := flag.NewFlagSet("benchpeers", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.StringVar(&o.program, "livesplice", "", "the program (default: built from ./cmd/livesplice)")
	fs.StringVar(&o.records, "records", "ci/benchpeers/records", "folder of what was measured once")
	fs.StringVar(&o.kpatch, "kpatch-build", "kpatch-build", "the program")
	fs.BoolVar(&o.full, "full", false, "measure the full build of each kernel with a finished build, and keep it in -records")
	fs.BoolVar(&o.debug, "debug", false, "the small kernel with debug information, as kpatch-build wants it, and no other")
	fs.IntVar(&o.warm, "warm", 3, "warm runs of livesplice, of which the median counts")
	fs.StringVar(&o.given.source, "source", "", "source of a kernel, clean")
	fs.StringVar(&o.given.tree, "build-tree", "", "its finished build, another folder")
	fs.Func("kernel", "its packages: image, and headers for updates from packages; may be repeated", func(path string) error {
		o.given.packages = append(o.given.packages, path)
		return nil
	})
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	none := o.given.source == "" && o.given.tree == "" && len(o.given.packages) == 0 && fs.NArg() == 0
	all := o.given.source != "" && o.given.tree != "" && len(o.given.packages) > 0 && fs.NArg() == 1
	if o.warm < 1 || !none && (!all || o.debug) {
		fmt.Fprintln(stderr, "benchpeers: want -source, -build-tree, -kernel and one patch without -debug, or none of them; and -warm from 1 on")
		return 2
	}
	o.given.patch = fs.Arg(0)
	if err := o.run(ctx, stdout, stderr); err != nil {
		fmt.Fprintln(stderr, "benchpeers:", err)
		return 1
	}
	return 0
}

func (o *options) run(ctx context.Context, stdout, stderr io.Writer) error {
	dir, err := os.MkdirTemp("", "livesplice-peers-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b := &bench{dir: dir, program: o.program, kpatch: o.kpatch, records: o.records, warm: o.warm, full: o.full, log: stderr}
	if b.program == "" {
		b.program = filepath.Join(dir, "livesplice")
		if err := program.Build(ctx, b.program, stderr); err != nil {
			return err
		}
	}
	subjects := []subject{o.given}
	switch {
	case o.debug:
		small, err := smallkernel.BuildDebug(ctx)
		if err != nil {
			return err
		}
		subjects = []subject{ofSmall(small)}
	case o.given.source == "":
		if subjects, err = standard(ctx); err != nil {
			return err
		}
	}
	head, err := machine()
	if err != nil {
		return err
	}
	fmt.Fprint(stdout, head)
	for _, s := range subjects {
		f, err := b.measure(ctx, s)
		if err != nil {
			return err
		}
		fmt.Fprint(stdout, "\n", f.table())
	}
	return nil
}

// fixedIn is the first Debian version that has fcntl-immutable-hint.patch.
const fixedIn = "6.1.192-1"

// standard are the kernels that anybody can have.
func standard(ctx context.Context) ([]subject, error) {
	kernels, err := archive.Kernels(ctx, "6.1")
	if err != nil {
		return nil, err
	}
	k, err := archive.Before(kernels, fixedIn)
	if err != nil {
		return nil, err
	}
	files, err := k.Fetch(ctx)
	if err != nil {
		return nil, err
	}
	small, err := smallkernel.Build(ctx)
	if err != nil {
		return nil, err
	}
	return []subject{
		{name: "debian-6.1-amd64", source: files.Source, packages: files.Kernel(), patch: "testdata/patches/fcntl-immutable-hint.patch"},
		ofSmall(small),
	}, nil
}

func ofSmall(k *smallkernel.Kernel) subject {
	return subject{source: k.Source, tree: k.Object, packages: []string{k.Image, k.Headers}, patch: "testdata/patches/proc-version-spliced.patch"}
}
