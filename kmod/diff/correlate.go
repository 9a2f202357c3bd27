package diff

import (
	"maps"
	"slices"
	"sort"
	"strconv"
	"strings"

	"livesplice/kmod/unit"
)

// correlation pairs the items of post with those of pre.
type correlation struct {
	pre, post *unit.Unit
	preOf     map[*unit.Item]*unit.Item // post → pre
	postOf    map[*unit.Item]*unit.Item
	// ambiguous are variables of post for which more than one variable of pre, or one and none, can be the counterpart.
	// Carried code must not refer to them.
	ambiguous map[*unit.Item]bool
	// bySomeUsers are static locals of post that were paired though other functions use them than before.
	bySomeUsers map[*unit.Item]bool
	// distinct are new variables with one of their name that is gone and certainly another; see otherScope.
	distinct map[*unit.Item]*unit.Item
	scopes   *scopes // nil unless debug information was asked for
	unscoped bool    // it was asked for, and there is none
}

// correlate pairs items by name where the name is the source's own, by the functions that use them where the compiler
// appended a number, and anonymous ones by section and order. Literals are compared by content and never paired.
func correlate(pre, post *unit.Unit) (*correlation, error) {
	c := &correlation{pre: pre, post: post, preOf: make(map[*unit.Item]*unit.Item, len(post.Items)), postOf: make(map[*unit.Item]*unit.Item, len(pre.Items)), ambiguous: map[*unit.Item]bool{},
		bySomeUsers: map[*unit.Item]bool{}, distinct: map[*unit.Item]*unit.Item{}}
	for _, kind := range []unit.Kind{unit.Function, unit.Datum} {
		c.exact(kind)
	}
	c.functionsByBase()
	if err := c.staticLocals(); err != nil {
		return nil, err
	}
	c.inOrder(unit.Anonymous, func(it *unit.Item) string { return it.Section.Name })
	return c, nil
}

func (c *correlation) pair(pre, post *unit.Item) {
	c.preOf[post], c.postOf[pre] = pre, post
}

// numbered says whether a datum is a static local, of which several can have one name: the compiler appended a number,
// which tells nothing. clang gives the first none, and puts the function's name in front: f.count, f.count.3.
func numbered(it *unit.Item) bool {
	base := unit.BaseName(it.Name)
	return it.Kind == unit.Datum && (base != it.Name || strings.Contains(base, "."))
}

// variableName is the name of a static local in the source.
func variableName(it *unit.Item) string {
	base := unit.BaseName(it.Name)
	return base[strings.LastIndexByte(base, '.')+1:]
}

// exact pairs items of equal name, but for data whose names carry a compiler's number. Within a unit names are unique. An
// object that was linked from several has static functions and data of one name: as many on both sides are paired in
// order, which is that of the link, but which variable is meant is certain only where nothing depends on it.
func (c *correlation) exact(kind unit.Kind) {
	pre, post := named(c.pre, kind), named(c.post, kind)
	for _, it := range c.post.Items {
		if it.Kind != kind || numbered(it) {
			continue
		}
		for _, s := range it.Syms {
			was, is := pre[s.Name], post[s.Name]
			if kind == unit.Datum && (len(is) > 1 || len(was) > 1) && !Fresh(it) {
				c.ambiguous[it] = true
			}
			if i := slices.Index(is, it); len(was) == len(is) && c.postOf[was[i]] == nil && c.preOf[it] == nil {
				c.pair(was[i], it)
			}
		}
	}
}

// named are the items of a kind by each of their names, in order.
func named(u *unit.Unit, kind unit.Kind) map[string][]*unit.Item {
	by := map[string][]*unit.Item{}
	for _, it := range u.Items {
		if it.Kind == kind && !numbered(it) {
			for _, s := range it.Syms {
				by[s.Name] = append(by[s.Name], it)
			}
		}
	}
	return by
}

// functionsByBase pairs the one clone of a function left on either side: foo.isra.0 with foo.isra.3.
//
// A wrong pair cannot do harm: whoever calls a clone lives in the same unit, and a caller whose callee is not the
// counterpart counts as changed.
func (c *correlation) functionsByBase() {
	left := func(u *unit.Unit, paired map[*unit.Item]*unit.Item) map[string][]*unit.Item {
		m := map[string][]*unit.Item{}
		for _, it := range u.Items {
			if it.Kind == unit.Function && paired[it] == nil {
				m[unit.BaseName(it.Name)] = append(m[unit.BaseName(it.Name)], it)
			}
		}
		return m
	}
	pre, post := left(c.pre, c.postOf), left(c.post, c.preOf)
	for base, items := range post {
		if len(items) == 1 && len(pre[base]) == 1 {
			c.pair(pre[base][0], items[0])
		}
	}
}

// staticLocals pairs variables whose names carry a number by the functions that use them. They keep state, so a wrong
// pair would do harm: what only the order decides is marked ambiguous. The order is that of the source, and even equal
// numbers do not tell that two blocks with a variable each were not exchanged.
func (c *correlation) staticLocals() error {
	preUsers, postUsers := c.users(numbered)
	type group struct{ pre, post []*unit.Item }
	groups, keys := map[string]*group{}, []string{}
	add := func(key string) *group {
		g := groups[key]
		if g == nil {
			g = &group{}
			groups[key] = g
			keys = append(keys, key)
		}
		return g
	}
	key := func(it *unit.Item, users string) string {
		return variableName(it) + "\x00" + it.Section.Type.String() + "\x00" + users
	}
	for _, it := range c.pre.Items {
		if numbered(it) && !Fresh(it) {
			g := add(key(it, preUsers[it]))
			g.pre = append(g.pre, it)
		}
	}
	for _, it := range c.post.Items {
		if numbered(it) && !Fresh(it) {
			g := add(key(it, postUsers[it]))
			g.post = append(g.post, it)
		}
	}
	var restPre, restPost []*unit.Item
	for _, k := range keys {
		g := groups[k]
		if len(g.pre) != len(g.post) {
			restPre, restPost = append(restPre, g.pre...), append(restPost, g.post...)
			continue
		}
		byNumber(g.pre)
		byNumber(g.post)
		for i := range g.pre {
			c.pair(g.pre[i], g.post[i])
			c.ambiguous[g.post[i]] = len(g.pre) > 1
		}
	}
	c.restOfStatics(restPre, restPost, func(pre, post *unit.Item) bool {
		return shareUser(preUsers[pre], postUsers[post])
	})
	return nil
}

// restOfStatics pairs variables whose set of users changed. One of a name on each side with a user in common is
// certain; no counterpart of the name at all means new; anything else is ambiguous. A variable of the same name that
// was, or became, one of the whole unit is not paired either, since what it held may have to be kept.
func (c *correlation) restOfStatics(pre, post []*unit.Item, shared func(pre, post *unit.Item) bool) {
	preBy, postBy := map[string][]*unit.Item{}, map[string]int{}
	for _, it := range pre {
		preBy[variableName(it)] = append(preBy[variableName(it)], it)
	}
	for _, it := range post {
		postBy[variableName(it)]++
	}
	for _, it := range post {
		base := variableName(it)
		switch candidates := preBy[base]; {
		case len(candidates) == 0:
		case len(candidates) == 1 && postBy[base] == 1 && shared(candidates[0], it):
			c.pair(candidates[0], it)
			c.bySomeUsers[it] = true
		default:
			c.ambiguous[it] = true
		}
	}
	c.changedScope()
}

// changedScope marks new variables whose name, numbers apart, a variable has that vanished.
func (c *correlation) changedScope() {
	vanished := map[string]bool{}
	for _, it := range c.pre.Items {
		if it.Kind == unit.Datum && !Fresh(it) && c.postOf[it] == nil {
			vanished[variableName(it)] = true
		}
	}
	for _, it := range c.post.Items {
		if it.Kind == unit.Datum && !Fresh(it) && c.preOf[it] == nil && vanished[variableName(it)] {
			c.ambiguous[it] = true
		}
	}
}

// shareUser says whether two lists that users made have a function in common.
func shareUser(a, b string) bool {
	in := strings.Split(a, ",")
	return a != "" && slices.ContainsFunc(strings.Split(b, ","), func(name string) bool { return slices.Contains(in, name) })
}

func byNumber(items []*unit.Item) {
	number := func(it *unit.Item) int {
		n, _ := strconv.Atoi(it.Name[strings.LastIndexByte(it.Name, '.')+1:])
		return n
	}
	sort.SliceStable(items, func(i, j int) bool { return number(items[i]) < number(items[j]) })
}

// users gives for each datum of pre and of post that which chooses the functions that refer to it, as one string; functions are
// called by their names in pre.
func (c *correlation) users(which func(*unit.Item) bool) (pre, post map[*unit.Item]string) {
	return usersOf(c.pre, which, func(it *unit.Item) *unit.Item { return it }), usersOf(c.post, which, func(it *unit.Item) *unit.Item { return c.preOf[it] })
}

// usersOf is users of one side. Split-off parts count as their function, since the compiler moves code between them. identity maps
// a function to the one that names it on both sides.
func usersOf(u *unit.Unit, which func(*unit.Item) bool, identity func(*unit.Item) *unit.Item) map[*unit.Item]string {
	sets := map[*unit.Item]map[string]bool{}
	for _, it := range u.Items {
		if it.Kind != unit.Function {
			continue
		}
		refs, err := u.Refs(it)
		if err != nil {
			continue // reported where the function itself is compared
		}
		owner := it
		for owner.Parent != nil {
			owner = owner.Parent
		}
		name := owner.Name
		if p := identity(owner); p != nil {
			name = p.Name
		}
		if i := strings.Index(name, ".part."); i > 0 {
			name = name[:i]
		}
		for _, r := range refs {
			if r.To != nil && which(r.To) {
				if sets[r.To] == nil {
					sets[r.To] = map[string]bool{}
				}
				sets[r.To][name] = true
			}
		}
	}
	out := map[*unit.Item]string{}
	for it, set := range sets {
		out[it] = strings.Join(slices.Sorted(maps.Keys(set)), ",")
	}
	return out
}

// inOrder pairs items of a kind by key and by their order among the items with that key.
func (c *correlation) inOrder(kind unit.Kind, key func(*unit.Item) string) {
	pre := map[string][]*unit.Item{}
	for _, it := range c.pre.Items {
		if it.Kind == kind {
			pre[key(it)] = append(pre[key(it)], it)
		}
	}
	seen := map[string]int{}
	for _, it := range c.post.Items {
		if it.Kind != kind {
			continue
		}
		k := key(it)
		if i := seen[k]; i < len(pre[k]) {
			c.pair(pre[k][i], it)
		}
		seen[k]++
	}
}
