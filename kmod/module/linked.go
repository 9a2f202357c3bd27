package module

import (
	"fmt"
	"strings"

	"livesplice/kmod/vmlinux"
)

// Linked is a module with what its undefined symbols lead to: what vmlinux and other modules export.
type Linked struct {
	*Image
	kernel  *vmlinux.Image
	symvers vmlinux.Symvers
	others  map[string]*Image // modules that this one imports from, by name
}

// Link opens the modules that a module imports from. other gives one of them, by the name that lsmod shows.
func Link(im *Image, kernel *vmlinux.Image, symvers vmlinux.Symvers, other func(name string) (*Image, error)) (*Linked, error) {
	l := &Linked{Image: im, kernel: kernel, symvers: symvers, others: map[string]*Image{}}
	for _, s := range im.symbols {
		owner := l.exporter(s.Name)
		if s.Type != 'U' || owner == "" || l.others[owner] != nil {
			continue
		}
		o, err := other(owner)
		if err != nil {
			return nil, fmt.Errorf("module %q: imports %q from module %q: %w", im.Name, s.Name, owner, err)
		}
		l.others[owner] = o
	}
	return l, nil
}

// exporter is the other module that exports a name; "" when vmlinux, this module or nobody does.
func (l *Linked) exporter(name string) string {
	v, ok := l.symvers[name]
	if _, inKernel := l.kernel.Export(name); !ok || inKernel || v.Module == vmlinux.Object {
		return ""
	}
	if owner := NameOf(v.Module); owner != l.Name {
		return owner
	}
	return ""
}

// NameOf is the name that lsmod shows for a module's path in the tree or in its package: "net/nf-conntrack.ko".
//
// Source: KBUILD_MODNAME and name-fix, scripts/Makefile.lib, v6.1.
func NameOf(path string) string {
	base := strings.TrimSuffix(path[strings.LastIndexByte(path, '/')+1:], ".ko")
	return strings.NewReplacer("-", "_", ",", "_").Replace(base)
}

// Place gives a symbol of the module as livepatch finds it: its own, or the export that an undefined one leads to.
func (l *Linked) Place(s vmlinux.Symbol) (vmlinux.Place, bool) {
	if s.Type == 'U' {
		return l.imported(s.Name)
	}
	return l.Image.Place(s)
}

// imported is what the loader links an undefined name of the module to.
func (l *Linked) imported(name string) (vmlinux.Place, bool) {
	if e, ok := l.kernel.Export(name); ok {
		for _, s := range l.kernel.Lookup(name) {
			if s.Addr == e.Addr {
				return l.kernel.Place(s)
			}
		}
		return vmlinux.Place{}, false
	}
	if o := l.others[l.exporter(name)]; o != nil {
		if found := o.Globals(name); len(found) > 0 {
			return found[0], true
		}
	}
	return vmlinux.Place{}, false
}

// Globals are the places that code of the module can mean by a name of another object file: a global symbol of the
// module itself, else an export of vmlinux or of a module that this one imports from already.
func (l *Linked) Globals(name string) []vmlinux.Place {
	if own := l.Image.Globals(name); len(own) > 0 {
		return own
	}
	if p, ok := l.imported(name); ok {
		return []vmlinux.Place{p}
	}
	return nil
}
