// Adversary goes on breaking livesplice: hostile patches are drawn by a seed, each update that livesplice makes of them runs in a
// VM, and what it does there is compared with a kernel that was built from the patched source:
//
//	go run ./ci/adversary -updates 500 -minutes 60 -state dist/adversary -doc docs/adversary.md
//	go run ./ci/adversary -replay 1/0/u003
//
// It may be stopped and started again: it goes on where it was. docs/adversary.md says how it works.
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
	"slices"
	"strings"
	"syscall"
	"time"

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
	seed    uint64
	updates int
	minutes int
	units   int
	jobs    int
	state   string
	doc     string
	replay  string
	kinds   []kind

	livesplice, splicectl string // the programs

	log io.Writer
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o := options{log: stderr, kinds: kinds}
	fs := flag.NewFlagSet("adversary", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.Uint64Var(&o.seed, "seed", 1, "the first seed; the next one follows when its patches are used up")
	fs.IntVar(&o.updates, "updates", 500, "how many updates to compare with their reference")
	fs.IntVar(&o.minutes, "minutes", 0, "begin no batch after so many minutes, 0: none is too late")
	fs.IntVar(&o.units, "units", 0, "units of a scaffold, and patches of a batch (default: one for each kind)")
	batches := fs.Int("batches", 10, "batches of a seed")
	fs.IntVar(&o.jobs, "j", 2, "updates made at the same time")
	fs.StringVar(&o.state, "state", "dist/adversary", "folder for kernels and results")
	fs.StringVar(&o.doc, "doc", "", "file whose table is to be replaced (default: none)")
	fs.StringVar(&o.replay, "replay", "", "SEED/BATCH/UNIT: do this one again, and show all of it (default: none)")
	programs := fs.String("programs", "", "folder with livesplice and splicectl (default: built from this source)")
	only := fs.String("kinds", "", "names of kinds, with commas between (default: all)")
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	if err := o.choose(*only); err != nil || fs.NArg() > 0 {
		fmt.Fprintf(stderr, "adversary: arguments %q: %v\n", fs.Args(), err)
		return 2
	}
	wrong, err := o.run(ctx, *programs, *batches, stdout)
	if err != nil {
		fmt.Fprintln(stderr, "adversary:", err)
		return 1
	}
	if wrong {
		return 4
	}
	return 0
}

// choose takes the kinds that are named.
func (o *options) choose(names string) error {
	if names != "" {
		wanted := strings.Split(names, ",")
		o.kinds = slices.DeleteFunc(slices.Clone(kinds), func(k kind) bool { return !slices.Contains(wanted, k.name) })
		if len(o.kinds) != len(wanted) {
			return fmt.Errorf("kinds %q: %d of them exist", names, len(o.kinds))
		}
	}
	if o.units == 0 {
		o.units = len(o.kinds)
	}
	return nil
}

// run runs campaigns until there are enough updates or the time is over, and prints the yield.
func (o *options) run(ctx context.Context, programs string, batches int, stdout io.Writer) (wrong bool, err error) {
	if o.state, err = filepath.Abs(o.state); err != nil {
		return false, err
	}
	if err := os.MkdirAll(o.state, 0o755); err != nil {
		return false, err
	}
	build := programs == ""
	if build {
		programs = o.state
	}
	o.livesplice, o.splicectl = filepath.Join(programs, "livesplice"), filepath.Join(programs, "splicectl")
	if build {
		if err := errors.Join(program.Build(ctx, o.livesplice, o.log), program.BuildHost(ctx, o.splicectl, o.log)); err != nil {
			return false, err
		}
	}
	if o.replay != "" {
		return o.again(ctx, stdout)
	}
	var y yield
	start, compared := time.Now(), 0
	over := func() bool { return o.minutes > 0 && time.Since(start) > time.Duration(o.minutes)*time.Minute }
	for seed := o.seed; compared < o.updates && !over(); seed++ {
		c, err := openCampaign(ctx, o, seed)
		if err != nil {
			return false, err
		}
		for n := 0; n < batches && compared < o.updates && !over() && err == nil; n++ {
			var all []result
			all, err = c.run(ctx, n)
			y.results = append(y.results, all...)
			for _, r := range all {
				if r.Compared {
					compared++
				}
			}
		}
		c.close()
		if err != nil {
			return false, err
		}
	}
	return o.report(&y, time.Since(start), stdout)
}

// report prints the yield, and puts it into the document.
func (o *options) report(y *yield, took time.Duration, stdout io.Writer) (wrong bool, err error) {
	text := y.table()
	fmt.Fprint(stdout, text)
	bad := y.wrong()
	for _, r := range bad {
		fmt.Fprintf(stdout, "%d/%d/%s %s: %s %s\n", r.Seed, r.Batch, r.Unit, strings.Join(r.Kinds, " + "), r.Outcome, strings.Join(r.Differences, "; "))
	}
	if o.doc != "" {
		head := fmt.Sprintf("%s, from seed %d on, %d minutes:\n\n", time.Now().UTC().Format(time.DateOnly), o.seed, int(took.Minutes()))
		err = replaceTable(o.doc, head+"```\n"+text+"```\n")
	}
	return len(bad) > 0, err
}
