package rebuild

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"livesplice/pkgfmt"
)

// finished is a folder in which kbuild has built modules, known by the files that it leaves there: modules.order lists the
// modules, <module>.mod the objects of each, .<object>.cmd the command and the files of each object.
//
// Source: cmd_modules_order and cmd_mod, scripts/Makefile.build; scripts/basic/fixdep.c; v5.10 to v6.1.
type finished struct {
	dir string // the folder
	was string // its name when kbuild ran: the files have that in them
}

// finishedModule is one module of a finished build.
type finishedModule struct {
	KO      string   // relative to the folder: "fs/ext4/ext4.ko"
	Objects []string // that it is linked from, relative to the folder
}

// finishedUnit is one object of a finished build.
type finishedUnit struct {
	Name   string   // the object as its command names it: absolute, or relative to where the command ran
	Source string   // relative to the folder; "" if kbuild did not make it from a source file, or from one elsewhere
	Deps   []string // files of the folder that it was made from, Source among them, relative to the folder
	text   string   // of the .cmd file
}

// modules lists what was built, in kbuild's order; none where there is no modules.order. Errors: *pkgfmt.InputError.
func (f finished) modules() ([]finishedModule, error) {
	list, err := os.ReadFile(filepath.Join(f.dir, "modules.order"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []finishedModule
	for _, line := range strings.Fields(string(list)) {
		name, ok := f.inside(line)
		stem, isKO := strings.CutSuffix(name, ".ko")
		if !isKO { // since Linux 6.3
			stem, isKO = strings.CutSuffix(name, ".o")
		}
		if !ok || !isKO {
			return nil, &pkgfmt.InputError{Path: filepath.Join(f.dir, "modules.order"), Want: "modules of this folder", Got: line}
		}
		objects, err := f.objects(stem)
		if err != nil {
			return nil, err
		}
		out = append(out, finishedModule{KO: stem + ".ko", Objects: objects})
	}
	return out, nil
}

// objects reads what a module is linked from. Before Linux 5.19 all are on the first line, and names of symbols may follow.
func (f finished) objects(stem string) ([]string, error) {
	file := filepath.Join(f.dir, stem+".mod")
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, &pkgfmt.InputError{Path: file, Want: "the list of a module's objects, as kbuild leaves it", Err: err}
	}
	var objects []string
	for _, word := range strings.Fields(string(text)) {
		if !strings.HasSuffix(word, ".o") {
			continue
		}
		o, ok := f.inside(word)
		if !ok {
			return nil, &pkgfmt.InputError{Path: file, Want: "objects of this folder", Got: word}
		}
		objects = append(objects, o)
	}
	return objects, nil
}

// unit reads the .cmd file of an object. Errors: *pkgfmt.InputError.
func (f finished) unit(object string) (*finishedUnit, error) {
	file := filepath.Join(f.dir, path.Dir(object), "."+path.Base(object)+".cmd")
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, &pkgfmt.InputError{Path: file, Want: "the command of an object, as kbuild leaves it", Err: err}
	}
	u := &finishedUnit{text: string(text)}
	for _, name := range []string{f.was + "/" + object, object} {
		if strings.Contains(u.text, "cmd_"+name+" := ") {
			u.Name = name
			break
		}
	}
	if u.Name == "" {
		return nil, &pkgfmt.InputError{Path: file, Want: "the command of " + object, Got: "none of that name"}
	}
	// Relative names are those of the folder in which the command ran, which is this one if the object's is relative.
	here := func(name string) (string, bool) {
		if !filepath.IsAbs(name) && filepath.IsAbs(u.Name) {
			return "", false
		}
		return f.inside(name)
	}
	u.Source, _ = here(savedSource(u.text, u.Name))
	for _, d := range savedDeps(u.text, u.Name) {
		if rel, ok := here(d); ok {
			u.Deps = append(u.Deps, rel)
		}
	}
	slices.Sort(u.Deps)
	u.Deps = slices.Compact(u.Deps)
	return u, nil
}

// inside makes a name in kbuild's files relative to the folder; false for "" and for what is elsewhere.
func (f finished) inside(name string) (string, bool) {
	name = strings.TrimPrefix(name, f.was+"/")
	return path.Clean(name), name != "" && filepath.IsLocal(name)
}

// invocation is the compiler's command of a unit, with paths as they are now.
func (f finished) invocation(u *finishedUnit) (invocation, error) {
	words, err := savedCommand(u.text, u.Name)
	if err != nil {
		return invocation{}, err
	}
	inv, err := newInvocation(words, u.Name)
	if err != nil {
		return invocation{}, err
	}
	for i, w := range inv.Words {
		inv.Words[i] = moved(w, f.was, f.dir)
	}
	inv.Input = moved(inv.Input, f.was, f.dir)
	return inv, nil
}
