package diff

import (
	"cmp"
	"slices"
	"strings"

	"livesplice/kmod/unit"
)

// scopes are the variables of both objects as their sources declare them.
type scopes struct {
	*Result
	pre, post variables
}

// variables are those of one object, where it has them.
type variables map[*unit.Item]*unit.Variable

func byItem(vars []*unit.Variable) variables {
	out := variables{}
	for _, v := range vars {
		if v.Item != nil && out[v.Item] == nil && v.Function != unit.NoFunction {
			out[v.Item] = v
		}
	}
	return out
}

// byName adds static locals of which the name tells the function, as clang's does: f.count. Its debug information does not always:
// before 16 it left out the names of functions that were inlined everywhere.
func (vars variables) byName(u *unit.Unit) {
	for _, it := range u.Items {
		base := unit.BaseName(it.Name)
		if i := strings.LastIndexByte(base, '.'); it.Kind == unit.Datum && i > 0 && vars[it] == nil {
			vars[it] = &unit.Variable{Name: base[i+1:], Function: base[:i], Item: it}
		}
	}
}

// ownVariables finds variables that are called as those of macros and are of another type.
func (s *scopes) ownVariables(q *questions) (changed bool) {
	for _, it := range q.unlike {
		v := cmp.Or(s.pre[it], s.post[it])
		if v != nil && !ofMacro(v) && !it.Own {
			it.Own, changed = true, true
		}
	}
	return changed
}

// declared names a variable within a unit.
type declared struct{ function, name string }

func declaredAs(v *unit.Variable) declared { return declared{v.Function, v.Name} }

// pairByScope pairs static locals that one function of the source declares under one name, and no others. What a function has
// several of goes by type, and by users as before where the type does not tell.
func (s *scopes) pairByScope() (changed bool) {
	pre, post := s.group(s.Pre, s.pre), s.group(s.Post, s.post)
	for _, it := range s.Post.Items {
		v := s.post[it]
		if v == nil || !numbered(it) || !s.state(it) {
			continue
		}
		now, was := post[declaredAs(v)], pre[declaredAs(v)]
		if len(now) > 1 || len(was) > 1 {
			now, was = ofType(now, s.post, v.Type), ofType(was, s.pre, v.Type)
		}
		switch {
		case len(was) == 0:
			changed = s.unpair(it) || changed
		case len(now) == 1 && len(was) == 1:
			changed = s.repair(was[0], it) || changed
		case s.PreOf(it) == nil || !slices.Contains(was, s.PreOf(it)):
			changed = s.unpair(it) || !s.cmp.ambiguous[it] || changed
			s.cmp.ambiguous[it] = true
		case len(was) != len(now) && !s.cmp.ambiguous[it]:
			s.cmp.ambiguous[it], changed = true, true
		}
	}
	return s.remark() || changed
}

// group are the static locals of a unit that are state, by scope and name.
func (s *scopes) group(u *unit.Unit, of variables) map[declared][]*unit.Item {
	out := map[declared][]*unit.Item{}
	for _, it := range u.Items {
		if v := of[it]; v != nil && numbered(it) && s.state(it) {
			out[declaredAs(v)] = append(out[declaredAs(v)], it)
		}
	}
	return out
}

func ofType(items []*unit.Item, of variables, typ string) (out []*unit.Item) {
	for _, it := range items {
		if of[it].Type == typ {
			out = append(out, it)
		}
	}
	return out
}

// unpair makes a variable of post a new one.
func (s *scopes) unpair(post *unit.Item) bool {
	pre := s.PreOf(post)
	if pre == nil {
		return false
	}
	delete(s.cmp.preOf, post)
	delete(s.cmp.postOf, pre)
	return true
}

// repair pairs two variables with each other for certain.
func (s *scopes) repair(pre, post *unit.Item) bool {
	certain := !s.cmp.ambiguous[post]
	delete(s.cmp.ambiguous, post)
	if s.PreOf(post) == pre {
		return !certain
	}
	s.unpair(post)
	if other := s.cmp.postOf[pre]; other != nil {
		s.unpair(other)
	}
	s.cmp.pair(pre, post)
	return true
}

// remark finds again which new variables may be old ones of their name in another scope.
func (s *scopes) remark() (changed bool) {
	gone := map[string][]*unit.Item{}
	for _, it := range s.Pre.Items {
		if s.state(it) && s.cmp.postOf[it] == nil {
			gone[variableName(it)] = append(gone[variableName(it)], it)
		}
	}
	users := s.cmp.usersOfState(s.state)
	for _, it := range s.Post.Items {
		if !s.state(it) || s.PreOf(it) != nil || s.post[it] == nil {
			continue
		}
		same := gone[variableName(it)]
		maybe := slices.ContainsFunc(same, func(old *unit.Item) bool { return !s.cmp.otherScope(old, it, users) })
		if len(same) > 0 && !maybe {
			s.cmp.distinct[it] = same[0]
		}
		if maybe != s.cmp.ambiguous[it] {
			s.cmp.ambiguous[it], changed = maybe, true
		}
	}
	return changed
}

// scopeNotes tell which variables of one name are two.
func (r *Result) scopeNotes() {
	for _, it := range r.Post.Items {
		if old := r.cmp.distinct[it]; old != nil {
			s := r.cmp.scopes
			r.note("variable %s of %s() is another one than that of %s(), which is gone", variableName(it), s.post[it].Function, s.pre[old].Function)
		}
	}
}

// stateUsers are the functions that use each variable, named as in pre.
type stateUsers struct{ pre, post map[*unit.Item]string }

func (c *correlation) usersOfState(which func(*unit.Item) bool) stateUsers {
	pre, post := c.users(which)
	return stateUsers{pre, post}
}

// otherScope says whether a variable that vanished and a new one are certainly two: static locals of different functions of the
// source, of which the new one is used by code that was there before and had nothing to do with the old one. Without such a user
// it may be the same that moved with its code.
func (c *correlation) otherScope(old, added *unit.Item, users stateUsers) bool {
	if c.scopes == nil {
		return false
	}
	was, is := c.scopes.pre[old], c.scopes.post[added]
	if was == nil || is == nil || was.Function == "" || is.Function == "" || was.Function == is.Function {
		return false
	}
	before := strings.Split(users.pre[old], ",")
	for _, name := range strings.Split(users.post[added], ",") {
		if f := c.preFunction(name); f != nil && !slices.Contains(before, name) && !c.refersTo(f, before) {
			return true
		}
	}
	return false
}

// preFunction gives the function of pre that lists of users call by a name, or nil.
func (c *correlation) preFunction(name string) *unit.Item {
	for _, it := range c.pre.Items {
		if it.Kind == unit.Function && it.Parent == nil && it.Name == name {
			return it
		}
	}
	return nil
}

// refersTo says whether a function of pre refers to one of some names.
func (c *correlation) refersTo(fn *unit.Item, names []string) bool {
	for _, part := range append([]*unit.Item{fn}, fn.Children...) {
		refs, err := c.pre.Refs(part)
		if err != nil {
			return true
		}
		for _, ref := range refs {
			if ref.To != nil && ref.To.Kind == unit.Function && slices.Contains(names, rootOf(ref.To).Name) {
				return true
			}
		}
	}
	return false
}
