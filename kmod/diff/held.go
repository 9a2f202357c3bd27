package diff

import (
	"fmt"
	"slices"
	"strings"

	"livesplice/kmod/unit"
)

// The running kernel is the code of pre, and all that this has ever stored: a timer that was set up before the update has the
// address that pre gave it. So who calls a function, and who has the address of a function or datum, is asked of pre and of
// post, and code that has run for the last time counts.

// uses are those of one function, in one of the two objects.
type uses struct {
	// by are the functions that call it directly.
	by []*unit.Item
	// holder has its address, or a place in it, otherwise; nil if nobody has.
	holder *unit.Item
}

// functionUses gives the uses of each function of a unit, by all items and the entries of special sections that belong to them.
func (r *Result) functionUses(u *unit.Unit) (map[*unit.Item]uses, error) {
	out := map[*unit.Item]uses{}
	note := func(it *unit.Item, ref unit.Ref, own bool) {
		if ref.To == nil || ref.To.Kind != unit.Function {
			return
		}
		if ref.To == it || ref.To.Parent == it || it.Parent == ref.To {
			// A function that arms a timer with itself hands its address out. Places in it, and entries about its own code, are
			// none of anybody else.
			if own || ref.Direct || ref.ToOffset != 0 || ref.To.Parent != nil {
				return
			}
		}
		use := out[ref.To]
		if it.Kind == unit.Function && ref.Direct && ref.ToOffset == 0 {
			use.by = append(use.by, it)
		} else if use.holder == nil {
			use.holder = it
		}
		out[ref.To] = use
	}
	byName := kfuncs(u)
	for _, it := range u.Items {
		if by := byName[it.Name]; by != nil && it.Kind == unit.Function {
			out[it] = uses{by: out[it].by, holder: by}
		}
		refs, err := u.Refs(it)
		if err != nil {
			return nil, err
		}
		for _, ref := range refs {
			note(it, ref, false)
		}
		for _, e := range r.cmp.special[u][it] {
			for _, ref := range slices.Concat(e.Refs, e.Replacement.Refs) {
				note(it, ref, true)
			}
		}
	}
	return out, nil
}

// kfuncs gives the BTF ids by the functions that they name: the verifier of BPF programs looks the address of such a function up
// in kallsyms, by its name, and puts it into the programs.
//
// Source: include/linux/btf_ids.h and kernel/bpf/verifier.c, add_kfunc_call, v6.1.
func kfuncs(u *unit.Unit) map[string]*unit.Item {
	out := map[string]*unit.Item{}
	for _, it := range u.Items {
		for _, y := range it.Syms {
			if rest, ok := strings.CutPrefix(y.Name, "__BTF_ID__func__"); ok && strings.Contains(rest, "__") {
				out[rest[:strings.LastIndex(rest, "__")]] = it
			}
		}
	}
	return out
}

// holder says of an item that it has the address of another: "g (drivers/x.c:12) of the shipped code computes its address".
func (r *Result) holder(u *unit.Unit, it *unit.Item) string {
	name, whose, verb := it.Name, "shipped", "holds"
	if u == r.Post {
		whose = "patched"
	}
	if it.Section.Exec() {
		verb = "computes"
	}
	if at := u.Source(it); at != "" {
		name += fmt.Sprintf(" (%s)", at[strings.LastIndexByte(at, '/')+1:])
	}
	return fmt.Sprintf("%s of the %s code %s its address", name, whose, verb)
}

// notThroughCallers says why replacing the callers of a function of post is not enough; "" where that is not the reason.
func (r *Result) notThroughCallers(post *unit.Item) string {
	if by := r.holders[post]; by != "" {
		return "; nor is it enough to replace its callers: " + by
	}
	return ""
}
