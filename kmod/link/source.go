// Package link makes the livepatch module of an update: the C source that kbuild compiles, the objects that kbuild
// links with it, the klp relocations after that, and the check that the finished module is what diff and match said.
package link

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"fmt"
	"strconv"
	"text/template"

	"livesplice/kmod/diff"
	"livesplice/kmod/match"
)

// Unit is one unit of an update, ready to be linked.
type Unit struct {
	Diff    *diff.Result
	Match   *match.Result
	Extract *diff.Extract
}

// Splice is one replaced function.
type Splice struct {
	Unit   string
	Name   string // in the shipped symbol table
	SymPos int    // 0 when the name is unique
	Addr   uint64 // link-time address in the shipped kernel
	Size   uint64 // bytes replaced
	SHA256 string // of the replaced bytes, hex
	Entry  string // the symbol of the new function during the link
}

// Plan is what a module holds: the splices in order of units, and where each undefined symbol goes.
type Plan struct {
	Module  string // kernel module name
	Splices []Splice
	// Symbols says for each undefined symbol of the extracts what it stands for.
	Symbols map[string]match.Binding
}

// NewPlan proves every function to be replaced and resolves every undefined symbol of the units' extracts. All that
// cannot be proven is in one *match.Mismatch; what only all units and the shipped kernel together show to be unsafe is
// diff.Refusals.
func NewPlan(module string, units []Unit) (*Plan, error) {
	p := &Plan{Module: module, Symbols: map[string]match.Binding{}}
	var errs []error
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
			p.Splices = append(p.Splices, Splice{Unit: u.Diff.Unit, Name: b.Name, SymPos: b.SymPos, Addr: b.Addr, Size: uint64(len(code)),
				SHA256: fmt.Sprintf("%x", sha256.Sum256(code)), Entry: f.Entry.Name})
		}
		for _, n := range u.Extract.Needs {
			if n.Pre == nil && defined[n.Name] {
				continue // another unit of the update brings it
			}
			b, err := u.Match.Resolve(n)
			errs = append(errs, err)
			if known, ok := p.Symbols[n.Sym.Name]; ok && err == nil && known != b && known.Addr != b.Addr {
				errs = append(errs, fmt.Errorf("symbol %q: %s in one unit, %s at another address in the next", n.Sym.Name, known.Name, b.Name))
			}
			p.Symbols[n.Sym.Name] = b
		}
	}
	if err := match.Join(errs...); err != nil {
		return nil, err
	}
	return p, refuse(units)
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

//go:embed module.c.tmpl
var moduleSource string

var moduleTemplate = template.Must(template.New("module.c").Funcs(template.FuncMap{"quote": strconv.Quote}).Parse(moduleSource))

// Source is the C file of the module. release is the kernel's uname -r, for the module's description.
func (p *Plan) Source(id, release, description string, replace bool) ([]byte, error) {
	var b bytes.Buffer
	err := moduleTemplate.Execute(&b, map[string]any{"ID": id, "Release": release, "Description": description, "Splices": p.Splices, "Replace": replace})
	return b.Bytes(), err
}
