package diff

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"livesplice/kmod/unit"
)

// LostVariable is one that the running kernel has, that the patched source has too, and that the compiler dropped from post, or
// made a constant of: nobody in the patched file writes it any more, so that its initial value stands in the code, or nobody
// reads it, so that nothing is written. Who has the source can have it kept.
type LostVariable struct {
	Name     string
	Function string // in which it is static; "" for file scope
	File     string // of its declaration in the patched source, as the compiler was given it; "" if not known
	Line     int

	pre *unit.Item
}

// Lost are the variables that the compiler took out of post. Each is refused too.
func (r *Result) Lost() []LostVariable { return r.lost }

// state says whether an item keeps something that must survive the update.
func (r *Result) state(it *unit.Item) bool {
	return it.Kind == unit.Datum && it.Writable() && !Fresh(it) && !r.neverRuns(it)
}

// questions are variables on which code of the update depends and of which names and users alone do not say enough.
type questions struct {
	gone   []*unit.Item // of pre: without a counterpart, or with a constant as one
	paired []*unit.Item // of post: static locals with a counterpart
	unlike []*unit.Item // of both: called as a macro's, and perhaps none
	added  []*unit.Item // of post
	names  map[string]bool
}

// settleVariables corrects the correlation of variables by scope and type, as the source declares them, where code of the update
// depends on it. It says whether that changed anything, so that code has to be compared again. Debug information is read
// only where there is a question.
func (r *Result) settleVariables() bool {
	q := r.variablesInQuestion()
	if len(q.gone)+len(q.paired)+len(q.unlike) == 0 {
		return false
	}
	pre, err := r.Pre.Variables(q.names)
	var post []*unit.Variable
	if err == nil {
		post, err = r.Post.Variables(q.names)
	}
	s := &scopes{Result: r, pre: byItem(pre), post: byItem(post)}
	s.pre.byName(r.Pre)
	s.post.byName(r.Post)
	r.cmp.scopes = s
	changed := false
	if err != nil {
		changed = s.withoutDebug(q)
	} else {
		changed = s.ownVariables(q)
		r.findLost(pre, post)
	}
	return s.pairByScope() || changed
}

// variablesInQuestion lists them.
func (r *Result) variablesInQuestion() *questions {
	q := &questions{names: map[string]bool{}}
	for _, it := range r.Pre.Items {
		if post := r.cmp.postOf[it]; r.state(it) && (post == nil || storageOf(post) == constant) {
			q.gone = append(q.gone, it)
		}
	}
	for _, it := range r.Post.Items {
		if r.state(it) && r.PreOf(it) == nil {
			q.added = append(q.added, it)
		}
	}
	seen := map[*unit.Item]bool{}
	r.usedByUpdate(func(u *unit.Unit, it *unit.Item) {
		switch {
		case seen[it] || it.Kind != unit.Datum || !it.Writable():
			return
		case macroPerhaps(it):
			q.unlike = append(q.unlike, it)
		case !numbered(it) || Fresh(it):
			return
		case u == r.Post && r.PreOf(it) != nil:
			q.paired = append(q.paired, it)
		case u == r.Pre && r.cmp.postOf[it] != nil && !seen[r.cmp.postOf[it]]:
			seen[r.cmp.postOf[it]] = true
			q.paired = append(q.paired, r.cmp.postOf[it])
		}
		seen[it] = true
	})
	for _, list := range [][]*unit.Item{q.gone, q.paired, q.unlike, q.added} {
		for _, it := range list {
			q.names[variableName(it)] = true
		}
	}
	return q
}

// usedByUpdate calls f for what functions of post that the update brings refer to, and what those of pre that they replace, or
// that are gone, do.
func (r *Result) usedByUpdate(f func(*unit.Unit, *unit.Item)) {
	each := func(u *unit.Unit, fn *unit.Item) {
		refs, err := u.Refs(fn)
		if err != nil {
			return // refused elsewhere
		}
		for _, ref := range refs {
			if ref.To != nil {
				f(u, ref.To)
			}
		}
	}
	for _, it := range r.Post.Items {
		root := rootOf(it)
		if it.Kind != unit.Function || r.PreOf(it) != nil && !r.changed[root] && !r.local[root] {
			continue
		}
		each(r.Post, it)
		if pre := r.PreOf(it); pre != nil {
			each(r.Pre, pre)
		}
	}
	for _, it := range r.Pre.Items {
		if it.Kind == unit.Function && r.cmp.postOf[it] == nil {
			each(r.Pre, it)
		}
	}
}

func rootOf(it *unit.Item) *unit.Item {
	for it.Parent != nil {
		it = it.Parent
	}
	return it
}

// withoutDebug does what is left to do where an object has no debug information: a static local that other functions use than
// before may be another one, of a function that was inlined.
func (s *scopes) withoutDebug(q *questions) (changed bool) {
	for _, it := range q.paired {
		if s.cmp.bySomeUsers[it] && !s.cmp.ambiguous[it] && s.post[it] == nil {
			s.cmp.ambiguous[it], s.cmp.unscoped = true, true
			changed = true
		}
	}
	for _, it := range q.gone {
		s.cmp.unscoped = s.cmp.unscoped || !it.Global()
	}
	return changed
}

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

// findLost notes the variables that post's source has and post's object lost.
func (r *Result) findLost(pre, post []*unit.Variable) {
	was, now := byItem(pre), map[declared]*unit.Variable{}
	for _, v := range post {
		if now[declaredAs(v)] == nil {
			now[declaredAs(v)] = v
		}
	}
	for _, it := range r.Pre.Items {
		if to := r.cmp.postOf[it]; !r.state(it) || to != nil && storageOf(to) != constant {
			continue
		}
		key := declared{name: variableName(it)}
		if v := was[it]; v != nil {
			key = declaredAs(v)
		} else if i := slices.IndexFunc(post, func(v *unit.Variable) bool {
			return numbered(it) && v.Name == key.name && v.Function != "" && v.Item == nil
		}); i >= 0 {
			key = declaredAs(post[i]) // compilers that do not say where statics of inlined functions are
		}
		if is := now[key]; is != nil && !is.Const && !r.Options.Dropped[[2]string{is.Function, is.Name}] && (is.Item == nil || !is.Item.Writable()) {
			r.lost = append(r.lost, LostVariable{Name: is.Name, Function: is.Function, File: is.File, Line: is.Line, pre: it})
		}
	}
}

// lostVariables refuses variables that the compiler took out of post.
func (r *Result) lostVariables() {
	for _, v := range r.lost {
		source := ""
		if v.File != "" {
			source = fmt.Sprintf("%s:%d", v.File, v.Line)
		}
		r.Refusals = append(r.Refusals, Refusal{Code: VariableFolded, Unit: r.Unit, Subject: v.pre.Name, Source: source,
			Reason: "the patched source still has this variable, but its code no longer writes or no longer reads it, and the compiler put the initial value in its place or left out what was written: what the running kernel has in it would not count",
			Remedy: "mark it __read_mostly, by which it stays a variable, or access it by READ_ONCE() and WRITE_ONCE()"})
	}
}

// MovedVariable is a variable that is gone from a unit, or new in it.
type MovedVariable struct {
	Name string // as the source has it
	Size uint64 // bytes
}

// Moved gives the variables that are gone from the unit and those that are new, for who has the other units of a patch. Names of
// macros and what only a booting kernel uses do not count.
func (r *Result) Moved() (gone, added []MovedVariable) {
	list := func(items []*unit.Item, other map[*unit.Item]*unit.Item) (out []MovedVariable) {
		for _, it := range items {
			if r.state(it) && other[it] == nil && it.Size() > 0 {
				out = append(out, MovedVariable{Name: variableName(it), Size: it.Size()})
			}
		}
		return out
	}
	return list(r.Pre.Items, r.cmp.postOf), list(r.Post.Items, r.cmp.preOf)
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
