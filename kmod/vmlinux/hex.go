package vmlinux

import (
	"fmt"
	"strconv"
)

// Hex is an address; JSON shows it as "0xffffffff81000000", since numbers of that size lose digits elsewhere.
type Hex uint64

// String is the number with 0x.
func (h Hex) String() string { return fmt.Sprintf("%#x", uint64(h)) }

// MarshalText makes JSON hold String.
func (h Hex) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText reads String.
func (h *Hex) UnmarshalText(b []byte) error {
	n, err := strconv.ParseUint(string(b), 0, 64)
	*h = Hex(n)
	return err
}
