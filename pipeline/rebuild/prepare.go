// Package rebuild lets the kernel's own kbuild do what only it knows: configure a tree like the shipped kernel's, say
// what each source file is linked into, compile units, and link a module. Trees, commands and objects are kept in the
// cache, so that a second run costs the compiler's time only.
package rebuild

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"livesplice/pipeline/cache"
	"livesplice/pipeline/process"
	"livesplice/pipeline/source"
	"livesplice/pkgfmt"
)

// Options of Prepare.
type Options struct {
	CC   string // the compiler; "": the program that the shipped .config names
	Root string // a root with compiler and build tools of another release, in which all of the kernel's build runs; "": here
	Jobs int    // make's -j; 0: the number of CPUs
}

// Tree is a source tree with a prepared build folder (make's O=). Neither is written to: everything that kbuild makes
// comes to be in scratch folders, the last of which Close removes. Its methods are safe for concurrent use, also by several
// processes.
type Tree struct {
	Source string // the source folder
	Object string // the build folder, as `make modules_prepare` leaves it, with the shipped Module.symvers
	Key    string // names source, configuration, compiler, linker, release and exports; holds on this machine only
	CC     string // the compiler, as kbuild calls it

	Prepared Cost // what it took to prepare; zero if the cache had it
	Indexed  Cost // what it took kbuild to say what each file is part of, after Owner; zero if the cache had it

	units unitSource

	cache    *cache.Cache
	kernel   string        // the kernel's source folder
	root     *process.Root // of the tools; nil: the machine's own
	launcher *launcher     // before the compiler of pre and post; nil: none
	vars     []string
	jobs     int
	overlays overlays
}

// unitSource is where a tree's units come from: kbuild is asked for each, or has left all of them.
type unitSource interface {
	// record lets kbuild compile the units whose commands are not known yet.
	record(ctx context.Context, units []string) (Cost, error)
	// load gives the record of a unit, and what it took to make it.
	load(ctx context.Context, unit string) (*record, Cost, error)
	// ownersOf says what the build makes of a file: one owner at least.
	ownersOf(ctx context.Context, file string) ([]Owner, error)
	// everyUnit is EveryUnit.
	everyUnit(ctx context.Context) ([]Owner, error)
	// checkGenerated gives a *Refusal for changed files of which the build makes others that units read.
	checkGenerated(ctx context.Context, files map[string][]byte) error
}

// prepared is the kernel's own tree where nothing was built but what `make modules_prepare` makes: kbuild is asked.
type prepared struct {
	*Tree
	entry string   // the cache folder that holds Object
	env   []string // what kbuild exports to its sub-makes

	indexMu  sync.Mutex // guards what is read once
	index    ownerIndex
	included map[string][]string // by .c file: those that include it
}

// Cost is time spent in other programs.
type Cost struct {
	Wall time.Duration
	CPU  time.Duration
}

// add sums up; the wall time of what ran one after the other.
func (c *Cost) add(r process.Result) {
	c.Wall += r.Wall
	c.CPU += r.CPU()
}

// layout is part of the key: it changes with what the cache folders hold.
const layout = "rebuild 1"

// Prepare makes the build folder of the shipped kernel k from its source, or finds it in the cache.
//
// Errors: *CompilerError; *pkgfmt.MismatchError when the source, the headers or the build tools are not those of the
// shipped kernel; *pkgfmt.InputError; *BuildError; *process.MissingError.
func Prepare(ctx context.Context, c *cache.Cache, src *source.Tree, k *pkgfmt.Kernel, opts Options) (*Tree, error) {
	config, err := readConfig(k.Config, k.Origin(k.Config))
	if err != nil {
		return nil, err
	}
	if err := checkVersion(src, k, config); err != nil {
		return nil, err
	}
	root, err := openRoot(ctx, opts.Root, c.Root(), src.Dir)
	if err != nil {
		return nil, err
	}
	cc, err := findCompiler(ctx, root, config, opts.CC)
	if err != nil {
		return nil, err
	}
	if err := process.LookAll(ctx, root, programs(config)); err != nil {
		return nil, err
	}
	t := &Tree{Source: src.Dir, kernel: src.Dir, CC: cc, cache: c, root: root, jobs: opts.Jobs}
	if t.jobs <= 0 {
		t.jobs = runtime.NumCPU()
	}
	// HOSTCC: the kernel's compiler serves for kbuild's own programs, and needs no second one installed.
	t.vars = []string{"ARCH=" + config.arch, "CC=" + cc, "HOSTCC=" + cc, "KERNELRELEASE=" + k.Release}
	t.vars = append(t.vars, distribution(k.Version)...)
	t.vars = append(t.vars, versionVars(cc, config)...)
	rust, err := rustVars(ctx, c, config)
	if err != nil {
		return nil, err
	}
	t.vars = append(t.vars, rust...)
	if t.Key, err = treeKey(ctx, c, t, src, k); err != nil {
		return nil, err
	}
	p := &prepared{Tree: t}
	t.units = p
	p.entry, err = c.Dir(ctx, "tree", t.Key, func(ctx context.Context, dir string) error {
		return p.prepare(ctx, dir, k, config)
	})
	if err != nil {
		return nil, err
	}
	t.Object = filepath.Join(p.entry, "obj")
	p.env, err = readEnv(filepath.Join(p.entry, "env"))
	return t, err
}

// distribution are the variables by which Debian's own build puts the package's version into LINUX_PACKAGE_ID, a text that the
// kernel prints with each stack trace; none for another kernel.
//
// Source: the rule of include/generated/package.h in the Makefile of linux-source 6.1.
func distribution(banner string) []string {
	version := bannerVersion(banner)
	if version == "" {
		return nil
	}
	return []string{"DISTRIBUTION_OFFICIAL_BUILD=1", "DISTRIBUTOR=Debian", "DISTRIBUTION_VERSION=" + version}
}

// bannerVersion is the package's version in a kernel's banner, "... Debian 6.1.190-1 (2026-10-16)"; "" for one of others.
func bannerVersion(banner string) string {
	_, after, _ := strings.Cut(banner, " Debian ")
	version, _, _ := strings.Cut(after, " ")
	return version
}

// checkVersion compares the source with the shipped kernel before anything is made.
func checkVersion(src *source.Tree, k *pkgfmt.Kernel, config *shippedConfig) error {
	fail := func(got, want string) error {
		return &pkgfmt.MismatchError{Path: src.Origin, Got: "source of " + got, Want: want}
	}
	// UTS_RELEASE "6.1.0-54-amd64" says nothing of the upload; the package does, and the banner: "... Debian 6.1.190-1
	// (2026-10-16)".
	if v := src.PackageVersion; v != "" {
		if k.PackageVersion != "" && v != k.PackageVersion {
			return fail("version "+v, "version "+k.PackageVersion+", that of the shipped kernel's package")
		}
		if shipped := bannerVersion(k.Version); shipped != "" && shipped != v {
			return fail("version "+v, "version "+shipped+", that of the shipped kernel's banner")
		}
	}
	if config.version != "" && config.version != src.Version.String() {
		return fail("Linux "+src.Version.String(), fmt.Sprintf("Linux %s as of %s", config.version, config.origin))
	}
	if k.HeadersCommon != "" {
		if v, err := source.ReadVersion(k.HeadersCommon); err == nil && v != src.Version {
			return fail("Linux "+src.Version.String(), fmt.Sprintf("Linux %s as of %s", v, k.Origin(filepath.Join(k.HeadersCommon, "Makefile"))))
		}
	}
	return nil
}

// programs are what make would stumble over if it were missing.
func programs(config *shippedConfig) []string {
	programs := []string{"make", "ld", "as", "bison", "flex", "bc", "awk", "sed"}
	if config.Enabled("DEBUG_INFO_BTF") {
		programs = append(programs, "pahole", "python3")
	}
	return programs
}

// treeKey hashes all that the build folder and what is compiled in it depend on. The folders' own names are among it,
// since kbuild writes them into what it makes.
func treeKey(ctx context.Context, c *cache.Cache, t *Tree, src *source.Tree, k *pkgfmt.Kernel) (string, error) {
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%s\n%s\n%s\n%s\n", layout, c.Root(), src.Dir, src.ID, strings.Join(t.vars, "\n"))
	for _, p := range []string{k.Config, k.Symvers, filepath.Join(k.Headers, "include/generated/autoconf.h")} {
		if !filepath.IsAbs(p) { // not given
			fmt.Fprintln(h, "-")
			continue
		}
		sum, err := c.HashFile(p)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return "", &pkgfmt.InputError{Path: p, Want: "a file of the shipped kernel", Err: err}
		}
		fmt.Fprintf(h, "%s\n", sum)
	}
	if t.root != nil { // its programs are linked with its libraries
		fmt.Fprintln(h, t.root.Dir)
	}
	for _, program := range []string{t.CC, "ld", "as", "make"} {
		line, err := versionLine(ctx, t.root, program)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(h, "%s\n", line)
	}
	return hex.EncodeToString(h.Sum(nil))[:32], nil
}

// facts is stored with a tree.
type facts struct {
	Built string // the build folder's name when kbuild worked in it
}

func (t *prepared) prepare(ctx context.Context, dir string, k *pkgfmt.Kernel, config *shippedConfig) error {
	obj := filepath.Join(dir, "obj")
	if err := os.Mkdir(obj, 0o755); err != nil {
		return err
	}
	if err := copyFile(k.Config, filepath.Join(obj, ".config")); err != nil {
		return err
	}
	catcher, err := writeCatcher(dir)
	if err != nil {
		return err
	}
	res, err := t.make(ctx, []string{"MAKEFILES=" + catcher}, "-C", t.Source, "O="+obj, "modules_prepare")
	t.Prepared.add(res)
	if err != nil {
		return t.buildError("modules_prepare", obj, res, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "prepare.log"), append(res.Stdout, res.Stderr...), 0o644); err != nil {
		return err
	}
	if err := checkConfigured(obj, k, config); err != nil {
		return err
	}
	if err := checkRelease(obj, k.Release); err != nil {
		return err
	}
	if k.Symvers != "" {
		if err := copyFile(k.Symvers, filepath.Join(obj, "Module.symvers")); err != nil {
			return err
		}
	}
	if _, err := readEnv(filepath.Join(dir, "env")); err != nil {
		return err
	}
	b, err := json.Marshal(facts{Built: obj})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "facts.json"), b, 0o644)
}

// checkRelease makes sure that modules will carry the shipped kernel's vermagic.
func checkRelease(obj, release string) error {
	path := filepath.Join(obj, "include/generated/utsrelease.h")
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if want := "#define UTS_RELEASE " + strconv.Quote(release); !bytes.Contains(b, []byte(want)) {
		return fmt.Errorf("file %q: want %s", path, want)
	}
	return nil
}

// make runs make with the tree's variables. extra are environment variables.
func (t *Tree) make(ctx context.Context, extra []string, args ...string) (process.Result, error) {
	all := append([]string{"-j" + strconv.Itoa(t.jobs)}, args...)
	return process.Run(ctx, process.Cmd{Path: "make", Args: append(all, t.vars...), Env: process.Env(extra...), Root: t.root, Slots: t.jobs})
}

// buildError makes a *BuildError of a failed run of make or a compiler; other errors pass as they are. Paths below
// the source folder and roots become relative.
func (t *Tree) buildError(unit, root string, res process.Result, err error) error {
	var exit *process.ExitError
	if !errors.As(err, &exit) {
		return err
	}
	log := string(res.Stdout) + string(res.Stderr)
	if missing := missingHeader(log); missing != nil {
		return missing
	}
	return &BuildError{Unit: unit, Command: exit.Command, ExitCode: exit.Code, Log: log,
		FirstError: firstError(string(res.Stderr), root, t.Source)}
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return &pkgfmt.InputError{Path: from, Want: "a file of the shipped kernel", Err: err}
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		out.Close()
		return err
	}
	return out.Close()
}
