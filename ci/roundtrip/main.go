// Roundtrip reads every module of a shipped kernel with the object model, writes it back, and holds what came out against
// what went in: sections, contents, symbols and relocations, by package debug/elf for all and by readelf for a sample. It
// also compares each module with itself, which must find no change. It ends with 1 if anything differs.
//
// The kernel is the newest of the Debian archive's 6.1, or the packages that are named:
//
//	go run ./ci/roundtrip [-series 6.12] [PACKAGE...]
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"livesplice/ci/archive"
	"livesplice/pipeline/cache"
	"livesplice/pkgfmt"
)

func main() {
	series := flag.String("series", "6.1", "kernel `series` of the archive, of which the newest is taken")
	every := flag.Int("readelf", 100, "hold one `module` of so many against readelf too; 1 for all")
	flag.Parse()
	if *every < 1 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	c, err := run(ctx, *series, *every, flag.Args())
	stop()
	if c != nil {
		fmt.Print(c)
	}
	if err == nil && len(c.findings) > 0 {
		err = fmt.Errorf("%d findings", len(c.findings))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "roundtrip:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, series string, every int, packages []string) (*check, error) {
	if len(packages) == 0 {
		kernels, err := archive.Kernels(ctx, series)
		if err != nil {
			return nil, err
		}
		files, err := kernels[len(kernels)-1].Fetch(ctx)
		if err != nil {
			return nil, err
		}
		packages = []string{files.Image}
	}
	c, err := cache.Open("")
	if err != nil {
		return nil, err
	}
	k, err := pkgfmt.OpenImage(ctx, c, packages)
	if err != nil {
		return nil, err
	}
	return roundTrips(ctx, k, every)
}
