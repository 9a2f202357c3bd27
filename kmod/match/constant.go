package match

import (
	"bytes"

	"livesplice/kmod/unit"
	"livesplice/kmod/vmlinux"
)

// constants is what a shipped binary says of its constants. Source: Run is one.
type constants interface {
	// Constant gives the symbol from which livepatch can reach bytes that nobody writes to, and that stay.
	Constant(addr, n uint64) (vmlinux.Symbol, bool)
}

// Shipped is the copy that the shipped binary has of a constant.
type Shipped struct {
	Binding        // a symbol in front of it, in the same section
	Offset  uint64 // of the constant from that symbol
}

// Shipped finds the copy that the shipped binary has of a constant of post: a literal, or a named constant without references,
// that pre has too and that a proven function refers to. Its bytes there are those of post. It is false when there is none.
func (r *Result) Shipped(post *unit.Item) (s Shipped, ok bool) {
	run, ok := r.m.run.(constants)
	if !ok || post.Writable() || post.Bytes() == nil || len(post.Section.RelocsIn(post.Start, post.End)) > 0 {
		return s, false
	}
	for _, pre := range r.m.pre.Items {
		if pre.Kind != post.Kind || pre.Section.Name != post.Section.Name || !bytes.Equal(pre.Bytes(), post.Bytes()) ||
			pre.Kind != unit.Literal && unit.BaseName(pre.Name) != unit.BaseName(post.Name) {
			continue
		}
		addr, ok := r.LocatedConstant(pre)
		if !ok || addr%max(post.Section.Align, 1) != 0 && !post.Section.Strings() {
			continue
		}
		if have, ok := r.m.run.Bytes(addr, post.Size()); !ok || !bytes.Equal(have, post.Bytes()) {
			continue
		}
		if y, ok := run.Constant(addr, post.Size()); ok {
			if b, err := r.binding(y, "reference"); err == nil {
				return Shipped{b, addr - y.Addr}, true
			}
		}
	}
	return s, false
}

// LocatedConstant is where a proven function of the shipped binary refers to an item of pre; of literals there can be
// several copies, of which it is one.
func (r *Result) LocatedConstant(pre *unit.Item) (addr uint64, ok bool) {
	if pre.Kind == unit.Literal {
		addr, ok = r.m.literals[pre]
		return addr, ok
	}
	return r.Located(pre)
}
