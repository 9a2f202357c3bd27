package archive

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"livesplice/pipeline/process"
)

// buildTools are the packages, beside the compiler, that building parts of a kernel takes; apt adds what they depend on.
var buildTools = []string{"base-files", "bash", "bc", "binutils", "bison", "coreutils", "dash", "diffutils", "findutils", "flex", "grep", "gzip",
	"libc6-dev", "libelf-dev", "libssl-dev", "make", "mawk", "openssl", "perl-base", "python3-minimal", "sed", "tar", "xz-utils"}

// pahole is the package of that program; Debian 11 has it in dwarves.
var paholePackages = []string{"pahole", "dwarves"}

// compilerRE matches the compiler among what headers depend on: gcc-14, or gcc-16-for-host.
var compilerRE = regexp.MustCompile(`\bgcc-[0-9]+(?:-for-host)?\b`)

// ToolchainRoot makes the root that --toolchain-root takes for a kernel: the compiler that its headers depend on and what
// else the kernel's build needs, of the suite that the kernel is from. The packages are unpacked and never configured,
// which needs no privileges. It is made once for each set of versions.
func (k Kernel) ToolchainRoot(ctx context.Context) (string, error) {
	compiler := compilerRE.FindString(k.headers.Depends)
	if k.archive == nil || compiler == "" {
		return "", fmt.Errorf("kernel %s: its headers name no compiler among %q", k.Release, k.headers.Depends)
	}
	names := append([]string{compiler}, buildTools...)
	pkgs, err := k.archive.show(ctx, names...)
	if err != nil {
		return "", err
	}
	for i, name := range paholePackages {
		found, err := k.archive.show(ctx, name)
		if err == nil {
			names, pkgs = append(names, name), append(pkgs, found...)
			break
		}
		if i == len(paholePackages)-1 {
			return "", err
		}
	}
	h := sha256.New()
	for _, p := range pkgs {
		fmt.Fprintf(h, "%s %s %s\n", p.Name, p.Version, p.SHA256)
	}
	return k.archive.cache.Dir(ctx, "root", k.archive.suite+"-"+hex.EncodeToString(h.Sum(nil))[:24], func(ctx context.Context, dir string) error {
		return k.archive.unpack(ctx, dir, names)
	})
}

// unpack downloads packages with all that they depend on and unpacks them.
func (a *Archive) unpack(ctx context.Context, dir string, names []string) error {
	scratch, err := a.cache.Scratch("debs")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	if err := os.Mkdir(filepath.Join(scratch, "partial"), 0o755); err != nil {
		return err
	}
	lists, err := a.lists(ctx, time.Now())
	if err != nil {
		return err
	}
	args := []string{"install", "--yes", "--no-install-recommends", "--download-only", "-o", "Dir::Cache::archives=" + scratch,
		"-o", "Debug::NoLocking=true"}
	if _, err := apt(ctx, lists, "", "apt-get", append(args, names...)...); err != nil {
		return fmt.Errorf("apt-get install --download-only: %w", err)
	}
	debs, err := filepath.Glob(filepath.Join(scratch, "*.deb"))
	if err != nil {
		return err
	}
	// base-files has /bin, /lib and their like, which are links: they must be there before anything is put into them.
	first := slices.IndexFunc(debs, func(d string) bool { return strings.HasPrefix(filepath.Base(d), "base-files_") })
	if first < 0 {
		return errors.New("apt-get install --download-only: base-files is not among the packages")
	}
	if err := extract(ctx, debs[first], dir); err != nil {
		return err
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(2)
	for _, d := range debs {
		g.Go(func() error { return extract(gctx, d, dir) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	// update-alternatives would have made this link.
	return os.Symlink("mawk", filepath.Join(dir, "usr/bin/awk"))
}

func extract(ctx context.Context, deb, dir string) error {
	_, err := process.Run(ctx, process.Cmd{Path: "dpkg-deb", Args: []string{"--extract", deb, dir}})
	return err
}
