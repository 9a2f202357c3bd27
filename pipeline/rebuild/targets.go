package rebuild

import (
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"livesplice/pkgfmt"
)

// target is one thing that a finished build has made from source.
type target struct {
	Name    string   // as kbuild names it, relative to the build folder
	Source  string   // relative to the source folder, or where the build made it to the build folder; "" if there is none
	Kind    Kind     // BuiltIn, Library, InModule, Assembly, Separate or Generated
	Modules []string `json:",omitempty"` // .ko files that it is linked into, relative to the build folder
}

// linkage says what objects are linked into, by their shortened names.
type linkage struct {
	builtin map[string]bool // in a built-in.a, all of which go into vmlinux
	library map[string]bool // in a lib.a that vmlinux takes from
	modules map[string][]string

	archives map[string]bool // that are members of a built-in.a
}

// addArchive enters the members of an archive. Archives among them are there by themselves.
func (l *linkage) addArchive(c *cmdFile) {
	name := path.Clean(c.Target)
	into := l.builtin
	switch {
	case path.Base(name) == "lib.a" && !ownProgram(name):
		into = l.library
	case path.Base(name) != "built-in.a":
		return
	}
	for _, m := range c.members() {
		switch path.Ext(m) {
		case ".o":
			into[path.Clean(m)] = true
		case ".a":
			l.archives[path.Clean(m)] = true
		}
	}
}

func (l *linkage) addModules(modules []finishedModule) {
	for _, m := range modules {
		for _, o := range m.Objects {
			if o = path.Clean(o); !slices.Contains(l.modules[o], m.KO) {
				l.modules[o] = append(l.modules[o], m.KO)
			}
		}
	}
}

// complete makes sure that there is a .cmd file for each object that archives and modules have been made of: of a folder that was
// cleaned, or is reached through a symbolic link, nothing would be known to read a header. Finished objects that the source has
// (.o_shipped) are copied without one.
func (b *usersBuilder) complete(l *linkage) error {
	found := map[string]bool{}
	for _, t := range b.found {
		found[path.Clean(t.cmd.Target)] = true
	}
	var missing []string
	for _, objects := range []map[string]bool{l.archives, l.builtin, l.library} {
		for o := range objects {
			missing = append(missing, o)
		}
	}
	for o := range l.modules {
		missing = append(missing, o)
	}
	missing = slices.DeleteFunc(missing, func(o string) bool { return found[o] || isFile(filepath.Join(b.source, o+"_shipped")) })
	if len(missing) == 0 {
		return nil
	}
	slices.Sort(missing)
	missing = slices.Compact(missing)
	got := "no .cmd file of " + strings.Join(missing[:min(len(missing), 3)], ", ")
	if more := len(missing) - 3; more > 0 {
		got += fmt.Sprintf(" and %d more", more)
	}
	return &pkgfmt.InputError{Path: b.dir, Want: "a finished kernel build, with the .cmd files of all that it was made of", Got: got + ": a part of it was cleaned or is elsewhere"}
}

// classify says what a target is; ok is false for what no patch of the source changes by itself: links, archives, and what
// modpost and kallsyms write.
func (l *linkage) classify(c *cmdFile, source string) (t target, ok bool) {
	name := path.Clean(c.Target)
	base, ext := path.Base(name), path.Ext(name)
	t = target{Name: c.Target, Source: source, Modules: l.modules[name]}
	switch {
	case !c.Fixdep && slices.Contains([]string{".a", ".o", ".ko", ".mod", ".usyms", ".order", ".symversions"}, ext),
		!c.Fixdep && (base == "vmlinux" || strings.HasPrefix(base, "bzImage")),
		strings.HasPrefix(base, "."), strings.HasSuffix(base, ".mod.o"), ext == ".hdrtest",
		strings.HasPrefix(name, "usr/include/"): // headers for programs (make headers_install), which the packages' targets leave
		return t, false
	case ext != ".o" || !c.Fixdep || !strings.Contains(c.Command, " -D__KERNEL__"):
		t.Kind = Generated
	case path.Ext(source) == ".S" && (l.builtin[name] || l.library[name] || len(t.Modules) > 0):
		t.Kind = Assembly
	case l.builtin[name]:
		t.Kind = BuiltIn
	case l.library[name]:
		t.Kind = Library
	case len(t.Modules) > 0:
		t.Kind = InModule
	default:
		t.Kind = Separate
	}
	return t, true
}

func ownProgram(name string) bool {
	return slices.ContainsFunc(ownPrograms, func(p string) bool { return strings.HasPrefix(name, p) })
}
