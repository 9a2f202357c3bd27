package rebuild

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"livesplice/pipeline/cache"
	"livesplice/pipeline/process"
	"livesplice/pipeline/source"
	"livesplice/pkgfmt"
)

const wantBuild = "a finished kernel build: the folder in which make ran, or its O= folder"

// FindSource says where the source of a finished kernel build is, by absolute paths free of symbolic links: in the same folder,
// or where the O= folder's link `source` or its Makefile leads. Errors: *pkgfmt.InputError.
//
// Source: target outputmakefile, Makefile, v5.10 to v7.0.
func FindSource(dir string) (object, src string, err error) {
	fail := func(got string, err error) (string, string, error) {
		return "", "", &pkgfmt.InputError{Path: dir, Want: wantBuild, Got: got, Err: err}
	}
	object, err = filepath.Abs(dir)
	if err == nil {
		object, err = filepath.EvalSymlinks(object)
	}
	if err != nil {
		return fail("", err)
	}
	if _, err := os.Stat(filepath.Join(object, dotConfig)); err != nil {
		return fail("a folder without a .config", nil)
	}
	if isFile(filepath.Join(object, "Kbuild")) && isFile(filepath.Join(object, "scripts/Makefile.build")) {
		return object, object, nil
	}
	if src, err = filepath.EvalSymlinks(filepath.Join(object, "source")); err == nil {
		return object, src, nil
	}
	text, err := os.ReadFile(filepath.Join(object, "Makefile"))
	if err != nil {
		return fail("a folder without a link `source` or a Makefile to its source", nil)
	}
	m := includedMakefile.FindSubmatch(text)
	if m == nil {
		return fail("a folder whose Makefile does not say where its source is", nil)
	}
	if src, err = filepath.EvalSymlinks(absolute(string(m[1]), object)); err != nil {
		return fail("a build whose source is gone", err)
	}
	return object, src, nil
}

// includedMakefile matches the line of an O= folder's Makefile that has the source folder.
var includedMakefile = regexp.MustCompile(`(?m)^include (\S+)/Makefile$`)

// OpenBuild takes a finished build of the shipped kernel k: no make runs, and nothing is ever written to it or to its source.
// That it is a build of this kernel show its release, its .config, its compiler and, if its vmlinux is there, the build-id; that
// its objects are those of the kernel shows matching.
//
// Errors: *pkgfmt.InputError for a folder that is no finished build, or one that was cleaned; *pkgfmt.MismatchError,
// *CompilerError; *process.MissingError.
func OpenBuild(ctx context.Context, c *cache.Cache, src *source.Tree, object string, k *pkgfmt.Kernel, opts Options) (*Tree, error) {
	config, err := checkBuild(object, src, k)
	if err != nil {
		return nil, err
	}
	root, err := openRoot(ctx, opts.Root, c.Root(), src.Dir, object)
	if err != nil {
		return nil, err
	}
	if err := process.LookAll(ctx, root, []string{"make", "ld", "as"}); err != nil {
		return nil, err
	}
	t := &Tree{Source: src.Dir, Object: object, kernel: src.Dir, cache: c, root: root, jobs: opts.Jobs}
	if t.jobs <= 0 {
		t.jobs = runtime.NumCPU()
	}
	b := &build{Tree: t, finished: finished{dir: object, was: object}, want: config.compilerText(), given: opts.CC != "",
		stats: map[string]fileStat{}, checked: map[string]error{}}
	t.units = b
	if b.users, err = openUsers(ctx, c, b.finished, src.Dir, t.jobs); err != nil {
		return nil, err
	}
	if opts.CC != "" {
		t.CC, err = findCompiler(ctx, root, config, opts.CC)
	} else {
		t.CC, err = b.recordedCompiler(ctx)
	}
	if err != nil {
		return nil, err
	}
	rust, err := rustVars(ctx, c, config)
	if err != nil {
		return nil, err
	}
	t.vars = append([]string{"ARCH=" + config.arch, "CC=" + t.CC, "HOSTCC=" + t.CC, "KERNELRELEASE=" + k.Release}, rust...)
	t.vars = append(t.vars, versionVars(t.CC, config)...)
	t.Key = shortHash(layout, "build", object, src.Dir, t.CC, b.want, k.Release)
	return t, nil
}

// checkBuild compares a finished build with the shipped kernel, as far as it goes without its objects.
func checkBuild(object string, src *source.Tree, k *pkgfmt.Kernel) (*shippedConfig, error) {
	path := filepath.Join(object, dotConfig)
	config, err := readConfig(path, path)
	if err != nil {
		return nil, err
	}
	if err := config.checkGCC(); err != nil {
		return nil, err
	}
	if err := checkLeft(object, config); err != nil {
		return nil, err
	}
	release, err := os.ReadFile(filepath.Join(object, utsRelease))
	if err != nil {
		return nil, err
	}
	if m := definedRelease.FindSubmatch(release); m == nil || string(m[1]) != k.Release {
		got := "a file without UTS_RELEASE"
		if m != nil {
			got = "a build of release " + string(m[1])
		}
		return nil, &pkgfmt.MismatchError{Path: filepath.Join(object, utsRelease), Got: got, Want: "release " + k.Release + ", that of the shipped image"}
	}
	if err := sameConfig(config, k); err != nil {
		return nil, err
	}
	if err := checkAutoconf(config, filepath.Join(object, autoconf), filepath.Join(object, autoconf)); err != nil {
		return nil, err
	}
	if config.version != "" && config.version != src.Version.String() {
		return nil, &pkgfmt.MismatchError{Path: src.Origin, Got: "source of Linux " + src.Version.String(), Want: fmt.Sprintf("Linux %s as of %s", config.version, path)}
	}
	return config, sameBuildID(object, k)
}

// utsRelease has the release as vmlinux has it. include/config/kernel.release need not: a KERNELRELEASE given to make (Debian) is not
// in it.
const utsRelease = "include/generated/utsrelease.h"

var definedRelease = regexp.MustCompile(`(?m)^#define UTS_RELEASE "([^"]*)"$`)

// checkLeft looks for what a build leaves and `make clean` or `make mrproper` takes away.
func checkLeft(object string, config *shippedConfig) error {
	want := []string{utsRelease, autoconf, "scripts/basic/fixdep", "scripts/mod/modpost", "scripts/module.lds", "Module.symvers", "modules.order"}
	if config.Enabled("OBJTOOL") || config.Enabled("STACK_VALIDATION") {
		want = append(want, "tools/objtool/objtool")
	}
	var gone []string
	for _, w := range want {
		if !isFile(filepath.Join(object, w)) {
			gone = append(gone, w)
		}
	}
	if len(gone) > 0 {
		return &pkgfmt.InputError{Path: object, Want: wantBuild, Got: "one without " + strings.Join(gone, ", ") + ": not finished, or cleaned since"}
	}
	return nil
}

// sameConfig compares the .config of a build with the shipped one.
func sameConfig(config *shippedConfig, k *pkgfmt.Kernel) error {
	want, err := readOptions(k.Config, dotConfigLine)
	if err != nil {
		return &pkgfmt.InputError{Path: k.Origin(k.Config), Want: "the configuration of the shipped kernel", Err: err}
	}
	got, err := readOptions(config.path, dotConfigLine)
	if err != nil {
		return &pkgfmt.InputError{Path: config.origin, Want: "the configuration of a kernel build", Err: err}
	}
	diffs := diffOptions(want, got)
	if len(diffs) == 0 {
		return nil
	}
	wants, gots := assignments(diffs, want, got)
	return &pkgfmt.MismatchError{Path: config.origin, Got: "one with " + gots, Want: wants + " as of " + k.Origin(k.Config)}
}

// sameBuildID compares a build's vmlinux, if it is there, with the shipped image.
func sameBuildID(object string, k *pkgfmt.Kernel) error {
	path := filepath.Join(object, "vmlinux")
	id, err := pkgfmt.BuildID(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if !bytes.Equal(id, k.BuildID) {
		return &pkgfmt.MismatchError{Path: path, Got: "build-id " + id.String(),
			Want: "build-id " + k.BuildID.String() + ", that of the shipped image " + k.Origin(k.Vmlinuz) + ": the tree was built again since the image was made, or it is of another kernel"}
	}
	return nil
}

// recordedCompiler is the compiler of the build's first unit. It is the one that the .config names.
func (b *build) recordedCompiler(ctx context.Context) (string, error) {
	i := slices.IndexFunc(b.users.Targets, func(t target) bool { return t.Kind == BuiltIn && path.Ext(t.Source) == ".c" })
	if i < 0 {
		return "", &pkgfmt.InputError{Path: b.Object, Want: wantBuild, Got: "one in which no unit of vmlinux was compiled"}
	}
	r, _, err := b.command(b.users.Targets[i].Name)
	if err != nil {
		return "", err
	}
	words, err := b.compiler(ctx, r.Command.Words)
	if err != nil {
		return "", err
	}
	return words[slices.IndexFunc(words, func(w string) bool { return strings.HasPrefix(w, "-") })-1], nil
}

func isFile(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.Mode().IsRegular()
}
