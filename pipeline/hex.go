package pipeline

import (
	"fmt"
	"strconv"
)

// hex is an address; JSON shows it as "0xffffffff81000000", since numbers of that size lose digits elsewhere.
type hex uint64

// String is the number with 0x.
func (h hex) String() string { return fmt.Sprintf("%#x", uint64(h)) }

// MarshalText makes JSON hold String.
func (h hex) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText reads String.
func (h *hex) UnmarshalText(b []byte) error {
	n, err := strconv.ParseUint(string(b), 0, 64)
	*h = hex(n)
	return err
}
