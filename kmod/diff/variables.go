package diff

import (
	"fmt"
	"slices"

	"livesplice/kmod/elfobj"
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

	pre *unit.Item // nil for one that the running kernel has not
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
	if len(q.gone)+len(q.paired)+len(q.unlike)+len(q.added) == 0 {
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
		r.findUnseen(q.added, pre, s.post)
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

// Unseen are variables that post has, and that pre's source has too but not its object: nobody reads them there, so that the compiler
// left out what was written to them, or nobody writes them. Only in the second case the running kernel has lost nothing,
// which who has the source can find out. Each is refused too.
func (r *Result) Unseen() []LostVariable { return r.unseen }

// findUnseen notes them. added are those of post without a counterpart.
func (r *Result) findUnseen(added []*unit.Item, pre []*unit.Variable, post variables) {
	was := map[declared]*unit.Variable{}
	for _, v := range pre {
		if was[declaredAs(v)] == nil || v.Item != nil {
			was[declaredAs(v)] = v
		}
	}
	for _, it := range added {
		v := post[it]
		if v == nil {
			continue
		}
		key := declaredAs(v)
		if old := was[key]; old != nil && old.Item == nil && !old.Const && !r.Options.Unwritten[[2]string{key.function, key.name}] {
			r.unseen = append(r.unseen, LostVariable{Name: old.Name, Function: old.Function, File: old.File, Line: old.Line})
		}
	}
}

// Writes says whether code or data of an object has more than reads of the variable of a name, as the source has it, that is static
// in function, or of file scope. It needs debug information for one that is static in a function. Nothing but x86-64 is known to read only.
func Writes(obj *elfobj.Object, function, name string) (bool, error) {
	u, err := unit.New(obj)
	if err != nil {
		return false, err
	}
	vars, err := u.Variables(map[string]bool{name: true})
	if err != nil {
		return false, err
	}
	i := slices.IndexFunc(vars, func(v *unit.Variable) bool { return v.Item != nil && v.Name == name && v.Function == function })
	if i < 0 {
		return true, nil // it was not to be kept
	}
	r := &Result{Pre: u, cmp: &comparer{special: map[*unit.Unit]unit.Tables{}}}
	if r.cmp.special[u], err = u.Tables(); err != nil {
		return false, err
	}
	holders, err := r.constantHolders(u, nil)
	return holders[vars[i].Item] != nil, err
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
	for _, v := range r.unseen {
		source := ""
		if v.File != "" {
			source = fmt.Sprintf("%s:%d", v.File, v.Line)
		}
		r.Refusals = append(r.Refusals, Refusal{Code: VariableFolded, Unit: r.Unit, Subject: v.Name, Source: source,
			Reason: "the shipped source has this variable, but its code does not read it, and the compiler left out what it writes to it: the running kernel has nothing of it",
			Remedy: "use a variable of another name, that begins with its initial value"})
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
