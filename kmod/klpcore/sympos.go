package klpcore

import (
	"fmt"
	"strings"
)

// find looks a symbol up as livepatch does. In a module what there is to be found depends on when: while the module is loading its
// whole symbol table counts, afterwards only what stays in memory. Both must lead to the same symbol.
//
// Source: klp_find_object_symbol, kernel/livepatch/core.c; module_kallsyms_on_each_symbol, is_core_symbol and add_kallsyms,
// kernel/module.c v5.10, kernel/module/kallsyms.c v6.1 to v7.2.
func (m *model) find(y Symbol) error {
	if y.Object == vmlinux {
		_, err := pick(m.kernel.Symbols(y.Name), y.Pos)
		return err
	}
	f, err := m.shipped(y.Object)
	if err != nil {
		return err
	}
	var coming, live []int
	for i, s := range f.symbols {
		if s.name != y.Name || s.shndx == shnUndef {
			continue
		}
		coming = append(coming, i)
		if core(f, s) {
			live = append(live, i)
		}
	}
	a, err := pick(coming, y.Pos)
	if err != nil {
		return fmt.Errorf("while it is loading: %w", err)
	}
	b, err := pick(live, y.Pos)
	if err != nil {
		return fmt.Errorf("once it is loaded: %w", err)
	}
	if a != b {
		return fmt.Errorf("another symbol while it is loading than once it is loaded")
	}
	return nil
}

// pick gives one of several: the only one for position 0.
func pick[T any](all []T, pos uint64) (one T, err error) {
	switch {
	case len(all) == 0:
		return one, fmt.Errorf("there is none")
	case pos == 0 && len(all) > 1:
		return one, fmt.Errorf("there are %d, and no position says which", len(all))
	case pos > uint64(len(all)):
		return one, fmt.Errorf("there are %d", len(all))
	}
	return all[max(pos, 1)-1], nil
}

// core says whether a symbol of a shipped module stays in the kernel's table once it is loaded.
func core(f *file, y symbol) bool {
	if y.shndx == shnUndef || y.shndx >= shnLoReserve || y.name == "" {
		return false
	}
	s := &f.sections[y.shndx]
	return s.name == ".data..percpu" || s.alloc() && !strings.HasPrefix(s.name, ".init")
}

// lookups checks every name that livepatch will look up, and that the module that has it is there by then.
func (m *model) lookups() {
	done := map[string]bool{}
	once := func(object string, y Symbol) {
		key := object + " " + y.String()
		if done[key] {
			return
		}
		done[key] = true
		if y.Object != object && y.Object != vmlinux && object != vmlinux && !m.implies(object, y.Object) {
			m.fail("%s: looked up as %s is loaded, which does not hold %s: it need not be there, and %s is not loaded then", y, object, y.Object, object)
		}
		if err := m.find(y); err != nil {
			m.fail("%s: %v", y, err)
		}
	}
	for _, f := range m.fields {
		if f.object != "" && f.object != "?" {
			once(f.object, f.symbol)
		}
	}
	longest := m.kernel.longestName()
	for _, o := range m.objects {
		for _, f := range o.Functions {
			if len(f.Name) > longest {
				m.fail("function %q: more than %d characters", f.Name, longest)
			}
			once(o.Name, Symbol{o.Name, f.Name, f.Pos})
		}
	}
}
