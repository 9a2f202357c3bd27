// Bench measures what an update costs: livesplice create for a patch of one unit on a kernel of the Debian archive, cold,
// warm and for the same patch again; beside it what kbuild takes for the same by itself; and the parts of livesplice
// that work on bytes. It prints one table and ends with 1 if a bound is not kept.
//
// Nothing is kept but the downloads: the cache is a temporary folder.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"livesplice/ci/archive"
	"livesplice/ci/program"
)

const (
	patchFile = "testdata/patches/fcntl-immutable-hint.patch"
	unitName  = "fs/fcntl.o" // what the patch changes
	fixedIn   = "6.1.192-1"  // the first Debian version that has the patch
)

func main() {
	asJSON := flag.Bool("json", false, "print the figures as JSON")
	warm := flag.Int("warm", 5, "warm `runs`, of which the median counts")
	parts := flag.Bool("parts", false, "measure only the parts that work on bytes, with the user's cache")
	tree := flag.String("build-tree", "", "measure updates by this finished build `folder` instead; the patches are arguments")
	image := flag.String("kernel", "", "with -build-tree: the image `package` made from it")
	flag.Parse()
	if (*tree == "") != (*image == "") || (*tree == "") != (flag.NArg() == 0) || *warm < 1 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	var f measured
	var err error
	if *tree != "" {
		f, err = benchTree(ctx, *tree, *image, flag.Args())
	} else {
		f, err = bench(ctx, *warm, *parts)
	}
	stop()
	if err == nil {
		err = print(f, *asJSON)
	}
	if err == nil && !f.pass() {
		err = fmt.Errorf("a bound is not kept")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// measured is what was measured, and whether it is within its bounds.
type measured interface {
	table() string
	values() any // for JSON
	pass() bool
}

func print(f measured, asJSON bool) error {
	if !asJSON {
		_, err := fmt.Print(f.table())
		return err
	}
	enc := json.NewEncoder(os.Stdout)
	enc.SetIndent("", "  ")
	return enc.Encode(f.values())
}

func (f *figures) values() any {
	return struct {
		*figures
		Bounds []bound `json:"bounds"`
	}{f, f.bounds()}
}

func bench(ctx context.Context, warm int, parts bool) (*figures, error) {
	kernels, err := archive.Kernels(ctx, "6.1")
	if err != nil {
		return nil, err
	}
	kernel, err := archive.Before(kernels, fixedIn)
	if err != nil {
		return nil, err
	}
	files, err := kernel.Fetch(ctx)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "livesplice-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	b := &setting{dir: dir, cache: filepath.Join(dir, "cache"), program: filepath.Join(dir, "livesplice"), files: files}
	if b.cores, err = twoCores(); err != nil {
		return nil, err
	}
	f := &figures{Date: time.Now().UTC().Format(time.DateOnly), Unit: unitName, Release: kernel.Release, Version: kernel.Version, OnlyParts: parts}
	if f.Machine, err = thisMachine(len(b.cores)); err != nil {
		return nil, err
	}
	if parts {
		b.cache = ""
		return f, b.measure(ctx, f, warm)
	}
	say("building livesplice")
	if err := program.Build(ctx, b.program, os.Stderr); err != nil {
		return nil, err
	}
	return f, b.measure(ctx, f, warm)
}

// measure fills in everything that takes time, the cold run first.
func (b *setting) measure(ctx context.Context, f *figures, warm int) error {
	busy, err := startBusy()
	if err != nil {
		return err
	}
	if !f.OnlyParts {
		if err := b.creations(ctx, f, warm); err != nil {
			return err
		}
	}
	tree, err := b.open(ctx)
	if err != nil {
		return err
	}
	f.Compiler = tree.kernel.Compiler
	if !f.OnlyParts {
		say("the same by kbuild alone")
		if f.Beside, err = b.beside(ctx, tree); err != nil {
			return err
		}
	}
	say("the parts that work on bytes")
	if f.Parts, err = tree.parts(ctx); err != nil {
		return err
	}
	f.Machine.Others, err = busy.others()
	return err
}

func say(what string) { fmt.Fprintln(os.Stderr, "bench:", what) }
