package match

import "livesplice/kmod/vmlinux"

// Run is the shipped binary that a unit is part of. *vmlinux.Image is one.
type Run interface {
	// Bytes gives n bytes at an address, as the file has them; false when they are not all in the file.
	Bytes(addr, n uint64) ([]byte, bool)
	// Lookup gives all symbols of a name, At all symbols at an address.
	Lookup(name string) []vmlinux.Symbol
	At(addr uint64) []vmlinux.Symbol
	// SymPos is the position by which livepatch tells symbols of one name apart; 0 for a unique one.
	SymPos(s vmlinux.Symbol) int
}

var _ Run = (*vmlinux.Image)(nil)
