package source

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"livesplice/pipeline/process"
	"livesplice/pkgfmt"
)

// unpackSourceRPM moves the kernel's source in a source rpm to dir/linux. How tar and patches become the source as built only
// the spec file knows: rpmbuild runs its %prep, without asking for the packages that a build takes. The user trusts it as
// whoever builds that rpm does.
func unpackSourceRPM(ctx context.Context, path string, _ kind, dir string) error {
	work := filepath.Join(dir, "rpm")
	if err := os.MkdirAll(filepath.Join(work, "tmp"), 0o755); err != nil {
		return err
	}
	args := []string{"-rp", "--nodeps"}
	for _, d := range []string{"_topdir " + work, "_tmppath " + work + "/tmp", "_dbpath " + work + "/db"} {
		args = append(args, "--define", d)
	}
	_, err := process.Run(ctx, process.Cmd{Path: "rpmbuild", Args: append(args, path), Env: process.Env("HOME=" + work)})
	if err != nil {
		return prepError(ctx, path, err)
	}
	found, err := sourcesBelow(filepath.Join(work, "BUILD"))
	if err != nil {
		return err
	}
	if len(found) != 1 {
		got := "a source rpm without a kernel's source in it"
		if len(found) > 1 {
			got = "a source rpm with several: " + strings.Join(found, ", ")
		}
		return &pkgfmt.InputError{Path: path, Want: want, Got: got}
	}
	// The %prep of `make rpm-pkg` puts the configuration there, others run olddefconfig.
	for _, made := range append([]string{"include/generated"}, madeByKbuild...) {
		if err := os.RemoveAll(filepath.Join(work, "BUILD", found[0], made)); err != nil {
			return err
		}
	}
	if err := os.Rename(filepath.Join(work, "BUILD", found[0]), filepath.Join(dir, "linux")); err != nil {
		return err
	}
	return os.RemoveAll(work)
}

// sourcesBelow are the folders of kernel source below a build folder, relative to it. RHEL 8 keeps the source without patches
// beside, as vanilla-<version>.
func sourcesBelow(build string) (found []string, err error) {
	const depth = 4 // BUILD/kernel-<version>-build/kernel-<version>/linux-<version>, by rpm 4.20
	err = filepath.WalkDir(build, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(build, path)
		switch {
		case err != nil:
			return err
		case !d.IsDir():
			return nil
		case strings.HasPrefix(d.Name(), "vanilla-"):
			return fs.SkipDir
		case isSource(path):
			found = append(found, rel)
			return fs.SkipDir
		case strings.Count(rel, "/") >= depth:
			return fs.SkipDir
		}
		return nil
	})
	return found, err
}

// prepError tells a %prep that cannot run here from a machine's fault.
func prepError(ctx context.Context, path string, err error) error {
	var exit *process.ExitError
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case !isError(err, &exit) || strings.Contains(string(exit.Stderr), "No space left"):
		return err
	}
	return &pkgfmt.InputError{Path: path, Want: "a source rpm whose %prep runs here, or the folder that rpmbuild -bp makes of it elsewhere",
		Err: errors.New(prepReason(string(exit.Stderr)))}
}

// prepReason is the line in which rpmbuild, or the last command of a %prep that it ran, says why it ended.
func prepReason(stderr string) string {
	last := "rpmbuild does not say why it failed"
	for line := range strings.Lines(stderr) {
		line = strings.TrimSpace(line)
		failed, isError := strings.CutPrefix(line, "error: ")
		switch {
		case isError && strings.HasPrefix(failed, "Bad exit status"):
			return last
		case isError:
			return failed
		case line != "" && !strings.HasPrefix(line, "+"): // the shell's trace
			last = line
		}
	}
	return last
}
