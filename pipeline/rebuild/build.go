package rebuild

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"livesplice/kmod/module"
	"livesplice/pkgfmt"
)

// build is the kernel's own tree where all of the kernel was built: the files that kbuild left say what each source file is
// part of, how it is compiled and who reads it. Nothing is written below it.
type build struct {
	*Tree
	finished
	users *usersIndex

	want  string // first line of the --version of the kernel's compiler
	given bool   // Options name the compiler

	mu      sync.Mutex
	stats   map[string]fileStat // of files that units read, by path
	checked map[string]error    // of compilers, by program: why it is not that of the kernel
}

// load reads the command of a unit out of its .cmd file. The unit's key is made from the command, and from size and times of
// each file that the compiler read.
func (b *build) load(ctx context.Context, unit string) (*record, Cost, error) {
	r, u, err := b.command(unit)
	if err != nil {
		return nil, Cost{}, err
	}
	if r.Command.Words, err = b.compiler(ctx, r.Command.Words); err != nil {
		return nil, Cost{}, err
	}
	r.key, err = b.contentKey(r, u)
	return r, Cost{}, err
}

// command is the record of a unit without its key.
func (b *build) command(unit string) (*record, *finishedUnit, error) {
	u, err := b.unit(unit)
	if err != nil {
		return nil, nil, err
	}
	inv, err := b.invocation(u)
	if err != nil {
		return nil, nil, err
	}
	return &record{Object: unit, Command: inv, workdir: b.Object, built: filepath.Join(b.Object, unit)}, u, nil
}

// contentLayout is part of a unit's key: it changes with how its objects are made.
const contentLayout = "users 2"

// contentKey names the content of all that an object is made from, as a key for the cache of this machine. A source file that
// is younger than the object was changed after the build: a *pkgfmt.MismatchError.
func (b *build) contentKey(r *record, u *finishedUnit) (string, error) {
	made, err := os.Stat(r.built)
	if err != nil {
		return "", &pkgfmt.InputError{Path: r.built, Want: "an object of a finished kernel build", Err: err}
	}
	parts := append([]string{contentLayout, b.Key, r.Object}, r.Command.Words...)
	r.build, r.known = b, map[string]bool{}
	for _, d := range savedDeps(u.text, u.Name) {
		file := absolute(d, b.Object)
		stat, err := b.stat(file)
		if err != nil {
			return "", &pkgfmt.InputError{Path: file, Want: "a file that " + r.Object + " was compiled from", Err: err}
		}
		if err := b.checkAge(r, file, stat, made.ModTime()); err != nil {
			return "", err
		}
		r.known[file] = true
		parts = append(parts, d, stat.id)
	}
	return shortHash(parts...), nil
}

// checkAge refuses a source file that was changed after the object was made: a *pkgfmt.MismatchError.
func (b *build) checkAge(r *record, file string, stat fileStat, made time.Time) error {
	if stat.mtime.After(made) && inSource(file, b.Object, b.Source) != "" && !generatedHeader(file) {
		return &pkgfmt.MismatchError{Path: file, Got: "a file changed after " + r.Object + " was compiled", Want: "the source as it was built, or the build finished once more"}
	}
	return nil
}

// fileStat is what tells one content of a file from another.
type fileStat struct {
	id    string
	mtime time.Time
}

// stat asks once for each file: 1,000 units read the same headers. No content changes without the ctime of its inode.
func (b *build) stat(file string) (fileStat, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if s, ok := b.stats[file]; ok {
		return s, nil
	}
	st, err := os.Stat(file)
	if err != nil {
		return fileStat{}, err
	}
	s := fileStat{mtime: st.ModTime()}
	if sys, ok := st.Sys().(*syscall.Stat_t); ok {
		s.id = fmt.Sprintf("%d %d %d %d %d.%d", sys.Dev, sys.Ino, sys.Size, st.ModTime().UnixNano(), sys.Ctim.Sec, sys.Ctim.Nsec)
	}
	b.stats[file] = s
	return s, nil
}

// generatedHeader knows headers that kbuild may write anew at any time; where it builds without O= they are among the source.
func generatedHeader(file string) bool {
	return strings.Contains(file, "/include/generated/") || strings.Contains(file, "/include/config/")
}

// compiler checks that a command's program is the compiler that the shipped .config names. A launcher before it (ccache gcc-12)
// stays. The compiler of Options takes the place of both.
func (b *build) compiler(ctx context.Context, words []string) ([]string, error) {
	n := slices.IndexFunc(words, func(w string) bool { return strings.HasPrefix(w, "-") })
	if n < 1 {
		return nil, fmt.Errorf("command %q: no compiler in it", strings.Join(words, " "))
	}
	if b.given {
		return append([]string{b.CC}, words[n:]...), nil
	}
	program := words[n-1]
	b.mu.Lock()
	defer b.mu.Unlock()
	err, known := b.checked[program]
	if !known {
		var got string
		if got, err = versionLine(ctx, b.root, program); err == nil && strings.ReplaceAll(got, "#", "") != b.want {
			err = &CompilerError{Path: program, Want: b.want, Got: got}
		}
		if ctx.Err() == nil {
			b.checked[program] = err
		}
	}
	return words, err
}

// record has nothing to do: kbuild has compiled all units.
func (b *build) record(context.Context, []string) (Cost, error) { return Cost{}, nil }

// checkGenerated accepts all: ownersOf names what the build makes of such files.
func (b *build) checkGenerated(context.Context, map[string][]byte) error { return nil }

// everyUnit lists the units of the build by name.
func (b *build) everyUnit(context.Context) ([]Owner, error) {
	var units []Owner
	for _, t := range b.users.Targets {
		for _, o := range t.owners(t.Source) {
			if st, err := os.Stat(filepath.Join(b.Source, t.Source)); o.Target != "" && err == nil && st.Mode().IsRegular() {
				units = append(units, o)
			}
		}
	}
	slices.SortStableFunc(units, func(x, y Owner) int {
		return cmp.Or(cmp.Compare(path.Clean(x.Unit), path.Clean(y.Unit)), cmp.Compare(x.Module, y.Module))
	})
	return units, nil
}

// ownersOf says what the build made from a file: the units that read it, if it is a header.
func (b *build) ownersOf(_ context.Context, file string) ([]Owner, error) {
	kind := classify(file)
	if kind == Kconfig || kind == Makefile {
		return []Owner{{File: file, Kind: kind}}, nil
	}
	if b.users.makes(file) { // among the source, where there is no O=
		return []Owner{{File: file, Kind: Makefile}}, nil
	}
	made, err := b.madeFrom(file)
	if err != nil {
		return nil, err
	}
	var owners []Owner
	for _, t := range made {
		if !b.stale(t) {
			owners = append(owners, t.owners(file)...)
		}
	}
	if kind != NotBuilt { // no rule makes other files from a .c file
		for _, makefile := range b.users.Inputs[file] {
			owners = append(owners, Owner{File: file, Kind: Generated, Source: makefile})
		}
	}
	switch {
	case len(owners) > 0:
		return owners, nil
	case kind == Separate || kind == Documentation:
	case kind == NotBuilt:
		kind = unbuilt(file)
	case kind == Header || kind == Assembly:
		kind = NotBuilt
	case b.users.folder(path.Dir(file)): // a rule that is not known may make something from it
		return []Owner{{File: file, Kind: Generated, Source: path.Dir(file) + "/Makefile"}}, nil
	}
	return []Owner{{File: file, Kind: kind}}, nil
}

// stale says of what is linked into nothing that it is left from another build in the same folder: kbuild does not remove what a
// source has become when that is gone.
func (b *build) stale(t target) bool {
	if t.Source == "" || t.Kind != Separate && t.Kind != Generated {
		return false
	}
	return !isFile(filepath.Join(b.Source, t.Source)) && !isFile(filepath.Join(b.Object, t.Source))
}

// madeFrom lists what was made from a file. A header that is not there yet can take the place of others of its name: what was
// made from these counts.
func (b *build) madeFrom(file string) ([]target, error) {
	_, err := os.Lstat(filepath.Join(b.Source, file))
	if classify(file) != Header || !errors.Is(err, fs.ErrNotExist) {
		return b.users.of(file)
	}
	tail := path.Base(file)
	for _, dir := range []string{"include/uapi/", "include/"} {
		if _, after, ok := strings.Cut(file, dir); ok {
			tail = after
			break
		}
	}
	if name, ok := strings.CutPrefix(tail, "asm/"); ok {
		// Where the architecture has none, kbuild makes one that includes the generic one. Source: scripts/Makefile.asm-generic, v6.1.
		return b.users.named(tail, "asm-generic/"+name)
	}
	return b.users.named(tail)
}

// owners are what a target is to a file that it was made from.
func (t target) owners(file string) []Owner {
	o := Owner{File: file, Kind: t.Kind, Unit: t.Name, Source: t.Source}
	switch t.Kind {
	case BuiltIn, Library, InModule:
	default:
		return []Owner{o}
	}
	var owners []Owner
	if t.Kind != InModule {
		o.Target = "vmlinux"
		owners = append(owners, o)
	}
	for _, ko := range t.Modules {
		o.Kind, o.Module, o.Target = InModule, ko, module.NameOf(ko)
		owners = append(owners, o)
	}
	return owners
}
