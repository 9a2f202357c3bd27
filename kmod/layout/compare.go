package layout

import (
	"debug/dwarf"
	"fmt"
	"slices"
	"sort"
	"strings"
)

// Change is a type that differs.
type Change struct {
	Pre, Post Type
	// Fields are the members that differ, with what is new, gone or of another type in front of what only moves.
	Fields []Field
}

// Field is one member that differs; Pre is nil for a new one, Post for one that is gone.
type Field struct {
	Pre, Post *Member
	// same says that both have compatible types.
	same bool
}

// Compare gives the types that both have and whose layout differs, by name. A member's new name, or a compatible type for
// it, is no change of layout. A type that has got another name in post is one that both have.
func Compare(pre, post *Unit) ([]Change, error) {
	renamed, err := renamedTypes(pre, post)
	if err != nil {
		return nil, err
	}
	var changes []Change
	p := pre.against(post)
	for name, a := range pre.Types {
		b, ok := post.Types[name]
		if !ok {
			if b, ok = post.Types[renamed[name]]; !ok {
				continue
			}
		}
		c := Change{Pre: a, Post: b, Fields: p.fields(a.Members, b.Members)}
		if a.Size != b.Size || len(c.Fields) > 0 {
			changes = append(changes, c)
		}
	}
	sort.Slice(changes, func(i, j int) bool { return changes[i].Pre.Name < changes[j].Pre.Name })
	return changes, nil
}

// fields pairs members by name, then those that are left by place, which are renamed.
func (p *pairs) fields(pre, post []Member) []Field {
	if slices.EqualFunc(pre, post, func(m, n Member) bool { return m.Name == n.Name && m.place() == n.place() && p.sameType(m, n) }) {
		return nil
	}
	byName, byPlace := map[string]int{}, map[place][]int{}
	for i, n := range post {
		if n.Name != "" {
			byName[n.Name] = i
		}
		byPlace[n.place()] = append(byPlace[n.place()], i)
	}
	partner := make([]int, len(pre)) // index in post, -1 for none
	taken := make([]bool, len(post))
	for i, m := range pre {
		partner[i] = -1
		if j, ok := byName[m.Name]; ok {
			partner[i], taken[j] = j, true
		}
	}
	var out, moved []Field
	for i, m := range pre {
		if partner[i] < 0 {
			if j := p.renamed(m, post, byPlace[m.place()], taken); j >= 0 {
				partner[i], taken[j] = j, true
			}
		}
		if partner[i] < 0 {
			if m.Name != "" && !m.empty() {
				out = append(out, Field{Pre: &pre[i]})
			}
			continue
		}
		f := Field{Pre: &pre[i], Post: &post[partner[i]]}
		f.same = p.sameType(m, *f.Post)
		switch {
		case !f.moves():
			out = append(out, f)
		case m.place() != f.Post.place():
			moved = append(moved, f)
		}
	}
	second := p.secondNames(pre, post, partner)
	for j, n := range post {
		if !taken[j] && n.Name != "" && !n.empty() && !second(n) {
			out = append(out, Field{Post: &post[j]})
		}
	}
	return append(out, moved...)
}

// renamed gives the member, of those at m's place, that m is under another name; -1 if there is none.
func (p *pairs) renamed(m Member, post []Member, at []int, taken []bool) int {
	for _, j := range at {
		if !taken[j] && p.sameType(m, post[j]) {
			return j
		}
	}
	return -1
}

// secondNames says of a new member whether it is another name of one that stays: `union { T *dev; T __rcu *dev_rcu; }` in the
// place of `T *dev`. That changes no more than a new name would.
func (p *pairs) secondNames(pre, post []Member, partner []int) func(n Member) bool {
	stay := map[place][]Member{}
	for i, m := range pre {
		if m.Name != "" && partner[i] >= 0 && m.place() == post[partner[i]].place() {
			stay[m.place()] = append(stay[m.place()], m)
		}
	}
	return func(n Member) bool {
		return slices.ContainsFunc(stay[n.place()], func(m Member) bool { return p.sameType(m, n) })
	}
}

// empty says whether a member is a struct without members, as netdevice_tracker and lock_class_key are in most
// configurations: it holds nothing, wherever it stands.
func (m Member) empty() bool {
	s, ok := bare(m.typ).(*dwarf.StructType)
	return ok && s.ByteSize == 0 && !s.Incomplete
}

// place is where a member is.
type place struct{ offset, bitOffset, bitSize, size int64 }

func (m Member) place() place { return place{m.Offset, m.BitOffset, m.BitSize, m.Size} }

// String says what differs: "size 24 to 32 bytes: member c is new at byte 8 (int, 4 bytes)".
func (c Change) String() string {
	const most = 4
	var parts []string
	moved := 0
	for _, f := range c.Fields {
		switch {
		case f.moves() && moved == 0:
			parts = append(parts, f.String())
			moved++
		case f.moves():
			moved++
		case len(parts) < most:
			parts = append(parts, f.String())
		}
	}
	if rest := len(c.Fields) - len(parts); rest > 0 {
		parts = append(parts, fmt.Sprintf("and %d more", rest))
	}
	if c.Pre.Name != c.Post.Name {
		parts = slices.Insert(parts, 0, "it is now "+c.Post.Name)
	}
	text := strings.Join(parts, ", ")
	switch {
	case c.Pre.Size == c.Post.Size:
		return text
	case text == "":
		return fmt.Sprintf("size %d to %d bytes", c.Pre.Size, c.Post.Size)
	}
	return fmt.Sprintf("size %d to %d bytes, %s", c.Pre.Size, c.Post.Size, text)
}

// moves says whether the member is the same at another place.
func (f Field) moves() bool {
	return f.Pre != nil && f.Post != nil && f.Pre.Size == f.Post.Size && f.Pre.BitSize == f.Post.BitSize && f.same
}

func (f Field) String() string {
	switch {
	case f.Pre == nil:
		return fmt.Sprintf("member %s is new at %s", f.Post.Name, f.Post.where())
	case f.Post == nil:
		return fmt.Sprintf("member %s is gone from %s", f.Pre.Name, f.Pre.where())
	case f.moves() && f.Pre.BitSize != 0:
		return fmt.Sprintf("member %s moves from bit %d to %d", f.Pre.Name, f.Pre.BitOffset, f.Post.BitOffset)
	case f.moves():
		return fmt.Sprintf("member %s moves from byte %d to %d", f.Pre.Name, f.Pre.Offset, f.Post.Offset)
	}
	return fmt.Sprintf("member %s changes from %s to %s", f.Pre.Name, f.Pre.where(), f.Post.where())
}

// where is a member's place and type: "byte 8 (int, 4 bytes)".
func (m Member) where() string {
	switch {
	case m.BitSize != 0:
		return fmt.Sprintf("bit %d (%s, %d of its bits)", m.BitOffset, m.Type, m.BitSize)
	case m.Size == 1:
		return fmt.Sprintf("byte %d (%s, 1 byte)", m.Offset, m.Type)
	}
	return fmt.Sprintf("byte %d (%s, %d bytes)", m.Offset, m.Type, m.Size)
}
