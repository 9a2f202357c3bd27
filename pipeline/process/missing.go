package process

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// MissingError says that a program is not installed, and which Debian package has it.
type MissingError struct {
	Program string
	Package string // empty: not known
	Root    string // the root that it was looked for in; empty: the machine's own
}

func (e *MissingError) Error() string {
	if e.Root != "" {
		return fmt.Sprintf("root %q: %s", e.Root, (&MissingError{Program: e.Program, Package: e.Package}).Error())
	}
	if strings.ContainsRune(e.Program, '/') {
		return fmt.Sprintf("program %q is not there, or not an executable file", e.Program)
	}
	if e.Package == "" {
		return fmt.Sprintf("program %q is not installed", e.Program)
	}
	return fmt.Sprintf("program %q is not installed (Debian package %s)", e.Program, e.Package)
}

// packages names the Debian 12 package of each program that livesplice or kbuild calls.
var packages = map[string]string{
	"apt-get":            "apt",
	"ar":                 "binutils",
	"as":                 "binutils",
	"awk":                "mawk",
	"bc":                 "bc",
	"bison":              "bison",
	"bzip2":              "bzip2",
	"cc":                 "gcc",
	"ccache":             "ccache",
	"cpio":               "cpio",
	"createrepo_c":       "createrepo-c",
	"debugfs":            "e2fsprogs",
	"depmod":             "kmod",
	"distcc":             "distcc",
	"distccd":            "distcc",
	"dpkg":               "dpkg",
	"dpkg-deb":           "dpkg",
	"file":               "file",
	"flex":               "flex",
	"env":                "coreutils",
	"g++":                "g++",
	"gcc":                "gcc",
	"git":                "git",
	"gzip":               "gzip",
	"icecc":              "icecc",
	"icecc-scheduler":    "icecc",
	"iceccd":             "icecc",
	"insmod":             "kmod",
	"ld":                 "binutils",
	"lintian":            "lintian",
	"lz4":                "lz4",
	"lzop":               "lzop",
	"make":               "make",
	"mke2fs":             "e2fsprogs",
	"mkfs.ext4":          "e2fsprogs",
	"mmdebstrap":         "mmdebstrap",
	"modinfo":            "kmod",
	"nm":                 "binutils",
	"objcopy":            "binutils",
	"objdump":            "binutils",
	"openssl":            "openssl",
	"pahole":             "dwarves",
	"patch":              "patch",
	"perl":               "perl",
	"python3":            "python3",
	"qemu-system-x86_64": "qemu-system-x86",
	"readelf":            "binutils",
	"rpm":                "rpm",
	"rpm2cpio":           "rpm2cpio",
	"rpmbuild":           "rpm",
	"rsync":              "rsync",
	"sed":                "sed",
	"strip":              "binutils",
	"tar":                "tar",
	"unshare":            "util-linux",
	"xz":                 "xz-utils",
	"zstd":               "zstd",
}

// versioned matches compilers whose package bears the program's own name: gcc-12, g++-14, clang-16, and
// x86_64-linux-gnu-gcc-14 of gcc-14.
var versioned = regexp.MustCompile(`^(?:[a-z0-9_]+-linux-gnu-)?((?:gcc|g\+\+|clang|lld)-[0-9]+)$`)

// Package is the Debian package that has the program, or "" when it is not known.
func Package(program string) string {
	name := filepath.Base(program)
	if m := versioned.FindStringSubmatch(name); m != nil {
		return m[1]
	}
	return packages[name]
}

// Look is the path of a program in the PATH of Env(). The error is *MissingError.
func Look(program string) (string, error) { return look(program, Env()) }

// LookAll asks for programs, in root unless that is nil. The error joins a *MissingError for each that is not there.
func LookAll(ctx context.Context, root *Root, programs []string) error {
	var errs []error
	if root == nil {
		for _, p := range programs {
			_, err := Look(p)
			errs = append(errs, err)
		}
		return errors.Join(errs...)
	}
	// In a root, links lead where only a process in it can follow: /usr/bin/awk to /etc/alternatives/awk.
	script := `for p; do command -v "$p" >/dev/null || echo "$p"; done`
	res, err := Run(ctx, Cmd{Path: "sh", Args: append([]string{"-c", script, "sh"}, programs...), Root: root})
	if err != nil {
		return err
	}
	for _, p := range strings.Fields(string(res.Stdout)) {
		errs = append(errs, &MissingError{Program: p, Package: Package(p), Root: root.Dir})
	}
	return errors.Join(errs...)
}

func look(program string, env []string) (string, error) {
	if program == "" {
		return "", fmt.Errorf("no program named")
	}
	if strings.ContainsRune(program, '/') {
		if !runnable(program) {
			return "", &MissingError{Program: program, Package: Package(program)}
		}
		return program, nil
	}
	var path string
	for _, kv := range env {
		if v, ok := strings.CutPrefix(kv, "PATH="); ok {
			path = v
		}
	}
	for _, dir := range filepath.SplitList(path) {
		if p := filepath.Join(dir, program); filepath.IsAbs(p) && runnable(p) {
			return p, nil
		}
	}
	return "", &MissingError{Program: program, Package: Package(program)}
}

func runnable(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.Mode()&fs.ModeType == 0 && st.Mode().Perm()&0o111 != 0
}
