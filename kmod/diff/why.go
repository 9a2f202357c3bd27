package diff

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"

	"livesplice/kmod/unit"
)

// Because names a kind of reason for which a function or datum differs.
type Because string

// The kinds of reasons. docs/diff-json.md describes each.
const (
	OwnCode        Because = "own-code"       // the first differing instruction is the function's own
	Inlining       Because = "inlining"       // code that was inlined differs
	CodeChanged    Because = "code"           // code differs, and no debug information tells whose it is
	OtherReference Because = "reference"      // the same code refers to something else
	ConstantChange Because = "constant"       // a string or another constant of its own differs
	NewDatum       Because = "new-data"       // refers to a datum that pre does not have
	NewFunction    Because = "new-function"   // refers to a function that pre does not have
	CloneAppeared  Because = "clone-appeared" // refers to a new clone of a function
	CloneVanished  Because = "clone-vanished" // no longer refers to a clone, which is gone
	TableEntry     Because = "table-entry"    // an entry of a special section differs
	PartChanged    Because = "part"           // its cold part differs
	CalleeCarried  Because = "carries-callee" // it calls a changed function that ftrace cannot redirect
	SizeChanged    Because = "size"           // of a datum
	ContentChanged Because = "content"        // of a datum
	Moved          Because = "storage"        // a datum is kept in another way: constant, variable, per CPU
)

// Reason is one reason for which a function or datum differs.
type Reason struct {
	Because Because `json:"because"`
	// Of is the function, datum or section that it is about; empty for code and content of the item itself.
	Of string `json:"of,omitempty"`
	// At is the offset in bytes of the first difference, equal in pre and post.
	At *uint64 `json:"at,omitempty"`
	// Detail says more in words.
	Detail string `json:"detail,omitempty"`
}

// String is how the first reason is told in reports of updates.
func (r *Reason) String() string {
	switch r.Because {
	case OtherReference, ConstantChange:
		return "reference to " + r.Of
	case TableEntry:
		return "entry in a special section"
	case PartChanged:
		return "its part " + r.Of + " changed"
	case CalleeCarried:
		return "calls " + r.Of + ", which ftrace cannot redirect"
	}
	return "code"
}

// Text is the reason in words.
func (r Reason) Text() string {
	text := map[Because]string{
		OwnCode: "its own code", Inlining: "inlining of " + r.Of, CodeChanged: "code", OtherReference: "reference to " + r.Of,
		ConstantChange: "constant " + r.Of,
		NewDatum:       "refers to " + r.Of + ", which is new", NewFunction: "refers to " + r.Of + ", which is new",
		CloneAppeared: "clone " + r.Of + " appeared", CloneVanished: "clone " + r.Of + " vanished",
		TableEntry: "entry in " + r.Of, PartChanged: "its part " + r.Of + " changed",
		CalleeCarried: "calls " + r.Of + ", which ftrace cannot redirect",
		SizeChanged:   "size", ContentChanged: "content", Moved: "storage",
	}[r.Because]
	if r.Detail != "" {
		text += " (" + r.Detail + ")"
	}
	return text
}

// whyChanged compares two functions and gives the first difference; nil means none.
func (r *Result) whyChanged(pre, post *unit.Item) (*Reason, error) {
	same, err := r.cmp.function(pre, post)
	if err != nil || same {
		return nil, err
	}
	if pre.Size() != post.Size() {
		return &Reason{Because: CodeChanged}, nil
	}
	a, b, err := r.cmp.refs(pre, post)
	if err != nil {
		return nil, err
	}
	if len(a) != len(b) || !r.cmp.equalOutside(pre.Bytes(), post.Bytes(), a) && !r.cmp.sameButLines(pre, post, a) {
		return &Reason{Because: CodeChanged}, nil
	}
	for i := range a {
		if a[i].Offset != b[i].Offset || !r.Pre.SameReloc(a[i].Type, b[i].Type) || !r.cmp.target(a[i], b[i]) {
			return r.whyReference(a[i], b[i]), nil
		}
	}
	return &Reason{Because: TableEntry, Of: r.differingTable(pre, post)}, nil
}

// whyReference tells how two references differ.
func (r *Result) whyReference(a, b unit.Ref) *Reason {
	out := &Reason{Because: OtherReference, Of: b.Name(), At: &b.Offset}
	if a.To == nil || b.To == nil || !Fresh(a.To) || !Fresh(b.To) {
		return out
	}
	out.Because = ConstantChange
	if was, is := text(a.To), text(b.To); was != "" && is != "" {
		out.Detail = was + " became " + is
	}
	return out
}

// text gives a string as C would write it; "" for what is no string, or a long one.
func text(it *unit.Item) string {
	const long = 80 // bytes
	s, end := bytes.CutSuffix(it.Bytes(), []byte{0})
	if !it.Section.Strings() || !end || len(s) > long || !utf8.Valid(s) {
		return ""
	}
	return strconv.Quote(string(s))
}

// differingTable is the first special section in which entries of two functions differ.
func (r *Result) differingTable(pre, post *unit.Item) string {
	a, b := r.cmp.special[r.Pre][pre], r.cmp.special[r.Post][post]
	for i := range max(len(a), len(b)) {
		switch {
		case i >= len(a):
			return b[i].Section.Name
		case i >= len(b):
			return a[i].Section.Name
		}
		if same, err := r.cmp.entry(a[i], b[i]); err != nil || !same {
			return b[i].Section.Name
		}
	}
	return ""
}

// reasons are all reasons for which a changed function differs, the first difference first.
func (r *Result) reasons(pre, post *unit.Item, first *Reason) []Reason {
	main := *first
	if main.Because == CodeChanged {
		main = r.whoseCode(pre, post)
	}
	l := &reasonList{list: []Reason{main}}
	if first.Because == CodeChanged {
		r.inlinedCalls(l, pre, post)
	}
	if first.Because != PartChanged && first.Because != CalleeCarried {
		r.appeared(l, pre, post)
	}
	return l.list
}

// reasonList is a list without two reasons of a kind about the same thing.
type reasonList struct{ list []Reason }

func (l *reasonList) add(n Reason) {
	for _, have := range l.list {
		if have.Because == n.Because && have.Of == n.Of {
			return
		}
	}
	l.list = append(l.list, n)
}

// appeared adds what a function refers to newly, or no longer, because it came or went with the patch.
func (r *Result) appeared(l *reasonList, pre, post *unit.Item) {
	b, err := r.Post.Refs(post)
	if err != nil {
		return
	}
	for _, ref := range b {
		to := ref.To
		if to == nil || r.PreOf(to) != nil || Fresh(to) {
			continue
		}
		switch {
		case to.Kind == unit.Function && isClone(to.Name):
			l.add(Reason{Because: CloneAppeared, Of: to.Name})
		case to.Kind == unit.Function && to.Parent == nil:
			l.add(Reason{Because: NewFunction, Of: to.Name})
		case to.Kind == unit.Datum:
			l.add(Reason{Because: NewDatum, Of: to.Name})
		}
	}
	a, err := r.Pre.Refs(pre)
	if err != nil {
		return
	}
	for _, ref := range a {
		if to := ref.To; to != nil && to.Kind == unit.Function && r.cmp.postOf[to] == nil && isClone(to.Name) {
			l.add(Reason{Because: CloneVanished, Of: to.Name})
		}
	}
}

// isClone says whether the compiler made a function from another: foo.isra.0, foo.constprop.0, foo.part.0.
func isClone(name string) bool {
	base := unit.BaseName(name)
	for _, kind := range []string{".isra", ".constprop", ".part", ".llvm"} {
		if strings.Contains(base, kind) {
			return true
		}
	}
	return false
}
