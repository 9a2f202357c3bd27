package rebuild

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"livesplice/pipeline/process"
)

//go:embed owner.mk
var ownerMakefile []byte

// linked is one object that kbuild makes of a source file.
type linked struct {
	Object string // as kbuild names it: "arch/x86/kvm/../../../virt/kvm/kvm_main.o"
	Kind   Kind   // BuiltIn, Library, InModule or Separate
	Module string // of InModule: the .ko, relative to the build folder
}

// ownerIndex says what becomes of each source file of a tree, by the file's path without its extension: "fs/namei". A
// file that is not in it is not built.
type ownerIndex map[string][]linked

// folder is one folder that kbuild descends into.
type folder struct {
	dir      string
	builtin  bool // its obj-y goes into vmlinux
	modorder bool // its obj-m becomes modules
}

// listing is what owner.mk prints for a folder.
type listing struct {
	objY, objM, libY, subdir, other, hostprogs []string
	partsY, partsM                             map[string][]string // of composite objects

	cpu time.Duration // that make took
}

func parseListing(out string) listing {
	l := listing{partsY: map[string][]string{}, partsM: map[string][]string{}}
	for _, line := range strings.Split(out, "\n") {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		key, words := words[0], words[1:]
		switch key {
		case "obj-y":
			l.objY = words
		case "obj-m":
			l.objM = words
		case "lib-y":
			l.libY = words
		case "subdir":
			l.subdir = words
		case "other":
			l.other = words
		case "hostprogs":
			l.hostprogs = words
		case "part-y", "part-m":
			if len(words) == 0 {
				continue // of an object without a name
			}
			parts := l.partsY
			if key == "part-m" {
				parts = l.partsM
			}
			parts[words[0]] = words[1:]
		}
	}
	return l
}

// add enters what one folder lists.
func (ix ownerIndex) add(f folder, l listing, libs map[string]bool) {
	enter := func(name string, kind Kind, module string) {
		if strings.HasSuffix(name, ".o") {
			object := inFolder(f.dir, name)
			stem := strings.TrimSuffix(path.Clean(object), ".o")
			for _, e := range ix[stem] {
				if e.Object == object && (kind == Separate || e.Kind == kind && e.Module == module) {
					return
				}
			}
			ix[stem] = append(ix[stem], linked{Object: object, Kind: kind, Module: module})
		}
	}
	each := func(name string, parts map[string][]string, fn func(part string)) {
		list, composite := parts[name]
		if !composite {
			list = []string{name}
		}
		for _, p := range list {
			fn(p)
		}
	}
	for _, o := range l.objY {
		kind := BuiltIn
		if !f.builtin {
			kind = Separate
		}
		each(o, l.partsY, func(p string) { enter(p, kind, "") })
	}
	for _, o := range l.objM {
		if !f.modorder || !strings.HasSuffix(o, ".o") {
			continue
		}
		ko := path.Clean(inFolder(f.dir, strings.TrimSuffix(o, ".o")+".ko"))
		each(o, l.partsM, func(p string) { enter(p, InModule, ko) })
	}
	for _, o := range l.libY {
		// Only the lib.a of the folders in libs-y is linked into vmlinux; others belong to a program of their own.
		kind := Separate
		if libs[f.dir] {
			kind = Library
		}
		enter(o, kind, "")
	}
	for _, o := range l.other {
		enter(o, Separate, "")
	}
	for _, p := range l.hostprogs {
		enter(strings.TrimSuffix(p, ".o")+".o", Separate, "")
	}
}

// inFolder is an object's name as kbuild forms it, not shortened. The top folder's is "." there.
func inFolder(dir, name string) string {
	if dir == "." {
		return name
	}
	return dir + "/" + name
}

// below lists the folders that a folder descends into.
// Source: subdir-ym, subdir-builtin and subdir-modorder, scripts/Makefile.build, v6.1.
func (l listing) below(f folder) []folder {
	var list []folder
	for _, o := range l.objY {
		if strings.HasSuffix(o, "/") {
			list = append(list, folder{path.Clean(inFolder(f.dir, o)), f.builtin, f.modorder})
		}
	}
	for _, o := range l.objM {
		if strings.HasSuffix(o, "/") {
			list = append(list, folder{path.Clean(inFolder(f.dir, o)), false, f.modorder})
		}
	}
	for _, o := range l.subdir {
		list = append(list, folder{path.Clean(inFolder(f.dir, o)), false, false})
	}
	return list
}

// owners reads all folders once per tree; the cache keeps the answer.
func (t *prepared) owners(ctx context.Context) (ownerIndex, error) {
	t.indexMu.Lock()
	defer t.indexMu.Unlock()
	if t.index != nil {
		return t.index, nil
	}
	dir, err := t.cache.Dir(ctx, "owners", t.Key, func(ctx context.Context, dir string) error {
		ix, err := t.readFolders(ctx)
		if err != nil {
			return err
		}
		b, err := json.Marshal(ix)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, "owners.json"), b, 0o644)
	})
	if err != nil {
		return nil, err
	}
	b, err := os.ReadFile(filepath.Join(dir, "owners.json"))
	if err != nil {
		return nil, err
	}
	return t.index, json.Unmarshal(b, &t.index)
}

// readFolders goes through the tree from the top, as kbuild descends, all folders of a depth at the same time.
func (t *prepared) readFolders(ctx context.Context) (ownerIndex, error) {
	scratch, err := t.cache.Scratch("owners")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(scratch)
	makefile := filepath.Join(scratch, "owner.mk")
	if err := os.WriteFile(makefile, ownerMakefile, 0o644); err != nil {
		return nil, err
	}
	begin := time.Now()
	defer func() { t.Indexed.Wall = time.Since(begin) }() // kbuild runs all the time
	ix, seen := ownerIndex{}, map[string]folder{}
	wave, libs := t.tops()
	for len(wave) > 0 {
		listings := make([]listing, len(wave))
		g, gctx := errgroup.WithContext(ctx)
		g.SetLimit(t.jobs)
		for i, f := range wave {
			g.Go(func() (err error) {
				listings[i], err = t.readFolder(gctx, f.dir, makefile, scratch)
				return err
			})
		}
		if err := g.Wait(); err != nil {
			return nil, err
		}
		var next []folder
		for i, f := range wave {
			t.Indexed.CPU += listings[i].cpu
			ix.add(f, listings[i], libs)
			for _, b := range listings[i].below(f) {
				old, known := seen[b.dir]
				if known && (old.builtin || !b.builtin) && (old.modorder || !b.modorder) {
					continue
				}
				seen[b.dir] = b
				next = append(next, b)
			}
		}
		wave = next
	}
	return ix, nil
}

// tops are the folders to begin with, and those whose lib.a goes into vmlinux. Since Linux 6.1 the top Kbuild lists all;
// before, the top Makefile had the list, which shows in the archives that vmlinux is linked from.
func (t *prepared) tops() (wave []folder, libs map[string]bool) {
	wave, libs = []folder{{".", true, true}}, map[string]bool{}
	for _, dir := range strings.Fields(lookup(t.env, "ARCH_LIB")) {
		libs[path.Clean(dir)] = true
	}
	for _, v := range []string{"KBUILD_VMLINUX_OBJS", "KBUILD_VMLINUX_LIBS"} {
		for _, a := range strings.Fields(lookup(t.env, v)) {
			dir, name := path.Split(a)
			switch dir = path.Clean(dir); {
			case name == "built-in.a" && dir != ".":
				wave = append(wave, folder{dir, true, true})
			case name == "lib.a":
				libs[dir] = true
				wave = append(wave, folder{dir, true, true})
			}
		}
	}
	return wave, libs
}

// readFolder runs owner.mk for one folder.
func (t *prepared) readFolder(ctx context.Context, dir, makefile, scratch string) (listing, error) {
	args := []string{"-rR", "--no-print-directory", "-I", t.Source, "-f", makefile, "obj=" + dir, "scratch=" + scratch}
	res, err := process.Run(ctx, process.Cmd{Path: "make", Args: append(args, t.vars...), Dir: t.Object, Env: t.env, Root: t.root, Slots: 1})
	var exit *process.ExitError
	if errors.As(err, &exit) {
		return listing{}, fmt.Errorf("folder %q: its Makefile cannot be read: %w", dir, err)
	}
	l := parseListing(string(res.Stdout))
	l.cpu = res.CPU()
	return l, err
}
