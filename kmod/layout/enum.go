package layout

import (
	"debug/dwarf"
	"fmt"
	"regexp"
	"sort"
	"strings"
)

// Constant is an enumerator.
type Constant struct {
	Name  string
	Value int64
	// Of is the enum: "enum foo", or "anonymous enum".
	Of   string
	File string // where the enum is defined, as the compiler was told
	Line int64
	rank int // its place in the enum
	// counts says that it stands at the end and tells by its name that it counts those before it.
	counts bool
}

// ConstantChange is an enumerator that both objects have, with another value.
type ConstantChange struct{ Pre, Post Constant }

func (u *Unit) enum(e *dwarf.Entry) error {
	typ, err := u.data.Type(e.Offset)
	if err != nil {
		return err
	}
	t, ok := typ.(*dwarf.EnumType)
	if !ok {
		return nil
	}
	file, line := u.place(e)
	counts := true
	for i := len(t.Val) - 1; i >= 0; i-- {
		v := t.Val[i]
		counts = counts && countLike.MatchString(v.Name)
		u.Constants[v.Name] = Constant{Name: v.Name, Value: v.Val, Of: name(t), File: file, Line: line, rank: i, counts: counts}
	}
	return nil
}

// countLike are names of enumerators that say how many others there are, such as NR_CPUS and __NLA_MAX.
var countLike = regexp.MustCompile(`(?i)(^|_)(max|num|nr|last|count|cnt|end|size|total|n)(_|$)`)

// CompareConstants gives the enumerators that changed their values, by enum and place in it. What exists in the running
// kernel keeps the old numbers. An enumerator at the end that only counts those before it, and grows with them, is none.
func CompareConstants(pre, post *Unit) []ConstantChange {
	var changes []ConstantChange
	for name, a := range pre.Constants {
		b, ok := post.Constants[name]
		if ok && a.Value != b.Value && !(b.Value > a.Value && a.counts && b.counts) {
			changes = append(changes, ConstantChange{a, b})
		}
	}
	sort.Slice(changes, func(i, j int) bool {
		a, b := changes[i].Post, changes[j].Post
		if a.File != b.File || a.Line != b.Line {
			return a.File < b.File || a.File == b.File && a.Line < b.Line
		}
		return a.rank < b.rank
	})
	return changes
}

// DescribeConstants says how enumerators changed: "A changes from 1 to 2, B from 2 to 3, and 4 more".
func DescribeConstants(changes []ConstantChange) string {
	const most = 3
	var parts []string
	for _, c := range changes[:min(most, len(changes))] {
		parts = append(parts, fmt.Sprintf("%s changes from %d to %d", c.Pre.Name, c.Pre.Value, c.Post.Value))
	}
	text := strings.Join(parts, ", ")
	if rest := len(changes) - most; rest > 0 {
		text += fmt.Sprintf(", and %d more", rest)
	}
	return text
}
