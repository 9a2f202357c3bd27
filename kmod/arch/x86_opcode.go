package arch

// OpcodeX86 gives opcode, 0x0f00 added for the second map, and the byte behind it; 0 for other maps.
func OpcodeX86(code []byte) (op int, modrm byte) {
	for i, b := range code {
		switch {
		case b == 0x66, b == 0x67, b == 0xf0, b == 0xf2, b == 0xf3, b == 0x2e, b == 0x36, b == 0x3e, b == 0x26, b == 0x64, b == 0x65, b&0xf0 == 0x40:
			continue
		case b == 0x0f && i+1 < len(code):
			return 0x0f00 | int(code[i+1]), byteAt(code, i+2)
		}
		return int(b), byteAt(code, i+1)
	}
	return 0, 0
}

func byteAt(code []byte, i int) byte {
	if i < len(code) {
		return code[i]
	}
	return 0
}
