package layout

import (
	"maps"
	"path"
	"slices"
	"strings"
)

// renamedTypes gives the types of post that have taken the place of one of pre, by that one's name: both have a type of their own
// that the other has not, and a variable or parameter of one name, in one function, leads to the one before and to the other now.
// Or a member does, of one name, in a type of one name; or they have members in common. Objects that old code made as the one are
// read by new code as the other: the pointers to them may have passed through a void *, which no other comparison sees.
func renamedTypes(pre, post *Unit) (map[string]string, error) {
	gone, fresh := only(pre.Types, post.Types), only(post.Types, pre.Types)
	if len(gone) == 0 || len(fresh) == 0 {
		return nil, nil
	}
	before, err := pre.leads()
	if err != nil {
		return nil, err
	}
	after, err := post.leads()
	if err != nil {
		return nil, err
	}
	renamed := map[string]string{}
	for _, place := range slices.SortedFunc(maps.Keys(before), func(a, b [2]string) int { return slices.Compare(a[:], b[:]) }) {
		was, is := before[place], after[place]
		if gone[was] && fresh[is] && strings.HasPrefix(is, kind(was)) && renamed[was] == "" {
			renamed[was] = is
		}
	}
	for was := range gone {
		if is, one := single(fresh, func(name string) bool { return alike(pre.Types[was], post.Types[name]) }); one && renamed[was] == "" {
			if _, one := single(gone, func(name string) bool { return alike(pre.Types[name], post.Types[is]) }); one {
				renamed[was] = is
			}
		}
	}
	return renamed, nil
}

// single gives the only one of the names that holds; false if there is none or more than one.
func single(names map[string]bool, holds func(string) bool) (found string, one bool) {
	for name := range names {
		if holds(name) {
			if one {
				return "", false
			}
			found, one = name, true
		}
	}
	return found, one
}

// alike says whether one type has at least half of the members that another one of the same file has, by their names. The
// variables that lead to them may have got new names, too.
func alike(a, b Type) bool {
	if path.Base(a.File) != path.Base(b.File) || kind(a.Name) != kind(b.Name) {
		return false
	}
	named, both := 0, 0
	for _, m := range a.Members {
		if m.Name == "" {
			continue
		}
		named++
		if slices.ContainsFunc(b.Members, func(n Member) bool { return n.Name == m.Name }) {
			both++
		}
	}
	return both > 0 && 2*both >= named
}

// only are the names of a that b has not.
func only(a, b map[string]Type) map[string]bool {
	out := map[string]bool{}
	for name := range a {
		if _, ok := b[name]; !ok {
			out[name] = true
		}
	}
	return out
}

// kind is "struct " or "union ", with which the name of a type begins; "" for a typedef's.
func kind(name string) string {
	for _, k := range []string{"struct ", "union "} {
		if strings.HasPrefix(name, k) {
			return k
		}
	}
	return ""
}

// leads names the struct or union that each variable and parameter of each function leads to, and each member of each type.
func (u *Unit) leads() (map[[2]string]string, error) {
	out := map[[2]string]string{}
	err := u.walkVariables(func(function, variable, typ string) {
		if variable != "" {
			out[[2]string{function, variable}] = typ
		}
	})
	for name, t := range u.Types {
		for _, m := range t.Members {
			if typ := structName(m.typ); typ != "" && m.Name != "" {
				out[[2]string{name, m.Name}] = typ
			}
		}
	}
	return out, err
}
