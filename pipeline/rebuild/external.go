package rebuild

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"livesplice/kmod/module"
	"livesplice/pipeline/process"
	"livesplice/pipeline/source"
	"livesplice/pkgfmt"
)

// external is what a Tree has whose units are those of out-of-tree modules: kbuild has built them in a copy of their source.
type external struct {
	*Tree
	finished
	modules []finishedModule
	read    map[string]*finishedUnit // by object, relative to the folder
	shipped string                   // the name of the folder in which the shipped modules were built; "" if not known
}

// External gives the tree of the units of out-of-tree modules, whose source is a folder with a Kbuild or Makefile that sets
// obj-m. kbuild builds them once as it does for anybody (M=), in a copy; what it leaves there says which units there are,
// what they are linked into, which files each one reads, and the commands. Paths of the new tree are those of the modules'
// source. A module that needs symbols of others but the kernel's (KBUILD_EXTRA_SYMBOLS) does not build.
//
// Errors: *pkgfmt.InputError, *BuildError.
func (t *Tree) External(ctx context.Context, src *source.Tree) (*Tree, error) {
	x := &Tree{Object: t.Object, CC: t.CC, kernel: t.kernel, cache: t.cache, root: t.root, launcher: t.launcher, vars: t.vars, jobs: t.jobs}
	x.Key = t.externalKey(src)
	dir, err := t.cache.Dir(ctx, "external", x.Key, func(ctx context.Context, dir string) error {
		return x.buildExternal(ctx, src, dir)
	})
	if err != nil {
		return nil, err
	}
	x.Source = filepath.Join(dir, "src")
	b, err := os.ReadFile(filepath.Join(dir, "facts.json"))
	if err != nil {
		return nil, err
	}
	var f facts
	if err := json.Unmarshal(b, &f); err != nil {
		return nil, fmt.Errorf("file %q: %w", filepath.Join(dir, "facts.json"), err)
	}
	x.units, err = readExternal(x, finished{dir: x.Source, was: f.Built}, src.Origin)
	return x, err
}

// externalKey names what out-of-tree modules are made from. The key of a finished build says where that is, not what it has built.
func (t *Tree) externalKey(src *source.Tree) string {
	parts := []string{t.Key, "external", src.ID}
	if b, ok := t.units.(*build); ok {
		parts = append(parts, b.users.key)
	}
	return shortHash(parts...)
}

// buildExternal fills the cache folder: a copy of the source, in which kbuild has worked.
func (t *Tree) buildExternal(ctx context.Context, src *source.Tree, dir string) error {
	to := filepath.Join(dir, "src")
	if _, err := process.Run(ctx, process.Cmd{Path: "cp", Args: []string{"-a", "--reflink=auto", "--", src.Dir, to}}); err != nil {
		return err
	}
	if err := forget(to); err != nil {
		return err
	}
	res, err := t.make(ctx, nil, "-C", t.kernel, "O="+t.Object, "M="+to, "modules")
	t.Prepared.add(res)
	if err != nil {
		err = t.buildError("module source "+src.Origin, to, res, err)
		return needsOthers(err)
	}
	f := finished{dir: to, was: to}
	if modules, err := f.modules(); err != nil {
		return err
	} else if len(modules) == 0 {
		return &pkgfmt.InputError{Path: src.Origin, Want: "source of an out-of-tree module: a Kbuild or Makefile that sets obj-m", Got: "one by which kbuild makes no module for this kernel"}
	}
	b, err := json.Marshal(facts{Built: to})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "facts.json"), b, 0o644)
}

// forget removes what an earlier build in the source folder may have left and kbuild would take for its own work.
func forget(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if name := d.Name(); strings.HasPrefix(name, ".") && strings.HasSuffix(name, ".cmd") || name == "modules.order" || name == "Module.symvers" {
			return os.Remove(path)
		}
		return nil
	})
}

var undefinedSymbol = regexp.MustCompile(`modpost: "(\S+)" \[\S+\] undefined!`)

// needsOthers says of modpost's error for a symbol that nobody exports what may be behind it.
func needsOthers(err error) error {
	if b, ok := err.(*BuildError); ok && undefinedSymbol.MatchString(b.Log) {
		b.FirstError = fmt.Sprintf("symbol %q: neither the kernel nor a module of this source exports it; symbols of other out-of-tree modules (KBUILD_EXTRA_SYMBOLS) are not supported",
			undefinedSymbol.FindStringSubmatch(b.Log)[1])
	}
	return err
}

func readExternal(t *Tree, f finished, origin string) (*external, error) {
	x := &external{Tree: t, finished: f, read: map[string]*finishedUnit{}}
	var err error
	if x.modules, err = f.modules(); err != nil {
		return nil, err
	}
	for _, m := range x.modules {
		for _, o := range m.Objects {
			if x.read[o] != nil {
				continue
			}
			if x.read[o], err = f.unit(o); err != nil {
				return nil, fmt.Errorf("module source %q: %w", origin, err)
			}
		}
	}
	return x, nil
}

// load gives the record of a unit, with its folder named in __FILE__ as it was where the shipped module was built.
// Otherwise it is named as in the kernel's own tree: not at all.
func (x *external) load(_ context.Context, unit string) (*record, Cost, error) {
	u := x.read[unit]
	if u == nil {
		return nil, Cost{}, fmt.Errorf("unit %q: the module source has none of this name", unit)
	}
	inv, err := x.invocation(u)
	if err != nil {
		return nil, Cost{}, err
	}
	named := x.shipped
	if named != "" {
		named += "/"
	}
	inv.Words = slices.Insert(inv.Words, len(inv.Words)-1, "-fmacro-prefix-map="+x.dir+"/="+named)
	r := &record{Object: moved(u.Name, x.was, x.dir), Command: inv, workdir: x.Object, key: shortHash(x.Key, unit), built: filepath.Join(x.dir, unit)}
	if !filepath.IsAbs(r.Object) { // since Linux 6.13
		r.workdir = x.Source
	}
	return r, Cost{}, nil
}

// record has nothing to do: kbuild has compiled all units.
func (x *external) record(context.Context, []string) (Cost, error) { return Cost{}, nil }

// checkGenerated accepts all: these files are not the kernel's.
func (x *external) checkGenerated(context.Context, map[string][]byte) error { return nil }

// everyUnit lists the units in the order of modules.order.
func (x *external) everyUnit(context.Context) ([]Owner, error) {
	var units []Owner
	for _, m := range x.modules {
		for _, o := range m.Objects {
			if s := x.read[o].Source; path.Ext(s) == ".c" {
				units = append(units, Owner{File: s, Kind: InModule, Unit: o, Source: s, Target: module.NameOf(m.KO), Module: m.KO})
			}
		}
	}
	return units, nil
}

// ownersOf says what the build makes of a file of the modules' source. Headers too: a finished build knows who reads them.
func (x *external) ownersOf(_ context.Context, file string) ([]Owner, error) {
	var owners []Owner
	kind := classify(file)
	for _, m := range x.modules {
		for _, o := range m.Objects {
			u := x.read[o]
			switch {
			case !slices.Contains(u.Deps, file):
			case path.Ext(u.Source) == ".c":
				owners = append(owners, Owner{File: file, Kind: InModule, Unit: o, Source: u.Source, Target: module.NameOf(m.KO), Module: m.KO})
			default:
				owners = append(owners, Owner{File: file, Kind: Assembly})
			}
		}
	}
	switch {
	case len(owners) > 0:
		return owners, nil
	case kind == Header || kind == Assembly || kind == Separate: // no object is made from it
		kind = NotBuilt
	}
	return []Owner{{File: file, Kind: kind}}, nil
}

// Modules are the names, as lsmod shows them, of the out-of-tree modules that this tree is the source of; none for the
// kernel's own tree.
func (t *Tree) Modules() []string {
	var names []string
	if x, ok := t.units.(*external); ok {
		for _, m := range x.modules {
			names = append(names, module.NameOf(m.KO))
		}
	}
	return names
}

// Exports is the Module.symvers of the out-of-tree modules.
func (t *Tree) Exports() string { return filepath.Join(t.Source, "Module.symvers") }

// BuiltIn finds out in which folder shipped out-of-tree modules were built: before Linux 6.13 the strings that __FILE__
// becomes have it. text is the strings of the shipped modules. Where they name exactly one folder, units of the tree are
// compiled with that name for theirs; it is "" where they name none or several. To be called before Compile.
func (t *Tree) BuiltIn(text []string) string {
	x, ok := t.units.(*external)
	if !ok {
		return ""
	}
	var files []string
	for _, u := range x.read {
		files = append(files, u.Deps...)
	}
	x.shipped = buildFolder(text, files)
	t.Key = shortHash(t.Key, x.shipped)
	return x.shipped
}

// buildFolder is the one absolute folder in which strings name some of files, which are relative to it. Of files that a
// string can mean, it means the one with the longest name.
func buildFolder(text, files []string) string {
	found := ""
	for _, s := range text {
		if !filepath.IsAbs(s) {
			continue
		}
		s, longest := path.Clean(s), ""
		for _, f := range files {
			if strings.HasSuffix(s, "/"+f) && len(f) > len(longest) {
				longest = f
			}
		}
		if longest == "" {
			continue
		}
		dir := strings.TrimSuffix(s, "/"+longest)
		if found != "" && found != dir {
			return ""
		}
		found = dir
	}
	return found
}
