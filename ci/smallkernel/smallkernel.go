// Package smallkernel builds a small, real kernel from the archive's source, with everything that livepatch and the VM
// harness need: a finished build tree with its packages, as a packager's build leaves them.
//
// It is Debian 12's newest 6.1, configured by the file config, compiled by gcc-12 with O=; BuildSuite takes the source of another
// release. It is built once and kept in the cache, by source, configuration and tools. Building it takes what ci/setup installs.
package smallkernel

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"livesplice/ci/archive"
	"livesplice/pipeline/cache"
	"livesplice/pipeline/process"
	"livesplice/pipeline/source"
)

// Kernel is the small kernel, built. All of it is shared: to be read only.
type Kernel struct {
	Release string // `uname -r`: "6.1.192-small"
	Source  string // the source folder, unpacked from linux-source-6.1
	Object  string // the O= folder after `make`: vmlinux, objects, .cmd files, modules.order; nobody has cleaned up
	Config  string // the fragment that it is configured by

	Unpacked string // the source folder as it was before any build; Source, unless the build was in place

	Image   string // linux-image .deb, made by `make bindeb-pkg`
	Headers string // linux-headers .deb
	RPM     string // kernel .rpm, made by `make binrpm-pkg` of the same tree: the same vmlinux; "": not made
}

// recipe is part of the key of what is kept: it changes with what this package makes.
const recipe = "smallkernel 1"

const (
	series   = "6.1"
	compiler = "gcc-12"
)

//go:embed config
var config []byte

// debug is what BuildDebug adds.
const debug = `
CONFIG_DEBUG_KERNEL=y
CONFIG_DEBUG_INFO_DWARF4=y
`

// renamed are names of options since 6.9, CONFIG_BASIC_MODVERSIONS since 6.14 (without it no module has a CRC), and what Debian has of
// newer kernels besides.
const renamed = `
CONFIG_BASIC_MODVERSIONS=y
CONFIG_MITIGATION_RETPOLINE=y
CONFIG_MITIGATION_RETHUNK=y
CONFIG_X86_KERNEL_IBT=y
CONFIG_UBSAN=y
CONFIG_UBSAN_BOUNDS=y
`

// BuildVars are make's variables of each build in the tree: the same ones give the same vmlinux, so that no packaging links
// it anew with another time or number.
//
// Source: Documentation/kbuild/reproducible-builds.rst, v6.1.
func BuildVars() []string {
	return []string{"ARCH=x86_64", "CC=" + compiler, "HOSTCC=" + compiler, "KBUILD_BUILD_VERSION=1", "KBUILD_BUILD_USER=builder",
		"KBUILD_BUILD_HOST=small", "KBUILD_BUILD_TIMESTAMP=Thu Jan  1 12:00:00 UTC 2026", "KDEB_COMPRESS=gzip", "KDEB_CHANGELOG_DIST=bookworm"}
}

// form is one way to build the kernel.
type form struct {
	name    string
	config  string
	suite   string // whose newest kernel's source it is; "": the machine's own release, and of that the newest 6.1
	inPlace bool   // without O=
	rpm     bool   // packages of rpm, too
	bare    bool   // no packages at all
}

// Build builds the kernel, or finds it in the cache.
func Build(ctx context.Context) (*Kernel, error) {
	return build(ctx, form{name: "tree", config: string(config), rpm: true})
}

// Suites are the releases of Debian whose newest kernels Build and BuildSuite can be made from: 5.10, 6.1, 6.12 and what sid has.
var Suites = []string{"bullseye", "bookworm", "trixie", "sid"}

// BuildSuite is Build from the source of a release's newest kernel, and without an RPM. What newer kernels call otherwise in their
// configuration stands beside the old names, and what a kernel has not is left out.
func BuildSuite(ctx context.Context, suite string) (*Kernel, error) {
	return build(ctx, form{name: suite, suite: suite, config: string(config) + renamed})
}

// BuildInPlace is Build without O=: Source and Object are one folder. It is another build, and takes as long again.
func BuildInPlace(ctx context.Context) (*Kernel, error) {
	return build(ctx, form{name: "in-place", config: string(config), inPlace: true, rpm: true})
}

// BuildDebug is Build with debug information, which other tools for live updates ask for, and without an RPM. It is another
// build, too.
func BuildDebug(ctx context.Context) (*Kernel, error) {
	return build(ctx, form{name: "debug", config: strings.Replace(string(config), `"-small"`, `"-small-debug"`, 1) + debug})
}

// BuildBare is BuildInPlace with more configuration, of another release ("6.1.192-NAME"), and without packages: what other kernels
// are built on, in a copy of the folder, since nothing in it names its path.
func BuildBare(ctx context.Context, name, more string) (*Kernel, error) {
	return build(ctx, form{name: name, config: strings.Replace(string(config), `"-small"`, `"-`+name+`"`, 1) + more, inPlace: true, bare: true})
}

// build finds or makes the tree of a form. kbuild may write the names of folders into what it makes, so
// it works where the tree stays; an entry of the cache says that it came to its end. A build that was stopped goes on.
func build(ctx context.Context, f form) (*Kernel, error) {
	fail := func(err error) (*Kernel, error) { return nil, fmt.Errorf("small kernel: %w", err) }
	c, err := cache.Open("")
	if err != nil {
		return fail(err)
	}
	src, err := openSource(ctx, c, f.suite)
	if err != nil {
		return fail(err)
	}
	key, err := keyOf(ctx, src, f)
	if err != nil {
		return fail(err)
	}
	top := filepath.Join(c.Root(), "smallkernel-"+f.name, key)
	made := func() (string, error) {
		return c.Dir(ctx, "smallkernel", key, func(ctx context.Context, _ string) error {
			if err := os.MkdirAll(top, 0o755); err != nil {
				return err
			}
			return f.make(ctx, src.Dir, top)
		})
	}
	end, err := made()
	if _, serr := os.Stat(filepath.Join(top, "obj", "vmlinux")); err == nil && serr != nil { // the tree alone was removed
		if err = os.RemoveAll(end); err == nil {
			_, err = made()
		}
	}
	if err != nil {
		return fail(err)
	}
	k := &Kernel{Source: src.Dir, Object: filepath.Join(top, "obj"), Config: f.config, Unpacked: src.Dir}
	if f.inPlace {
		k.Source = k.Object
	}
	if err := k.find(top, f); err != nil {
		return fail(err)
	}
	return k, nil
}

// openSource opens the source of a suite's newest kernel, or of the newest 6.1.
func openSource(ctx context.Context, c *cache.Cache, suite string) (*source.Tree, error) {
	a, newest, err := newestKernel(ctx, suite)
	if err != nil {
		return nil, err
	}
	path, err := a.FetchPackage(ctx, "linux-source-"+newest.Series, newest.Version)
	if err != nil {
		return nil, err
	}
	return source.Open(ctx, c, path)
}

// newestKernel gives a kernel, and the archive that has its source.
func newestKernel(ctx context.Context, suite string) (a *archive.Archive, k archive.Kernel, err error) {
	if suite != "" {
		if a, err = archive.OpenSuite("", suite); err != nil {
			return nil, k, err
		}
		k, err = a.Newest(ctx)
		return a, k, err
	}
	if a, err = archive.Open(""); err != nil {
		return nil, k, err
	}
	kernels, err := a.Kernels(ctx, series)
	if err != nil {
		return nil, k, err
	}
	return a, kernels[len(kernels)-1], nil
}

// keyOf names what the build depends on.
func keyOf(ctx context.Context, src *source.Tree, f form) (string, error) {
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%s\n%s\n%s\n%q\n%s\n", recipe, f.name, src.ID, src.Dir, BuildVars(), f.config)
	for _, program := range []string{compiler, "ld", "as", "make", "rpmbuild", "dpkg-deb"} {
		res, err := process.Run(ctx, process.Cmd{Path: program, Args: []string{"--version"}})
		if err != nil {
			return "", err
		}
		h.Write(res.Stdout)
	}
	return hex.EncodeToString(h.Sum(nil))[:32], nil
}

// find fills in what the build has made.
func (k *Kernel) find(top string, f form) error {
	release, err := os.ReadFile(filepath.Join(k.Object, "include/config/kernel.release"))
	if err != nil {
		return err
	}
	k.Release = strings.TrimSpace(string(release))
	if f.bare {
		return nil
	}
	for _, w := range []struct {
		to      *string
		pattern string
	}{
		{&k.Image, "linux-image-" + k.Release + "_*.deb"},
		{&k.Headers, "linux-headers-" + k.Release + "_*.deb"},
		{&k.RPM, "rpm/RPMS/x86_64/kernel-6*.rpm"},
	} {
		if w.to == &k.RPM && !f.rpm {
			continue
		}
		found, err := filepath.Glob(filepath.Join(top, w.pattern))
		if err != nil || len(found) != 1 {
			return fmt.Errorf("folder %q: %d files %s, want one", top, len(found), w.pattern)
		}
		*w.to = found[0]
	}
	return nil
}

// Make runs make in a build folder of the kernel, with the variables of its build.
func (k *Kernel) Make(ctx context.Context, object string, args ...string) (process.Result, error) {
	words := []string{"-j" + strconv.Itoa(runtime.NumCPU())}
	if object != k.Source {
		words = append(words, "-C", k.Source, "O="+object)
	} else {
		words = append(words, "-C", object)
	}
	return process.Run(ctx, process.Cmd{Path: "make", Args: append(append(words, BuildVars()...), args...)})
}
