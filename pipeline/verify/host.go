package verify

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"livesplice/kconfig"
	"livesplice/pipeline/process"
	"livesplice/pkgfmt"
)

// hostPatterns are the files of splicectl's packages.
var hostPatterns = map[pkgfmt.Format]string{pkgfmt.FormatDeb: "splicectl_*_amd64.deb", pkgfmt.FormatRPM: "splicectl-*.x86_64.rpm"}

// hostPackage is the package of splicectl, which every update depends on: the one that was named, else one beside the
// update's package, beside livesplice itself or in a folder dist there. Without any it is made: from a program splicectl
// beside livesplice or in PATH, or from the source that livesplice was built from, where that is still there.
func hostPackage(ctx context.Context, o Options, format pkgfmt.Format, scratch string) (string, error) {
	if o.Host != "" {
		return named(o.Host, format)
	}
	folders := []string{filepath.Dir(o.Package)}
	own := ""
	if exe, err := os.Executable(); err == nil {
		own = filepath.Dir(exe)
		folders = append(folders, own, filepath.Join(own, "dist"))
	}
	for _, dir := range folders {
		found, err := filepath.Glob(filepath.Join(dir, hostPatterns[format]))
		if err != nil || len(found) == 0 {
			continue
		}
		if len(found) > 1 {
			return "", &kconfig.UsageError{Thing: "package of splicectl", Reason: fmt.Sprintf("there are several: %s; name one by --host", strings.Join(found, ", "))}
		}
		return named(found[0], format)
	}
	program, err := hostProgram(ctx, own, scratch)
	if err != nil {
		return "", err
	}
	spec := pkgfmt.HostSpec{Program: program, Version: "0", Arch: "amd64", Maintainer: pkgfmt.DefaultMaintainer, MTime: time.Unix(1, 0)}
	return pkgfmt.EmitHost(ctx, spec, format, scratch)
}

// named makes sure that a package is what it is taken for.
func named(path string, format pkgfmt.Format) (string, error) {
	p, err := pkgfmt.Open(path)
	if err != nil {
		return "", err
	}
	if p.Name != "splicectl" || p.Format != format {
		return "", &pkgfmt.InputError{Path: path, Want: fmt.Sprintf("the %s of splicectl", format), Got: fmt.Sprintf("the %s of %s", p.Format, p.Name)}
	}
	return path, nil
}

// hostProgram is a statically linked splicectl.
func hostProgram(ctx context.Context, own, scratch string) (string, error) {
	if p := filepath.Join(own, "splicectl"); own != "" && regular(p) {
		return p, nil
	}
	if p, err := process.Look("splicectl"); err == nil {
		return p, nil
	}
	source := sourceFolder()
	if !regular(filepath.Join(source, "cmd", "splicectl", "main.go")) {
		return "", &kconfig.UsageError{Thing: "package of splicectl", Reason: "neither it nor the program is beside livesplice; name the package by --host"}
	}
	program := filepath.Join(scratch, "splicectl")
	_, err := process.Run(ctx, process.Cmd{Path: "go", Args: []string{"build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", program, "./cmd/splicectl"},
		Dir: source, Env: append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")})
	var missing *process.MissingError
	if errors.As(err, &missing) {
		return "", &kconfig.UsageError{Thing: "package of splicectl", Reason: "it is not beside livesplice, and without Go it cannot be built; name the package by --host"}
	}
	return program, err
}

// sourceFolder is the folder of this module's source, as the compiler saw it; with -trimpath it is none that exists.
func sourceFolder() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..")
}

func regular(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.Mode().IsRegular()
}
