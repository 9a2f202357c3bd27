package rebuild

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"livesplice/pipeline/process"
)

// Object is a compiled unit.
type Object struct {
	Unit   string   // as kbuild names it: "fs/namei.o"
	Path   string   // the object, in the cache: to be read only
	Cmd    []string // the compiler's command as kbuild gave it, without its outputs
	Source string   // the unit's source file relative to the source tree
	Cached bool     // no compiler ran for it
	Kbuild Cost     // spent in make, when the cache did not know the unit
	CC     Cost     // spent in the compiler
}

// sectionFlags give each function and datum a section of its own. Debug information, which kernels may be built without,
// says how types are laid out; it does not change code. Without columns it is the same for source that was preprocessed
// apart, as distcc and icecc do: macros lose their columns there.
var sectionFlags = []string{"-ffunction-sections", "-fdata-sections", "-g", "-gno-column-info"}

// wholeDebug are a command's words without those by which debug information is put elsewhere or compressed, or says of some types
// only that they exist (CONFIG_DEBUG_INFO_SPLIT, _COMPRESSED and _REDUCED): layouts are compared by it. Code does not depend on them.
func wholeDebug(words []string) []string {
	return slices.DeleteFunc(slices.Clone(words), func(w string) bool {
		return w == "-gsplit-dwarf" || w == "-gz" || strings.HasPrefix(w, "-gz=") || strings.HasPrefix(w, "-femit-struct-debug-")
	})
}

// Compile compiles a unit (an object as kbuild names it) with a section per function and datum: from the source as
// shipped if files is empty (pre), otherwise with these files in the place of the tree's (post), by path relative to
// the tree; nil is a file that is gone. The command is the one that kbuild runs, objtool left out, so the same content
// gives the same object but for debug information. Errors: *BuildError, *Refusal.
func (t *Tree) Compile(ctx context.Context, unit string, files map[string][]byte) (*Object, error) {
	r, kbuild, err := t.units.load(ctx, unit)
	if err != nil {
		return nil, err
	}
	o := &Object{Unit: unit, Cmd: r.Command.Words, Kbuild: kbuild, Cached: true}
	o.Source = r.source(t)
	kind, made := "pre", append(slices.Clone(sectionFlags), r.key)
	if len(wholeDebug(r.Command.Words)) < len(r.Command.Words) {
		made = append(made, "whole debug") // before, these objects were made with the command's own flags
	}
	if len(files) > 0 {
		kind, made = "post", append(made, flatten(files)...)
	}
	for key := shortHash(made...); ; {
		dir, err := t.cache.Dir(ctx, kind, key, func(ctx context.Context, dir string) error {
			o.Cached = false
			if err := t.units.checkGenerated(ctx, files); err != nil {
				return err
			}
			deps, err := t.compile(ctx, r, files, key, filepath.Join(dir, objectName(unit)), &o.CC)
			if err != nil {
				return err
			}
			return r.keepRead(files, deps, dir)
		})
		if err != nil {
			return nil, err
		}
		o.Path = filepath.Join(dir, objectName(unit))
		now, same, err := r.sameRead(dir)
		if err != nil || same {
			return o, err
		}
		key = shortHash(key, now)
	}
}

// Built is the object of a unit as kbuild made it from the source as shipped: without sections of their own, with
// objtool's work done where kbuild does it for each object.
func (t *Tree) Built(ctx context.Context, unit string) (string, error) {
	r, _, err := t.units.load(ctx, unit)
	if err != nil {
		return "", err
	}
	return r.built, nil
}

func objectName(unit string) string { return filepath.Base(unit) }

func flatten(files map[string][]byte) []string {
	var parts []string
	for _, p := range slices.Sorted(maps.Keys(files)) {
		state := "file"
		if files[p] == nil {
			state = "gone"
		}
		parts = append(parts, p, state, string(files[p]))
	}
	return parts
}

// compile runs the recorded command for out. key names unit and files: under one name the same command has the same words,
// by which ccache knows it again; who holds the lock of the cache entry is the only one to use the name. It gives the files that
// were read, by their names in the tree.
func (t *Tree) compile(ctx context.Context, r *record, files map[string][]byte, key, out string, cost *Cost) (read []string, err error) {
	if len(files) == 0 {
		return t.cc(ctx, r, r.Command.Words, t.Source, out, cost)
	}
	err = t.overlaid("overlay-"+key, files, r.folders(t), func(ov *overlay) ([]string, error) {
		words := ov.words(r.Command.Words)
		// Before the input, so that the last word stays the source file.
		words = slices.Insert(words, len(words)-1, "-fdebug-prefix-map="+ov.dir+"="+t.Source)
		deps, err := t.cc(ctx, r, words, ov.dir, out, cost)
		read = make([]string, len(deps))
		for i, d := range deps {
			read[i] = moved(d, ov.dir, t.Source)
		}
		return deps, err
	})
	return read, err
}

// source is the unit's source file, relative to the tree; "" if it is elsewhere.
func (r *record) source(t *Tree) string {
	if rel, ok := strings.CutPrefix(absolute(r.Command.Input, r.workdir), t.Source+"/"); ok {
		return filepath.Clean(rel)
	}
	return ""
}

// absolute is a name as seen in a folder. It is not shortened: what `..` leads to is up to links.
func absolute(name, dir string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return dir + "/" + name
}

// folders are what is real in an overlay from the beginning, relative to the tree: the one of the unit's source, so that most
// `#include "../x.h"` are right at once, and that in which the command runs, whose `..` is the tree where kbuild worked in a folder
// of it.
func (r *record) folders(t *Tree) []string {
	var list []string
	if source := r.source(t); source != "" {
		list = append(list, filepath.Dir(source))
	}
	if rel, ok := strings.CutPrefix(r.workdir, t.Source+"/"); ok {
		list = append(list, rel)
	}
	return list
}

// words are a command's, with the overlay in the place of the folder that it covers.
func (o *overlay) words(command []string) []string {
	words := make([]string, len(command))
	for i, w := range command {
		words[i] = moved(w, o.base, o.dir)
	}
	return words
}

// joined are options of the compiler whose argument may follow without anything between.
var joined = []string{"-I", "-L", "-B", "-include", "-imacros", "-isystem", "-iquote", "-idirafter"}

// moved replaces a folder's path in a word by another's, where it stands as a whole path: of a tree in /linux the first one in
// "-I/linux/include/linux".
func moved(word, from, to string) string {
	var b strings.Builder
	for {
		i := strings.Index(word, from)
		if i < 0 {
			b.WriteString(word)
			return b.String()
		}
		before, after := word[:i], word[i+len(from):]
		b.WriteString(before)
		begins := before == "" && b.Len() == 0 || before != "" && strings.ContainsRune("=,:;\"' ", rune(before[len(before)-1])) || b.Len() == len(before) && slices.Contains(joined, before)
		if begins && (after == "" || after[0] == '/') {
			b.WriteString(to)
		} else {
			b.WriteString(from)
		}
		word = after
	}
}

// cc runs the compiler in the unit's working folder and returns the files that it read.
func (t *Tree) cc(ctx context.Context, r *record, words []string, root, out string, cost *Cost) (deps []string, err error) {
	args := slices.Concat(wholeDebug(words[1:len(words)-1]), sectionFlags, words[len(words)-1:])
	if filepath.Ext(r.Command.Input) != ".c" {
		return nil, fmt.Errorf("unit %q: it is made from %q, which is no C source", r.Object, r.Command.Input)
	}
	words = append(words[:1:1], args...)
	workdir := moved(r.workdir, t.Source, root)
	run := t.run
	if t.launcher != nil {
		run = t.launch
	}
	if deps, err = run(ctx, r.Object, workdir, words, root, out, cost); err != nil {
		return nil, err
	}
	// What pre was made from is proven against the shipped kernel, whenever that was. If a header has changed since then, post
	// would have more in it than the patch.
	shipped := make([]string, len(deps))
	for i, d := range deps {
		shipped[i] = moved(d, root, t.Source)
	}
	return deps, t.cache.Unchanged(shipped)
}

// run runs a compiler's command, whose last word is the source file, with its outputs added.
func (t *Tree) run(ctx context.Context, unit, workdir string, words []string, root, out string, cost *Cost) ([]string, error) {
	return t.runBehind(ctx, nil, unit, workdir, words, root, out, cost)
}

// runBehind is run, with a launcher before the compiler unless that is nil.
func (t *Tree) runBehind(ctx context.Context, l *launcher, unit, workdir string, words []string, root, out string, cost *Cost) ([]string, error) {
	depfile := out + ".d"
	defer os.Remove(depfile)
	args := append([]string{"-Wp,-MMD," + depfile}, words[1:len(words)-1]...)
	args = append(args, "-o", out, words[len(words)-1])
	res, err := process.Run(ctx, l.before(process.Cmd{Path: words[0], Args: args, Dir: workdir, Root: t.root, Slots: 1}))
	cost.add(res)
	if err != nil {
		return nil, t.buildError(unit, root, res, err)
	}
	text, err := os.ReadFile(depfile)
	if err != nil {
		return nil, fmt.Errorf("unit %q: the compiler left no dependencies: %w", unit, err)
	}
	deps := parseDepfile(string(text))
	for i, d := range deps {
		deps[i] = absolute(d, workdir)
	}
	return deps, nil
}

// parseDepfile lists the prerequisites of a makefile rule as gcc writes it.
func parseDepfile(text string) []string {
	_, text, _ = strings.Cut(text, ":")
	return strings.Fields(strings.ReplaceAll(text, "\\\n", " "))
}
