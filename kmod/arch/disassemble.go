package arch

import (
	"fmt"
	"strings"
)

// disassembled gives an instruction's text, or its n bytes where x/arch does not know it.
func disassembled(code []byte, n int, decode func() (string, error)) (text string) {
	n = min(n, len(code))
	asBytes := "(bytes " + strings.TrimSpace(fmt.Sprintf("% x", code[:n])) + ")"
	defer func() {
		if recover() != nil { // a decoder that does not expect such bytes
			text = asBytes
		}
	}()
	text, err := decode()
	if err != nil || text == "" {
		return asBytes
	}
	return text
}
