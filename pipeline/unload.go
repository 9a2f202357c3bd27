package pipeline

import (
	"bytes"
	"debug/elf"
	"fmt"
	"slices"
	"strconv"

	"livesplice/kmod/diff"
	"livesplice/kmod/finding"
	"livesplice/kmod/link"
	"livesplice/kmod/livepatch"
	"livesplice/kmod/unit"
	"livesplice/kmod/vmlinux"
)

// unloading finds what of the update may be in use after it is undone. Constants among that of which the running kernel has
// a copy are left out of the update, which refers to this copy; for what remains, the module has to stay loaded.
func (c *creation) unloading() error {
	c.unload = &livepatch.Unload{Reasons: []livepatch.UnloadReason{}}
	known := finding.Update{Types: c.image, Lockdep: len(c.image.Lookup("lock_acquire")) > 0, Defines: c.adds}
	for i := range c.units {
		u := &c.units[i]
		known.Leads = c.callees(u)
		held, err := known.Holds(u.Extract)
		if err != nil {
			return err
		}
		if shipped := c.shipped(u, held); len(shipped) > 0 {
			names := c.extractNames(i)
			names.Shipped = func(it *unit.Item) bool { return shipped[it] }
			if u.Extract, err = u.Diff.Extract(names); err != nil {
				return err
			}
			known.Leads = c.callees(u)
			if held, err = known.Holds(u.Extract); err != nil {
				return err
			}
		}
		c.unload.Reasons = append(c.unload.Reasons, c.reasons(u, held)...)
	}
	c.unload.Allowed = len(c.unload.Reasons) == 0
	return nil
}

// adds says whether a unit of the update defines a global name.
func (c *creation) adds(name string) bool {
	return slices.ContainsFunc(c.units, func(u link.Unit) bool {
		s := u.Extract.Obj.Symbol(name)
		return s != nil && !s.Undefined() && s.Bind != 0
	})
}

// callees says where calls of a unit's extract lead in the running kernel. Of a function that the update itself replaces, or
// that other files cannot call, nothing is known.
func (c *creation) callees(u *link.Unit) func(symbol string) finding.Callee {
	known := map[string]finding.Callee{}
	for _, n := range u.Extract.Needs {
		if n.Constant != nil || n.Pre != nil && (n.Pre.Kind != unit.Function || !n.Pre.Global()) || c.replaces(n.Name) {
			continue
		}
		if b, err := u.Match.Resolve(n); err == nil { // what is not resolved is reported with the link
			known[n.Sym.Name] = finding.Callee{Object: b.Object, Name: b.Name}
		}
	}
	return func(symbol string) finding.Callee { return known[symbol] }
}

// replaces says whether the update replaces a function of a name, in whatever object.
func (c *creation) replaces(name string) bool {
	return slices.ContainsFunc(c.units, func(u link.Unit) bool {
		return slices.ContainsFunc(u.Extract.Functions, func(f diff.Carried) bool { return f.Pre != nil && f.Pre.Name == name })
	})
}

// shipped are the constants of post among what is held that the shipped binary has too. What is in a module is there only with
// that, so that data which names a constant, such as an entry of __dyndbg, which the kernel reads as the update is loaded, needs a
// copy in the update.
func (c *creation) shipped(u *link.Unit, held []finding.Held) map[*unit.Item]bool {
	out := map[*unit.Item]bool{}
	var named map[*unit.Item]bool
	if u.Target != vmlinux.Object {
		named = namedByData(u.Diff.Post)
	}
	for _, h := range held {
		for _, post := range u.Diff.Post.Items {
			if !sameConstant(h.Item, post) || out[post] || named[post] {
				continue
			}
			if _, ok := u.Match.Shipped(post); ok {
				out[post] = true
			}
		}
	}
	return out
}

// namedByData are the items of a unit that its data refers to, tables for the kernel among it.
func namedByData(u *unit.Unit) map[*unit.Item]bool {
	out := map[*unit.Item]bool{}
	for _, s := range u.Obj.Sections {
		if s.Type != elf.SHT_RELA || s.Applies == nil || !s.Applies.Alloc() || s.Applies.Exec() {
			continue
		}
		for _, r := range s.Relocs {
			if r.Sym != nil && r.Sym.Section != nil {
				if it := u.ItemAt(r.Sym.Section, int64(r.Sym.Value)+r.Addend); it != nil {
					out[it] = true
				}
			}
		}
	}
	return out
}

// sameConstant says whether an item of an extract is the copy of one of post, or could as well be.
func sameConstant(it, post *unit.Item) bool {
	if it.Section == nil || it.Kind != post.Kind || it.Writable() || it.Section.Exec() || it.Section.Name != post.Section.Name || len(it.Bytes()) == 0 {
		return false
	}
	return bytes.Equal(it.Bytes(), post.Bytes()) && (it.Kind == unit.Literal || it.Kind == unit.Datum && it.Name == post.Name)
}

// reasons says for people why the module has to stay: once for each thing.
func (c *creation) reasons(u *link.Unit, held []finding.Held) (out []livepatch.UnloadReason) {
	seen := map[*unit.Item]bool{}
	for _, h := range held {
		if seen[h.Item] {
			continue
		}
		seen[h.Item] = true
		r := livepatch.UnloadReason{Subject: subject(h.Item), Reason: fmt.Sprintf("%s in %s", h.How, h.In)}
		for _, f := range u.Extract.Functions {
			if f.Post.Name == h.In.Name {
				r.Source = relative(u.Diff.Post.Source(f.Post), c.tree.Source, u.Diff.Unit)
			}
		}
		out = append(out, r)
	}
	return out
}

// subject names an item for people: a text by itself.
func subject(it *unit.Item) string {
	const longest = 60
	if it.Kind != unit.Literal {
		return it.Name
	}
	if text, ok := bytes.CutSuffix(it.Bytes(), []byte{0}); ok && it.Section.Strings() {
		if len(text) > longest {
			return strconv.QuoteToASCII(string(text[:longest])) + "..."
		}
		return strconv.QuoteToASCII(string(text))
	}
	return fmt.Sprintf("a constant of %d bytes", it.Size())
}
