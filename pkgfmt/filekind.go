package pkgfmt

import (
	"bytes"
	"unicode/utf8"
)

// sniffLen is how many of a file's first bytes fileKind looks at: enough for a bzImage header and a tar header.
const sniffLen = 1024

// fileKind names what a file is by its first bytes, as a noun phrase, for messages about a file of the wrong kind.
func fileKind(head []byte) string {
	switch {
	case len(head) == 0:
		return "an empty file"
	case bytes.HasPrefix(head, []byte(arMagic+"debian-binary")):
		return "a .deb package"
	case bytes.HasPrefix(head, []byte(arMagic)):
		return "an ar archive that is no .deb"
	case bytes.HasPrefix(head, []byte(rpmLeadMagic)):
		return "an .rpm package"
	case bytes.HasPrefix(head, []byte("\x7fELF")):
		return "an ELF file"
	case isBzImage(head):
		return "a kernel image (bzImage)"
	case bytes.HasPrefix(head, []byte("PK\x03\x04")):
		return "a zip archive"
	case len(head) > 262 && string(head[257:262]) == "ustar":
		return "a tar archive"
	}
	if c := sniffCodec(head); c != codecInvalid {
		return "a file compressed with " + c.String()
	}
	if isText(head) {
		return "a text file"
	}
	return "a file of an unknown kind"
}

func isText(b []byte) bool {
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n == 1 && len(b) >= utf8.UTFMax || r < ' ' && r != '\n' && r != '\t' && r != '\r' && r != '\f' {
			return false
		}
		b = b[n:]
	}
	return true
}
