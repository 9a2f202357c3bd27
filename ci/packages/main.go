// Packages builds splicectl and writes its packages, a .deb and an .rpm:
//
//	go run ./ci/packages -out dist
//
// The times in them are SOURCE_DATE_EPOCH's or the last commit's, so that the
// same commit gives the same bytes.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"livesplice/pkgfmt"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	fs := flag.NewFlagSet("packages", flag.ContinueOnError)
	fs.SetOutput(stderr)
	out := fs.String("out", "dist", "folder for the packages")
	version := fs.String("version", "0.1.0", "version of splicectl")
	arch := fs.String("arch", "amd64", "architecture, as Go names it")
	maintainer := fs.String("maintainer", pkgfmt.Maintainer(), "maintainer of the packages; from DEBFULLNAME and DEBEMAIL where both are set")
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	if fs.NArg() > 0 {
		fmt.Fprintf(stderr, "packages: unexpected argument %q\n", fs.Arg(0))
		return 2
	}
	spec := pkgfmt.HostSpec{Version: *version, Arch: *arch, Maintainer: *maintainer}
	if err := emit(ctx, spec, *out, stdout, stderr); err != nil {
		fmt.Fprintln(stderr, "packages:", err)
		return 1
	}
	return 0
}

// emit builds the program and writes both packages, whose paths it prints.
func emit(ctx context.Context, spec pkgfmt.HostSpec, out string, stdout, stderr io.Writer) error {
	var err error
	if spec.MTime, err = sourceDate(ctx); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "livesplice-packages-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	spec.Program = filepath.Join(dir, "splicectl")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false",
		"-ldflags", "-s -w -buildid= -X main.version="+spec.Version, "-o", spec.Program, "livesplice/cmd/splicectl")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+spec.Arch)
	build.Stdout, build.Stderr = stderr, stderr
	if err := build.Run(); err != nil {
		return fmt.Errorf("building splicectl: %w", err)
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	for _, format := range []pkgfmt.Format{pkgfmt.FormatDeb, pkgfmt.FormatRPM} {
		path, err := pkgfmt.EmitHost(ctx, spec, format, out)
		if err != nil {
			return err
		}
		fmt.Fprintln(stdout, path)
	}
	return nil
}

// sourceDate is the time of everything in the packages.
func sourceDate(ctx context.Context) (time.Time, error) {
	if t, err := pkgfmt.SourceDateEpoch(time.Time{}); err != nil || !t.IsZero() {
		return t, err
	}
	log, err := exec.CommandContext(ctx, "git", "log", "-1", "--format=%ct").Output()
	if err != nil {
		return time.Time{}, fmt.Errorf("the time for the packages: neither SOURCE_DATE_EPOCH is set nor does git tell the last commit's: %w", err)
	}
	seconds, err := strconv.ParseInt(strings.TrimSpace(string(log)), 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("git log: %q: expected seconds since 1970", log)
	}
	return time.Unix(seconds, 0).UTC(), nil
}
