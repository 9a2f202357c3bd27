package match

import (
	"livesplice/kmod/module"
	"livesplice/kmod/vmlinux"
)

// Run is the shipped binary that a unit is part of: vmlinux, or a module.
type Run interface {
	// Bytes gives n bytes at an address, as the file has them; false when they are not all in the file.
	Bytes(addr, n uint64) ([]byte, bool)
	// Lookup gives all symbols of a name, At all symbols at an address.
	Lookup(name string) []vmlinux.Symbol
	At(addr uint64) []vmlinux.Symbol
	// IsCode says whether a symbol names code. nm's letter alone does not tell.
	IsCode(s vmlinux.Symbol) bool
	// Place is what livepatch finds a symbol by. For an undefined one of a module it is that of the export; false when
	// there is none.
	Place(s vmlinux.Symbol) (vmlinux.Place, bool)
	// Globals are the places that code of the binary can mean by a name that its own object file does not define.
	Globals(name string) []vmlinux.Place
	// JumpTable is the binary's __jump_table; nil when the binary does not say where that is.
	JumpTable() *vmlinux.JumpTable
}

var (
	_ Run = (*vmlinux.Image)(nil)
	_ Run = (*module.Image)(nil) // when nothing has to be resolved
	_ Run = (*module.Linked)(nil)
)
