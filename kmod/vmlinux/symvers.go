package vmlinux

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Symvers is a Module.symvers, by symbol name.
type Symvers map[string]Symver

// A Symver is one line of a Module.symvers.
type Symver struct {
	Name      string
	CRC       uint32 // of the symbol's type; 0 without CONFIG_MODVERSIONS
	Module    string // "vmlinux", or a module's path in the tree without suffix: "fs/ext4/ext4"
	GPL       bool   // for GPL modules only
	Namespace string // "" for none
}

// ParseSymvers reads a Module.symvers: per line CRC, name, module, export type and namespace, with a tab between.
// A line of another form, and a name that
// comes twice, are errors that name the line. Source: scripts/mod/modpost.c, read_dump, v5.10, v7.2.
func ParseSymvers(r io.Reader) (Symvers, error) {
	all := Symvers{}
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		v, err := parseSymver(lines.Text())
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		if _, twice := all[v.Name]; twice {
			return nil, fmt.Errorf("line %d: %q is there twice", n, v.Name)
		}
		all[v.Name] = v
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("line %d: %w", len(all)+1, err)
	}
	return all, nil
}

func parseSymver(line string) (Symver, error) {
	fields := strings.Split(line, "\t")
	if len(fields) != 5 {
		return Symver{}, fmt.Errorf("%d fields, want 5 with a tab between", len(fields))
	}
	digits, hex := strings.CutPrefix(fields[0], "0x")
	crc, err := strconv.ParseUint(digits, 16, 32)
	if err != nil || !hex {
		return Symver{}, fmt.Errorf("CRC %q: want 0x and up to 8 hexadecimal digits", fields[0])
	}
	v := Symver{Name: fields[1], CRC: uint32(crc), Module: fields[2], Namespace: fields[4]}
	if v.Name == "" || v.Module == "" {
		return Symver{}, fmt.Errorf("symbol %q of module %q: both must be there", v.Name, v.Module)
	}
	switch fields[3] {
	case "EXPORT_SYMBOL", "EXPORT_UNUSED_SYMBOL":
	case "EXPORT_SYMBOL_GPL", "EXPORT_UNUSED_SYMBOL_GPL", "EXPORT_SYMBOL_GPL_FUTURE": // all but the first are 5.10's
		v.GPL = true
	default:
		return Symver{}, fmt.Errorf("export type %q: want EXPORT_SYMBOL or EXPORT_SYMBOL_GPL", fields[3])
	}
	return v, nil
}
