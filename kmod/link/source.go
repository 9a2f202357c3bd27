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
	// Modules are the targets but vmlinux of all units, those among them of which nothing is replaced: see Objects.
	Modules []string
	// Symbols says for each undefined symbol of the extracts what it stands for.
	Symbols map[string]Symbol
	// Late says that the kernel writes into the module when a patched module is there: see kernel/unload.c.
	Late bool
	// Clears says that the module itself clears what is written into it for a patched module, when that is unloaded.
	Clears bool
	// States are the variables that the update adds to modules, which begin anew whenever the module is loaded.
	States []State `json:"States,omitempty"`
}

// Symbol is what an undefined symbol of the extracts stands for.
type Symbol struct {
	match.Binding
	// Patched is the object whose loading resolves the symbol: vmlinux.Object stands for that of the update itself. What
	// is in a module is resolved when the module is loaded whose code refers to it.
	Patched string `json:"patched"`
	// Offset is how far behind the symbol the place is: of a constant of the shipped binary that has no name.
	Offset uint64 `json:"offset,omitempty"`
}

// Object is one object that the update patches, with the splices in it.
type Object struct {
	Name    string
	Splices []Splice // none for a module to which the update only adds code
}

// Objects groups the splices: vmlinux first, then modules by name. A module of which nothing is replaced is one of them, since the
// kernel fills in references to modules only for those that a livepatch lists. That of vmlinux it does without.
//
// Source: klp_apply_section_relocs and klp_init_patch_early, kernel/livepatch/core.c, v5.10 to v7.2: an object needs an array of
// functions, which may be empty.
func (p *Plan) Objects() (out []Object) {
	for _, m := range p.Modules {
		out = append(out, Object{Name: m})
	}
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
	p := &Plan{Module: module, Symbols: map[string]Symbol{}, States: states(units)}
	var errs []error
	var refused diff.Refusals
	defined, err := newGlobals(units)
	if err != nil {
		return nil, err
	}
	for _, u := range units {
		if u.Target != vmlinux.Object && !slices.Contains(p.Modules, u.Target) {
			p.Modules = append(p.Modules, u.Target)
		}
		errs = append(errs, u.Match.Conflicts())
		for _, pre := range u.Diff.Touched() {
			if why := u.Match.NotInUse(pre); why != "" {
				refused = append(refused, diff.Refusal{Code: diff.WeakFunction, Unit: u.Diff.Unit, Subject: pre.Name, Source: u.Diff.Pre.Source(pre),
					Reason: "the function is weak, and nothing shows that this definition is the one in the kernel: " + why, Remedy: "patch the definition that the kernel uses"})
				continue
			}
			_, _, err := u.Match.Replaced(pre)
			errs = append(errs, err)
		}
		for _, f := range u.Extract.Functions {
			if f.Pre == nil {
				continue
			}
			if u.Match.NotInUse(f.Pre) != "" {
				continue // refused above
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
			b, offset, err := u.resolve(n)
			errs = append(errs, err)
			refused = append(refused, uncertain(u, b)...)
			s := Symbol{Binding: b, Patched: vmlinux.Object, Offset: offset}
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

// resolve finds the place that an undefined symbol of the extract stands for.
func (u Unit) resolve(n diff.Need) (b match.Binding, offset uint64, err error) {
	if n.Constant == nil {
		b, err = u.Match.Resolve(n)
		return b, 0, err
	}
	s, ok := u.Match.Shipped(n.Constant)
	if !ok {
		return b, 0, fmt.Errorf("%s: %s: the running kernel has no copy that can be referred to", u.Diff.Unit, n.Constant)
	}
	return s.Binding, s.Offset, nil
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

// newGlobals are the names of the global functions and data that the update adds. Two targets can each add one of a name,
// and then they are two: the module's link has room for one.
func newGlobals(units []Unit) (map[string]bool, error) {
	out := map[string]bool{}
	for target, names := range NewGlobals(units) {
		for name, g := range names {
			if out[name] || len(g) > 1 {
				return nil, fmt.Errorf("symbol %q: more than one unit adds it, %s of %s among them", name, g[0].Unit.Diff.Unit, target)
			}
			out[name] = true
		}
	}
	return out, nil
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
		defines += stateDefine(p.States)
		files["unload.c"] = append([]byte(defines), unloadSource...)
	}
	var b bytes.Buffer
	err := moduleTemplate.Execute(&b, data)
	files["main.c"] = b.Bytes()
	return files, err
}
