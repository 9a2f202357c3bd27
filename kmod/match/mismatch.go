package match

import (
	"fmt"
	"strings"
)

// Difference is one function or datum whose place in the shipped binary is not proven.
type Difference struct {
	Unit    string `json:"unit"`
	Subject string `json:"subject"`
	// Address is where the subject was looked for, 0 when it was found nowhere.
	Address uint64 `json:"address,omitempty"`
	// Offset of the first difference from the subject's start, and both instructions there; empty when the difference
	// is not in an instruction.
	Offset uint64 `json:"offset,omitempty"`
	Pre    string `json:"pre,omitempty"`
	Run    string `json:"run,omitempty"`
	Reason string `json:"reason"`
}

func (d Difference) String() string {
	s := fmt.Sprintf("%s: %s", d.Unit, d.Subject)
	if d.Address != 0 {
		s += fmt.Sprintf(" at %#x", d.Address)
	}
	s += ": " + d.Reason
	if d.Pre != "" || d.Run != "" {
		s += fmt.Sprintf(" at offset %#x: built from source: %q, shipped: %q", d.Offset, d.Pre, d.Run)
	}
	return s
}

// Mismatch is the error that source and shipped kernel do not match; the program exits with 5.
type Mismatch struct {
	Differences []Difference
}

func (m *Mismatch) Error() string {
	lines := make([]string, 0, len(m.Differences)+1)
	for _, d := range m.Differences {
		lines = append(lines, "no match: "+d.String())
	}
	return strings.Join(append(lines, "the source, its configuration or the compiler is not what the shipped kernel was built with"), "\n")
}
