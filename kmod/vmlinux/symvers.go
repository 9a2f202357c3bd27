package vmlinux

import (
	"errors"
	"io"
)

// Symvers is a Module.symvers by symbol name.
type Symvers map[string]Symver

// A Symver is one line of a Module.symvers.
type Symver struct {
	Name      string
	CRC       uint32 // 0 without MODVERSIONS
	Module    string // "vmlinux", or a module's path without suffix: "fs/ext4/ext4"
	GPL       bool   // EXPORT_SYMBOL_GPL against EXPORT_SYMBOL
	Namespace string
}

// ParseSymvers reads a Module.symvers.
func ParseSymvers(r io.Reader) (Symvers, error) { return nil, errors.New("not yet built") }
