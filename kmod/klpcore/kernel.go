// Package klpcore is a model of the kernel's livepatch core. From the bytes of a finished livepatch module, and from facts of the
// kernel that is to load it, it finds out what that kernel will do: which reference it fills in, by whose loading, before or
// after what else it does to the module, and which code can run before that. It shares no code with what makes the modules, and
// believes nothing that is not in the file.
//
// Sources, all of them read in v5.10, v6.1, v6.12 and v7.2: kernel/livepatch/core.c, kernel/module.c or kernel/module/*.c,
// arch/x86/kernel/module.c, alternative.c and jump_label.c.
package klpcore

import (
	"fmt"
	"strconv"
	"strings"
)

// vmlinux is what the kernel calls itself in the names of livepatch relocations.
const vmlinux = "vmlinux"

// Kernel is what the model asks of the shipped kernel.
type Kernel struct {
	Release string // uname -r
	// Symbols are the addresses of all symbols of a name in kallsyms, ascending. Modules are not in it.
	Symbols func(name string) []uint64
	// Exported says whether vmlinux exports a name, and in which namespace.
	Exported func(name string) (namespace string, ok bool)
	// Exporter is the module that exports a name, as lsmod shows it; "" for vmlinux, and for none.
	Exporter func(name string) string
	// Module gives the file of a shipped module, decompressed, by the name that lsmod shows.
	Module func(name string) ([]byte, error)
	// StructSize is the size of a struct by the kernel's own BTF; false if it does not tell. May be nil.
	StructSize func(tag string) (size uint64, ok bool)
}

// version is major and minor of the release: 6, 1.
func (k *Kernel) version() (major, minor int, err error) {
	words := strings.FieldsFunc(k.Release, func(r rune) bool { return r < '0' || r > '9' })
	if len(words) < 2 {
		return 0, 0, fmt.Errorf("release %q: no version", k.Release)
	}
	major, err = strconv.Atoi(words[0])
	if err == nil {
		minor, err = strconv.Atoi(words[1])
	}
	return major, minor, err
}

func (k *Kernel) atLeast(major, minor int) bool {
	a, b, err := k.version()
	return err == nil && (a > major || a == major && b >= minor)
}

// longestName is how long the name of a symbol may be in a livepatch symbol.
//
// Source: klp_resolve_symbols, kernel/livepatch/core.c: %127[^,] in v5.10, %511[^,] from v6.1 on.
func (k *Kernel) longestName() int {
	if k.atLeast(6, 1) {
		return 511
	}
	return 127
}

// longestObject is how long the name of an object may be.
//
// Source: klp_resolve_symbols, %55[^.], and klp_init_object, MODULE_NAME_LEN 56, v5.10 to v7.2.
const longestObject = 55

// clearsRelocations says whether the kernel itself clears what it wrote for an object as that is unloaded (since 6.3; vendors
// may have it earlier). Else the next loading finds the fields not empty.
//
// Source: klp_clear_object_relocs, kernel/livepatch/core.c, v6.12; __apply_relocate_add, arch/x86/kernel/module.c, v6.1.
func (k *Kernel) clearsRelocations() bool { return len(k.Symbols("clear_relocate_add")) > 0 }

// relocatesPerCPU says whether the kernel relocates a module's per-CPU section at all: older ones skip it, since they take its
// SHF_ALLOC away before.
//
// Source: layout_and_allocate and apply_relocations, kernel/module/main.c, v6.1 and v6.12 (skips), v7.2 (does not).
func (k *Kernel) relocatesPerCPU() bool { return k.atLeast(7, 2) }
