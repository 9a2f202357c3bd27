package process

import (
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
}

func (e *MissingError) Error() string {
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
	"cpio":               "cpio",
	"createrepo_c":       "createrepo-c",
	"debugfs":            "e2fsprogs",
	"depmod":             "kmod",
	"dpkg":               "dpkg",
	"dpkg-deb":           "dpkg",
	"file":               "file",
	"flex":               "flex",
	"g++":                "g++",
	"gcc":                "gcc",
	"git":                "git",
	"gzip":               "gzip",
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
	"xz":                 "xz-utils",
	"zstd":               "zstd",
}

// versioned matches compilers whose package bears the program's own name: gcc-12, g++-14, clang-16.
var versioned = regexp.MustCompile(`^(gcc|g\+\+|clang|lld)-[0-9]+$`)

// Package is the Debian package that has the program, or "" when it is not known.
func Package(program string) string {
	name := filepath.Base(program)
	if versioned.MatchString(name) {
		return name
	}
	return packages[name]
}

// Look is the path of a program in the PATH of Env(). The error is *MissingError.
func Look(program string) (string, error) { return look(program, Env()) }

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
