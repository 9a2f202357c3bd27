package diff

import (
	"debug/elf"
	"fmt"

	"livesplice/kmod/elfobj"
	"livesplice/kmod/unit"
)

// Common symbols are global variables without a place in the object, which the last link allocates. Kernels are compiled
// with -fno-common, which is gcc's own choice since version 10, but code from elsewhere may not be. Those of pre are
// globals of the running kernel like any other.

// commons gives the common symbols of an object by name.
func commons(u *unit.Unit) map[string]*elfobj.Symbol {
	out := map[string]*elfobj.Symbol{}
	for _, s := range u.Obj.Symbols {
		if isCommon(s) {
			out[s.Name] = s
		}
	}
	return out
}

func isCommon(s *elfobj.Symbol) bool { return s.Section == nil && s.Shndx == elf.SHN_COMMON }

// commonData refuses common symbols that got another size.
func (r *Result) commonData() {
	pre := commons(r.Pre)
	for _, s := range r.Post.Obj.Symbols {
		if was := pre[s.Name]; isCommon(s) && was != nil && was.Size != s.Size {
			r.Refusals = append(r.Refusals, Refusal{Code: DataChanged, Unit: r.Unit, Subject: s.Name,
				Reason: fmt.Sprintf("size (%d to %d bytes) of existing data changed, and the running kernel's copy may have changed since boot", was.Size, s.Size),
				Remedy: "change the code that uses it instead"})
		}
	}
}

// keptCommon says whether the running kernel has a common symbol of post.
func (r *Result) keptCommon(s *elfobj.Symbol) bool {
	return isCommon(s) && commons(r.Pre)[s.Name] != nil
}

// commonVerdicts gives the verdicts on common symbols, which are no items of sections.
func (r *Result) commonVerdicts() []itemVerdict {
	verdict := func(s *elfobj.Symbol, v Verdict) itemVerdict {
		return itemVerdict{kind: unit.Datum, ItemReport: ItemReport{Name: s.Name, Verdict: v, Section: "COMMON", Size: s.Size}}
	}
	var out []itemVerdict
	pre, post := commons(r.Pre), commons(r.Post)
	for _, s := range r.Post.Obj.Symbols {
		if !isCommon(s) {
			continue
		}
		v := verdict(s, Unchanged)
		switch was := pre[s.Name]; {
		case was == nil:
			v.Verdict = New
		case was.Size != s.Size:
			v.Verdict, v.Why = Changed, []Reason{{Because: SizeChanged}}
		}
		out = append(out, v)
	}
	for _, s := range r.Pre.Obj.Symbols {
		if isCommon(s) && post[s.Name] == nil {
			out = append(out, verdict(s, Removed))
		}
	}
	return out
}
