// Package link makes the livepatch module of an update: the C source that kbuild compiles, the objects that kbuild
// links with it, the klp relocations after that, and the check that the finished module is what diff and match said.
package link

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"text/template"

	"livesplice/kmod/diff"
	"livesplice/kmod/match"
	"livesplice/kmod/vmlinux"
)

// Unit is one unit of an update, ready to be linked.
type Unit struct {
	Target  string // vmlinux.Object, or the module that the unit is part of, as lsmod shows it
	Diff    *diff.Result
	Match   *match.Result
	Extract *diff.Extract
}

// Splice is one replaced function.
type Splice struct {
	Unit   string
	Place  vmlinux.Place
	Size   uint64 // bytes replaced
	SHA256 string // of the replaced bytes, hex
	Entry  string // the symbol of the new function during the link
	New    string // its own name
}

// Plan is what a module holds: the splices in order of units, and where each undefined symbol goes.
type Plan struct {
	Module  string // kernel module name
	Splices []Splice
	// Symbols says for each undefined symbol of the extracts what it stands for.
	Symbols map[string]Symbol
	// Late says that the kernel writes into the module when a patched module is there: see kernel/unload.c.
	Late bool
	// Clears says that the module itself clears what is written into it for a patched module, when that is unloaded.
	Clears bool
}

// Symbol is what an undefined symbol of the extracts stands for.
type Symbol struct {
	match.Binding
	// Patched is the object whose loading resolves the symbol: vmlinux.Object stands for that of the update itself. What
	// is in a module is resolved when the module is loaded whose code refers to it.
	Patched string `json:"patched"`
}

// Object is one object that the update patches, with the splices in it.
type Object struct {
	Name    string
	Splices []Splice
}

// Objects groups the splices: vmlinux first, then modules by name.
func (p *Plan) Objects() (out []Object) {
	for _, s := range p.Splices {
		i := slices.IndexFunc(out, func(o Object) bool { return o.Name == s.Place.Object })
		if i < 0 {
			i, out = len(out), append(out, Object{Name: s.Place.Object})
		}
		out[i].Splices = append(out[i].Splices, s)
	}
	rank := func(o Object) int {
		if o.Name == vmlinux.Object {
			return 0
		}
		return 1
	}
	slices.SortFunc(out, func(a, b Object) int { return cmp.Or(rank(a)-rank(b), strings.Compare(a.Name, b.Name)) })
	return out
}

// NewPlan proves every function to be replaced and resolves every undefined symbol of the units' extracts. All that
// cannot be proven is in one *match.Mismatch; what only all units and the shipped kernel together show to be unsafe is
// diff.Refusals.
func NewPlan(module string, units []Unit) (*Plan, error) {
	p := &Plan{Module: module, Symbols: map[string]Symbol{}}
	var errs []error
	var refused diff.Refusals
	defined := newGlobals(units)
	for _, u := range units {
		errs = append(errs, u.Match.Conflicts())
		for _, pre := range u.Diff.Touched() {
			_, _, err := u.Match.Replaced(pre)
			errs = append(errs, err)
		}
		for _, f := range u.Extract.Functions {
			if f.Pre == nil {
				continue
			}
			b, code, err := u.Match.Replaced(f.Pre)
			errs = append(errs, err)
			refused = append(refused, uncertain(u, b)...)
			p.Splices = append(p.Splices, Splice{Unit: u.Diff.Unit, Place: b.Place, Size: uint64(len(code)),
				SHA256: fmt.Sprintf("%x", sha256.Sum256(code)), Entry: f.Entry.Name, New: f.Post.Name})
		}
		for _, n := range u.Extract.Needs {
			if n.Pre == nil && defined[n.Name] {
				continue // another unit of the update brings it
			}
			b, err := u.Match.Resolve(n)
			errs = append(errs, err)
			refused = append(refused, uncertain(u, b)...)
			s := Symbol{Binding: b, Patched: vmlinux.Object}
			if b.Object != vmlinux.Object {
				s.Patched = u.Target
			}
			if known, ok := p.Symbols[n.Sym.Name]; ok && err == nil && (known.At() != s.At() || known.Patched != s.Patched) {
				errs = append(errs, fmt.Errorf("symbol %q: %s in one unit, %s at another address in the next", n.Sym.Name, known.Name, b.Name))
			}
			p.Symbols[n.Sym.Name] = s
		}
	}
	if err := match.Join(errs...); err != nil {
		return nil, err
	}
	return p, refuse(units, refused)
}

// uncertain refuses a symbol of a module that livepatch cannot tell from others: which of those of one name there are
// depends on whether the module is just being loaded, when those of its init sections count too.
func uncertain(u Unit, b match.Binding) diff.Refusals {
	if b.SymPos >= 0 {
		return nil
	}
	return diff.Refusals{{Code: diff.NotExtractable, Unit: u.Diff.Unit, Subject: b.Name,
		Reason: "module " + b.Object + " has another symbol of this name in its init code, so that livepatch finds a different one while the module loads",
		Remedy: "change a caller of the function instead, or ship the module"}}
}

// newGlobals are the global functions and data that the update adds.
func newGlobals(units []Unit) map[string]bool {
	out := map[string]bool{}
	for _, u := range units {
		for _, s := range u.Extract.Obj.Symbols {
			if s.Section != nil && s.Bind != 0 {
				out[s.Name] = true
			}
		}
	}
	return out
}

//go:embed kernel/module.c.tmpl
var moduleSource string

var moduleTemplate = template.Must(template.New("module.c").Funcs(template.FuncMap{"quote": strconv.Quote}).Parse(moduleSource))

//go:embed kernel/unload.c
var unloadSource []byte

// unloaded and patched are the functions in unload.c that the kernel calls for a module.
const (
	unloaded = "livesplice_unloaded"
	patched  = "livesplice_patched"
)

// ForgetUnloaded has the module see to what the kernel writes into it for a patched module. When that is unloaded, the
// kernel itself clears it since Linux 6.3: the shipped vmlinux is asked for that, and for what clearing needs.
//
// Source: clear_relocate_add, arch/x86/kernel/module.c, since v6.3.
func (p *Plan) ForgetUnloaded(kernel match.Run) error {
	p.Late = p.modules() > 0
	p.Clears = p.Late && len(kernel.Lookup("clear_relocate_add")) == 0
	if !p.Late {
		return nil
	}
	for _, name := range []string{"text_poke", "text_mutex"} {
		found := kernel.Globals(name)
		if len(found) != 1 {
			return fmt.Errorf("symbol %q: %d in the shipped kernel, want one, to clear references to modules that are unloaded", name, len(found))
		}
		p.Symbols[name] = Symbol{Binding: match.Binding{Place: found[0], By: "name"}, Patched: vmlinux.Object}
	}
	return nil
}

// modules is how many modules are patched.
func (p *Plan) modules() (n int) {
	for _, o := range p.Objects() {
		if o.Name != vmlinux.Object {
			n++
		}
	}
	return n
}

// Sources are the C files of the module, by name. release is the kernel's uname -r, for the module's description.
func (p *Plan) Sources(id, release, description string, replace bool) (map[string][]byte, error) {
	data := map[string]any{"ID": id, "Release": release, "Description": description, "Objects": p.Objects(), "VMLinux": vmlinux.Object, "Replace": replace,
		"Late": p.Late, "Unloaded": unloaded, "Patched": patched}
	files := map[string][]byte{}
	if p.Late {
		defines := fmt.Sprintf("#define LIVESPLICE_MODULES %d\n", p.modules())
		if p.Clears {
			defines += "#define LIVESPLICE_CLEARS\n"
		}
		files["unload.c"] = append([]byte(defines), unloadSource...)
	}
	var b bytes.Buffer
	err := moduleTemplate.Execute(&b, data)
	files["main.c"] = b.Bytes()
	return files, err
}
