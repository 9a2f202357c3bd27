package diff

import (
	"fmt"
	"slices"
	"strings"

	"livesplice/kmod/unit"
)

// renamedVariables refuses new variables that may be old ones under another name, of another size or type: those used by a function
// that used one that vanished. What that holds in the running kernel, a list or a lock that is taken, would be lost.
func (r *Result) renamedVariables() {
	var gone, added []*unit.Item
	for _, it := range r.Pre.Items {
		if r.state(it) && r.cmp.postOf[it] == nil {
			gone = append(gone, it)
		}
	}
	for _, it := range r.Post.Items {
		if r.state(it) && r.PreOf(it) == nil && !r.cmp.ambiguous[it] {
			added = append(added, it)
		}
	}
	if len(gone) == 0 || len(added) == 0 {
		return
	}
	users := r.cmp.usersOfState(r.state)
	for _, it := range added {
		for _, old := range gone {
			if r.lostOne(old) || !r.mayBeRenamed(old, it, users) {
				continue
			}
			size := "as large and"
			if old.Size() != it.Size() {
				size = fmt.Sprintf("of %d bytes where this one has %d, and", old.Size(), it.Size())
			}
			r.refusePost(AmbiguousStatic, it, fmt.Sprintf("%s, %s used by the same code, is gone: if this is the same variable under another name, what the running kernel has in it would be lost", old.Name, size),
				"keep the variable's name and type, or leave the old one in the source beside it")
			break
		}
	}
}

// lostOne says whether a variable is gone from the object alone.
func (r *Result) lostOne(old *unit.Item) bool {
	return slices.ContainsFunc(r.lost, func(v LostVariable) bool { return v.pre == old })
}

// mayBeRenamed says whether a new variable may be one that vanished: a function uses it that used the old one, or the functions that
// used the old one vanished with it, new ones use the new one, and both are alike.
func (r *Result) mayBeRenamed(old, added *unit.Item, users stateUsers) bool {
	was, is := users.pre[old], users.post[added]
	if r.cmp.otherScope(old, added, users) {
		return false
	}
	if shareUser(was, is) {
		return true
	}
	return was != "" && is != "" && r.alike(old, added) && r.usersGone(was) && r.usersNew(is)
}

// alike says whether two variables are of one type; of one size and kind of memory where debug information does not tell.
func (r *Result) alike(old, added *unit.Item) bool {
	if s := r.cmp.scopes; s != nil && s.pre[old] != nil && s.post[added] != nil {
		return s.pre[old].Type == s.post[added].Type
	}
	return old.Size() == added.Size() && storageOf(old) == storageOf(added)
}

// usersGone says whether none of the functions of pre that a list of users names is there any more.
func (r *Result) usersGone(list string) bool {
	for _, name := range strings.Split(list, ",") {
		if f := r.cmp.preFunction(name); f != nil && r.cmp.postOf[f] != nil {
			return false
		}
	}
	return true
}

// usersNew says whether pre has none of the functions that a list of users names.
func (r *Result) usersNew(list string) bool {
	return !slices.ContainsFunc(strings.Split(list, ","), func(name string) bool { return r.cmp.preFunction(name) != nil })
}

// exchangedVariables refuses variables of which every user uses another one now, while what these used before has lost its users
// too: two that exchanged their names, or one that took over the name of one that is gone. By its name each keeps what the
// running kernel has in it, by its users it would have that of the other.
func (r *Result) exchangedVariables() {
	file := func(it *unit.Item) bool { return r.state(it) && !numbered(it) }
	var users stateUsers
	var pairs []*unit.Item // of pre
	for _, it := range r.Pre.Items {
		if file(it) && r.cmp.postOf[it] != nil {
			pairs = append(pairs, it)
		}
	}
	if len(pairs) == 0 || len(r.changed)+len(r.local) == 0 {
		return
	}
	users = r.cmp.usersOfState(file)
	moved := func(it *unit.Item) bool { // its users have left it
		post := r.cmp.postOf[it]
		return users.pre[it] != "" && (post == nil || !shareUser(users.pre[it], users.post[post]))
	}
	for _, it := range pairs {
		post := r.cmp.postOf[it]
		if users.post[post] == "" || !moved(it) {
			continue
		}
		for _, other := range r.Pre.Items {
			if other != it && file(other) && other.Size() == it.Size() && storageOf(other) == storageOf(it) && moved(other) && shareUser(users.pre[other], users.post[post]) {
				r.refusePost(AmbiguousStatic, post, fmt.Sprintf("all code that used %s uses this one now, and none of that which used this one: whether it is the variable of its name or that of its users cannot be told", other.Name),
					"keep the variables' names")
				break
			}
		}
	}
}
