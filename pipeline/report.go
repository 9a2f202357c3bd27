package pipeline

import (
	"strings"

	"livesplice/kmod/diff"
	"livesplice/kmod/finding"
	"livesplice/kmod/link"
	"livesplice/kmod/livepatch"
	"livesplice/kmod/match"
	"livesplice/kmod/vmlinux"
)

// Report is what an update is and how each of its parts was proven. The same inputs give the same report.
type Report struct {
	ID       string       `json:"id"`
	Module   string       `json:"module"`
	Release  string       `json:"release"`
	BuildID  string       `json:"build_id"`
	Compiler string       `json:"compiler"`
	Revision int          `json:"revision"`
	Replace  bool         `json:"replace"`
	Units    []UnitReport `json:"units"`
	Packages []string     `json:"packages"`
	// Warnings are what to look at before the update is applied. docs/refusals.md says what each code means.
	Warnings finding.Warnings `json:"warnings,omitempty"`
	// Unload says whether the module may be unloaded after the update is undone, and if not, why.
	Unload *livepatch.Unload `json:"unload"`
	// Notes are what was said while the update was made: what is left out, and why.
	Notes []string `json:"notes,omitempty"`
}

// UnitReport is one unit of an update.
type UnitReport struct {
	Source    string           `json:"source"`
	Target    string           `json:"target"`
	Counts    diff.Counts      `json:"counts"`
	Strict    int              `json:"strict"`      // functions proven by their bytes
	ByInsn    int              `json:"instruction"` // functions proven instruction by instruction
	Unmatched int              `json:"unmatched"`   // functions not located, which the update neither replaces nor refers to
	Replaced  []FunctionReport `json:"replaced"`
	Carried   []string         `json:"carried,omitempty"` // new functions, and copies that replaced ones call
	Symbols   []SymbolReport   `json:"symbols"`           // places of the running kernel that the update refers to
}

// FunctionReport is one replaced function.
type FunctionReport struct {
	Name    string      `json:"name"`
	SymPos  int         `json:"sympos"`
	Address vmlinux.Hex `json:"address"` // link-time address; in a module, where livesplice laid it out
	Size    uint64      `json:"size"`    // bytes
	Proof   match.Proof `json:"proof"`
	By      string      `json:"by"`
	Why     string      `json:"why"` // why it is replaced
	SHA256  string      `json:"sha256"`
}

// SymbolReport is one symbol and how its place was found.
type SymbolReport struct {
	Object  string      `json:"object"` // "vmlinux", or the module that has it
	Name    string      `json:"name"`
	SymPos  int         `json:"sympos"`
	Address vmlinux.Hex `json:"address"`
	By      string      `json:"by"`
	// Offset is how far behind the symbol the update refers to a constant that has no name, in bytes.
	Offset uint64 `json:"offset,omitempty"`
}

func (c *creation) report() *Report {
	r := &Report{ID: c.id, Module: c.link.Module, Release: c.kernel.Release, BuildID: c.kernel.BuildID.String(), Compiler: c.kernel.Compiler,
		Revision: c.opts.Revision, Replace: !c.opts.Stack, Warnings: c.warnings, Unload: c.unload, Notes: c.notes}
	for _, u := range c.units {
		ur := UnitReport{Source: u.Diff.Unit, Target: u.Target, Counts: u.Diff.Counts, Strict: u.Match.Strict, ByInsn: u.Match.ByInsn, Unmatched: u.Match.Unmatched}
		proofs := map[string]match.Function{}
		for _, f := range u.Match.Functions {
			proofs[f.Name] = f
		}
		whys := map[string]string{}
		for _, ch := range u.Diff.Changes {
			whys[ch.Name] = ch.Why
		}
		for _, f := range u.Extract.Functions {
			if f.Pre == nil {
				ur.Carried = append(ur.Carried, f.Post.Name)
				continue
			}
			s := c.splice(f.Entry.Name)
			p := proofs[f.Pre.Name]
			ur.Replaced = append(ur.Replaced, FunctionReport{Name: s.Place.Name, SymPos: s.Place.SymPos, Address: vmlinux.Hex(s.Place.Addr), Size: s.Size,
				Proof: p.Proof, By: p.By, Why: whys[f.Post.Name], SHA256: s.SHA256})
		}
		for _, n := range u.Extract.Needs {
			if b, ok := c.link.Symbols[n.Sym.Name]; ok {
				ur.Symbols = append(ur.Symbols, SymbolReport{Object: b.Object, Name: b.Name, SymPos: b.SymPos, Address: vmlinux.Hex(b.Addr), Offset: b.Offset, By: b.By})
			}
		}
		r.Units = append(r.Units, ur)
	}
	return r
}

// function is the report on a splice.
func (r *Report) function(s link.Splice) FunctionReport {
	for _, u := range r.Units {
		for _, f := range u.Replaced {
			if u.Source == s.Unit && u.Target == s.Place.Object && f.Name == s.Place.Name && f.SymPos == s.Place.SymPos {
				return f
			}
		}
	}
	return FunctionReport{}
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return line
}
