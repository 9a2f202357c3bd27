// Matrix shows on kernels of the Debian archive that many fixes for many kernels come to the same bytes however often the
// run is killed: it draws fixes of one file each from the changes between source versions, makes them for each kernel in
// one run of livesplice matrix, and once more in a run that is killed at moments by chance and started again.
//
//	go run ./ci/matrix -fixes 100 -kernels 6.1.176-1,6.1.190-1 -new 6.1.192-2 -out matrix
//
// It ends with 1 if a byte differs. Drawing goes on where it was stopped.
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
	"strings"
	"syscall"
	"time"

	"livesplice/ci/archive"
	"livesplice/ci/program"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// options are the flags.
type options struct {
	series, kernels, new string
	fixes, kills         int
	seed                 uint64
	names                string // a file with names of source files
	out                  string
	log                  io.Writer
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o := options{log: stderr}
	fs := flag.NewFlagSet("matrix", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.StringVar(&o.series, "series", "6.1", "series of the kernels")
	fs.StringVar(&o.kernels, "kernels", "", "versions of the kernels, separated by commas (default: the oldest in the archive and the last but one)")
	fs.StringVar(&o.new, "new", "", "version whose source the fixes are taken from (default: the newest in the archive)")
	fs.IntVar(&o.fixes, "fixes", 100, "how many fixes")
	fs.IntVar(&o.kills, "kills", 3, "how often the second run is killed")
	fs.Uint64Var(&o.seed, "seed", 1, "seed of what is drawn, and of the moments")
	fs.StringVar(&o.names, "files", "", "file with names of source files, a line each, to take in this order (default: they are drawn, until so many can be spliced)")
	fs.StringVar(&o.out, "out", "matrix", "folder for everything, the cache among it; 6 GB for two kernels")
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	if fs.NArg() > 0 || o.fixes < 1 || o.kills < 1 {
		fmt.Fprintf(stderr, "matrix: arguments %q, -fixes %d, -kills %d: want flags only, and numbers from 1 on\n", fs.Args(), o.fixes, o.kills)
		return 2
	}
	if err := o.run(ctx, stdout); err != nil {
		fmt.Fprintln(stderr, "matrix:", err)
		return 1
	}
	return 0
}

func (o *options) run(ctx context.Context, stdout io.Writer) error {
	out, err := filepath.Abs(o.out)
	if err != nil {
		return err
	}
	w := &work{dir: out, program: filepath.Join(out, "livesplice"), cache: filepath.Join(out, "cache"), log: o.log}
	if err := os.MkdirAll(w.dir, 0o755); err != nil {
		return err
	}
	kernels, later, err := o.fetch(ctx)
	if err != nil {
		return err
	}
	if err := program.Build(ctx, w.program, o.log); err != nil {
		return err
	}
	d := &draw{work: w, kernels: kernels, later: later}
	fixes, err := d.fixes(ctx, o.fixes, o.seed, o.names)
	if err != nil {
		return err
	}
	for name, some := range map[string][]fix{all: fixes, first: fixes[:1]} {
		if err := os.WriteFile(filepath.Join(w.dir, name), []byte(manifest(kernels, some)), 0o644); err != nil {
			return err
		}
	}
	r, err := w.compare(ctx, o.kills, o.seed)
	if err != nil {
		return err
	}
	r.date, r.seed, r.kernels, r.later, r.fixes = time.Now().UTC().Format(time.DateOnly), o.seed, kernels, later.Version, len(fixes)
	fmt.Fprint(stdout, r.table())
	return r.err()
}

// kernel is a kernel of the archive with its files.
type kernel struct {
	archive.Kernel
	files archive.Files
}

// fetch downloads the kernels, and the source of the later one.
func (o *options) fetch(ctx context.Context) ([]kernel, kernel, error) {
	all, err := archive.Kernels(ctx, o.series)
	if err != nil {
		return nil, kernel{}, err
	}
	before, after, err := choose(all, o.kernels, o.new)
	if err != nil {
		return nil, kernel{}, err
	}
	var kernels []kernel
	for _, k := range append(before, after) {
		files, err := k.Fetch(ctx)
		if err != nil {
			return nil, kernel{}, err
		}
		kernels = append(kernels, kernel{k, files})
	}
	last := len(kernels) - 1
	return kernels[:last], kernels[last], nil
}

// choose finds the kernels of the versions among all, which are sorted; versions that are empty are chosen.
func choose(all []archive.Kernel, versions, later string) (before []archive.Kernel, after archive.Kernel, err error) {
	find := func(version string) (archive.Kernel, error) {
		var have []string
		for _, k := range all {
			if k.Version == version {
				return k, nil
			}
			have = append(have, k.Version)
		}
		return archive.Kernel{}, fmt.Errorf("version %q: the archive has %q", version, have)
	}
	if later == "" && len(all) > 0 {
		later = all[len(all)-1].Version
	}
	if versions == "" && len(all) > 2 {
		versions = all[0].Version + "," + all[len(all)-2].Version
	}
	if after, err = find(later); err != nil {
		return nil, after, err
	}
	for v := range strings.SplitSeq(versions, ",") {
		k, err := find(v)
		if err != nil {
			return nil, after, err
		}
		if v == later {
			return nil, after, fmt.Errorf("version %q: it cannot be updated to itself", v)
		}
		before = append(before, k)
	}
	return before, after, nil
}
