package klpcore

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Prediction is what the kernel will do with a module that Check found right.
type Prediction struct {
	Objects []Object `json:"objects"`
	// Writes are the fields that livepatch fills in, by section and offset. Those for vmlinux are written before the kernel looks
	// at any table of the module, those for a module when that and the update are both there, and cleared when it goes.
	Writes []Write `json:"writes"`
}

// maxProblems bounds what is said of one module.
const maxProblems = 100

type model struct {
	*file
	kernel *Kernel
	fields []field // by section and offset

	patch   place
	objects []Object
	states  []place
	muted   []place

	ends      map[place]uint64 // of the instructions that relative fields are in, counted from these
	items     [][]*item        // by section
	rewritten []span
	holds     map[string][]string
	files     map[string]*file // shipped modules

	problems []error
}

func (m *model) fail(format string, args ...any) {
	if len(m.problems) < maxProblems {
		m.problems = append(m.problems, fmt.Errorf("module: "+format, args...))
	}
}

// Check reads a finished livepatch module and says what the kernel will do with it. Its error names all that would go wrong, at
// whichever time: as the update is loaded, as a module is loaded before or after it, again, or when code runs.
func Check(ko []byte, kernel Kernel) (*Prediction, error) {
	f, err := readELF(ko)
	if err != nil {
		return nil, fmt.Errorf("module: %w", err)
	}
	if _, _, err := kernel.version(); err != nil {
		return nil, err
	}
	m := &model{file: f, kernel: &kernel, holds: map[string][]string{}, files: map[string]*file{}}
	m.header()
	m.readEnds()
	m.readFields()
	if err := m.readPatch(); err != nil {
		m.fail("%v", err)
	}
	if len(m.problems) > 0 {
		return nil, errors.Join(m.problems...) // what follows relies on it
	}
	m.readItems()
	m.refer()
	m.tables()
	m.roots()
	m.known()
	m.lookups()
	m.early()
	m.readOnce()
	m.imports()
	if len(m.problems) > 0 {
		return nil, errors.Join(m.problems...)
	}
	return m.prediction(), nil
}

// header checks what makes the kernel take the file for a livepatch.
//
// Source: check_modinfo_livepatch and layout_symtab, kernel/module/main.c, v6.1; kernel/module/livepatch.c.
func (m *model) header() {
	if !slices.Equal(m.modinfo("livepatch"), []string{"Y"}) {
		m.fail("modinfo livepatch=%q, want Y", m.modinfo("livepatch"))
	}
	for _, d := range m.modinfo("depends") {
		if d != "" {
			m.fail("it depends on %s, which cannot be unloaded then", d)
		}
	}
}

// known checks that the kernel finds an object for each section of relocations, and that somebody clears what is written for a
// module that can go and come again.
func (m *model) known() {
	cleared := map[string]bool{}
	for _, o := range m.objects {
		cleared[o.Name] = o.postUnpatch || m.kernel.clearsRelocations()
	}
	said := map[string]bool{}
	for _, f := range m.fields {
		if !f.late() || said[f.object] {
			continue
		}
		said[f.object] = true
		if _, ok := cleared[f.object]; !ok {
			m.fail("section %q: never written, since %s is none of the update's objects", f.by.name, f.object)
		} else if !cleared[f.object] {
			m.fail("section %q: this kernel does not clear what it writes, and no callback does: when %s is loaded again, it is refused", f.by.name, f.object)
		}
	}
	for _, o := range m.objects {
		if o.Name == vmlinux {
			continue
		}
		if _, err := m.shipped(o.Name); err != nil {
			m.fail("object %q: %v", o.Name, err)
		}
	}
}

// imports checks that what the loader itself resolves is of vmlinux: an export of a module would hold that in memory.
func (m *model) imports() {
	for i, y := range m.symbols {
		if i == 0 || y.shndx != shnUndef || y.name == "" {
			continue
		}
		namespace, ok := m.kernel.Exported(y.name)
		if !ok && y.bind != stbWeak {
			m.fail("symbol %q: undefined, and vmlinux does not export it", y.name)
		} else if ok && namespace != "" && !slices.Contains(m.modinfo("import_ns"), namespace) {
			m.fail("symbol %q: in namespace %s, which the module does not import", y.name, namespace)
		}
	}
}

func (m *model) prediction() *Prediction {
	p := &Prediction{Objects: m.objects}
	for _, f := range m.fields {
		if f.object != "" {
			p.Writes = append(p.Writes, Write{Object: f.object, Section: f.in.name, Offset: f.off, Size: f.size, Symbol: f.symbol, Addend: f.addend, Relative: f.pcrel})
		}
	}
	return p
}

// String says in short what livepatch will write, and when.
func (p *Prediction) String() string {
	n := map[string]int{}
	for _, w := range p.Writes {
		n[w.Object]++
	}
	words := []string{fmt.Sprintf("%d references filled in with the update", n[vmlinux])}
	for _, o := range p.Objects {
		if n[o.Name] > 0 && o.Name != vmlinux {
			words = append(words, fmt.Sprintf("%d with %s", n[o.Name], o.Name))
		}
	}
	return strings.Join(words, ", ")
}
