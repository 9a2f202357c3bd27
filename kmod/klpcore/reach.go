package klpcore

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"golang.org/x/arch/x86/x86asm"
)

// always is the context of what can run, or be read, as soon as the update is loaded.
const always = ""

// refer finds what each item refers to: by relocations, by entries of the tables that belong to code, and by jumps for which the
// assembler needed no relocation.
func (m *model) refer() {
	for _, at := range m.muted {
		if it := m.itemAt(at); it != nil {
			it.muted = true
		}
	}
	for _, f := range m.fields {
		from, to := m.itemAt(place{f.in.index, f.off}), m.itemAt(m.target(f))
		if from != nil && to != nil && from != to && !from.muted && !ownerTable(f.in.name) {
			from.to = append(from.to, to)
		}
	}
	for i := range m.sections {
		if s := &m.sections[i]; s.exec() && s.data != nil {
			m.near(s)
		}
	}
}

// near finds calls and jumps from one function of a section to another for which the assembler needed no relocation.
func (m *model) near(s *section) {
	filled := map[uint64]bool{}
	for _, f := range m.fields {
		if f.in == s {
			filled[f.off] = true
		}
	}
	for _, it := range m.items[s.index] {
		decode(s.data, it.start, it.end, func(at uint64, insn x86asm.Inst) {
			rel, ok := insn.Args[0].(x86asm.Rel)
			if !ok || filled[at+uint64(insn.PCRelOff)] {
				return
			}
			if to := at + uint64(insn.Len) + uint64(int64(rel)); to < s.size {
				if other := m.itemAt(place{s.index, to}); other != it && other != nil {
					it.to = append(it.to, other)
				}
			}
		})
	}
}

// roots gives each item the contexts in which the kernel itself uses it. The replacement of a function of a module runs only
// while that module is loaded; a callback may be called after it has gone.
func (m *model) roots() {
	root := func(at place, context string) {
		if it := m.itemAt(at); it != nil {
			m.reach(it, nil, context)
		}
	}
	for _, o := range m.objects {
		context := o.Name
		if context == vmlinux {
			context = always
		}
		for _, f := range o.Functions {
			root(f.new, context)
		}
		for _, c := range o.callbacks {
			root(c, always)
		}
	}
	for _, s := range m.states {
		root(s, always)
	}
	for _, f := range m.fields {
		if f.object == "" && !plain(f.in) && !ownerTable(f.in.name) {
			root(m.target(f), always)
		}
	}
	for i := range m.sections {
		if s := &m.sections[i]; strings.HasPrefix(s.name, ".init") || strings.HasPrefix(s.name, ".exit") || !plain(s) && !ownerTable(s.name) {
			for _, it := range m.items[i] {
				m.reach(it, nil, always)
			}
		}
	}
}

// reach says that an item can be used in a context, and all that it refers to.
func (m *model) reach(it, from *item, context string) {
	todo := [][2]*item{{it, from}}
	for len(todo) > 0 {
		it, from := todo[len(todo)-1][0], todo[len(todo)-1][1]
		todo = todo[:len(todo)-1]
		if _, known := it.seen[context]; known {
			continue
		}
		if it.seen == nil {
			it.seen = map[string]*item{}
		}
		it.seen[context] = from
		for _, to := range it.to {
			todo = append(todo, [2]*item{to, it})
		}
	}
}

// early finds fields that are filled in as a module is loaded, and code or data with them that can be used without it.
func (m *model) early() {
	for _, f := range m.fields {
		it := m.itemAt(place{f.in.index, f.off})
		if !f.late() || it == nil {
			continue
		}
		for _, context := range slices.Sorted(maps.Keys(it.seen)) {
			if m.implies(context, f.object) {
				continue
			}
			when := "as soon as the update is loaded"
			if context != always {
				when = "while " + context + " is loaded"
			}
			m.fail("%s+%#x: %s in %s is filled in as %s is loaded, and can be used %s, without it: %s", f.in.name, f.off, f.symbol, it, f.object, when, way(it, context))
		}
	}
}

// way is how an item is reached, the root first.
func way(it *item, context string) string {
	var names []string
	for ; it != nil && len(names) < 20; it = it.seen[context] {
		names = append(names, it.name)
	}
	slices.Reverse(names)
	return strings.Join(names, " -> ")
}

// implies says whether one module is in memory whenever another is: the loader holds those from which that one imports a symbol
// that is not weak, and those that they hold.
//
// Source: resolve_symbol, ref_module and simplify_symbols, kernel/module.c v5.10, kernel/module/main.c v6.1 to v7.2.
func (m *model) implies(loaded, wanted string) bool {
	if loaded == always {
		return false
	}
	seen := map[string]bool{loaded: true}
	for todo := []string{loaded}; len(todo) > 0; todo = todo[1:] {
		if seen[wanted] {
			return true
		}
		for _, other := range m.importedFrom(todo[0]) {
			if !seen[other] {
				seen[other] = true
				todo = append(todo, other)
			}
		}
	}
	return seen[wanted]
}

// importedFrom are the modules that the loader holds for one; none if that cannot be read, which proves nothing.
func (m *model) importedFrom(name string) []string {
	if known, ok := m.holds[name]; ok {
		return known
	}
	var out []string
	if f, err := m.shipped(name); err == nil {
		for _, y := range f.symbols {
			if y.shndx != shnUndef || y.bind == stbWeak || y.name == "" {
				continue
			}
			if owner := m.kernel.Exporter(y.name); owner != "" && owner != name && !slices.Contains(out, owner) {
				out = append(out, owner)
			}
		}
	}
	m.holds[name] = out
	return out
}

// shipped is the file of a shipped module.
func (m *model) shipped(name string) (*file, error) {
	if f := m.files[name]; f != nil {
		return f, nil
	}
	data, err := m.kernel.Module(name)
	if err != nil {
		return nil, err
	}
	f, err := readELF(data)
	if err != nil {
		return nil, fmt.Errorf("its file: %w", err)
	}
	m.files[name] = f
	return f, nil
}
