package module

import (
	"debug/elf"
	"slices"

	"livesplice/kmod/elfobj"
)

// Index says which modules of a kernel define a name. It holds names alone: an Image of each of some thousands of modules
// would take gigabytes. Reading the modules takes seconds, so it is made only when it is asked for.
type Index struct {
	modules []string
	// defined are the modules that define a name, by their place in modules, ascending.
	defined map[string][]int32
	symbols int
}

// NewIndex is an index of no module.
func NewIndex() *Index { return &Index{defined: map[string][]int32{}} }

// Add enters a module's functions and data, by the name that lsmod shows.
func (ix *Index) Add(name string, file []byte) error {
	obj, err := elfobj.Read(file)
	if err != nil {
		return err
	}
	at := int32(len(ix.modules))
	ix.modules = append(ix.modules, name)
	for _, y := range obj.Symbols {
		if y.Section == nil || !y.Section.Alloc() || y.Name == "" || y.Type != elf.STT_FUNC && y.Type != elf.STT_OBJECT {
			continue
		}
		ix.symbols++
		if in := ix.defined[y.Name]; len(in) == 0 || in[len(in)-1] != at {
			ix.defined[y.Name] = append(in, at)
		}
	}
	return nil
}

// Modules and Symbols are how many were entered.
func (ix *Index) Modules() int { return len(ix.modules) }

// Symbols is the number of functions and data of all modules.
func (ix *Index) Symbols() int { return ix.symbols }

// Defining lists the modules that define a function or datum of the name, in the order in which they were added.
func (ix *Index) Defining(name string) []string {
	var list []string
	for _, i := range ix.defined[name] {
		list = append(list, ix.modules[i])
	}
	return list
}

// DefiningMost gives the modules that define the largest number of the names, and that number: of an object's functions,
// the module that it is a part of. Several modules can be made of one object. With nothing found n is 0.
func (ix *Index) DefiningMost(names []string) (modules []string, n int) {
	count := map[int32]int{}
	for i, name := range names {
		if slices.Contains(names[:i], name) {
			continue
		}
		for _, m := range ix.defined[name] {
			count[m]++
			n = max(n, count[m])
		}
	}
	for i, name := range ix.modules {
		if n > 0 && count[int32(i)] == n {
			modules = append(modules, name)
		}
	}
	return modules, n
}
