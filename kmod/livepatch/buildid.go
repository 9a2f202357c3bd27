package livepatch

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
)

// noteGNUBuildID is the type of the note that holds a build-id, NT_GNU_BUILD_ID.
// Source: include/uapi/linux/elf.h of binutils and glibc's elf.h.
const noteGNUBuildID = 3

// noteHeader begins each ELF note; the name and then the description follow,
// each padded to four bytes. Source: elf(5), Nhdr.
type noteHeader struct {
	NameSize uint32
	DescSize uint32
	Type     uint32
}

const noteHeaderSize = 12

// ParseBuildID returns the GNU build-id, in lower-case hexadecimal digits, of a
// run of ELF notes in the machine's byte order: /sys/kernel/notes, or
// /sys/module/<name>/notes/.note.gnu.build-id.
func ParseBuildID(notes []byte) (string, error) {
	for rest := notes; len(rest) > 0; {
		if len(rest) < noteHeaderSize {
			return "", fmt.Errorf("ELF notes: offset %d: %d bytes are left, a note has at least %d", len(notes)-len(rest), len(rest), noteHeaderSize)
		}
		h := noteHeader{
			NameSize: binary.NativeEndian.Uint32(rest),
			DescSize: binary.NativeEndian.Uint32(rest[4:]),
			Type:     binary.NativeEndian.Uint32(rest[8:]),
		}
		body := rest[noteHeaderSize:]
		// 64 bits, since the padding may carry a size over the 32.
		name, desc := pad4(h.NameSize), pad4(h.DescSize)
		if name+uint64(h.DescSize) > uint64(len(body)) {
			return "", fmt.Errorf("ELF notes: offset %d: a name of %d and a description of %d bytes, %d bytes are left", len(notes)-len(rest), h.NameSize, h.DescSize, len(body))
		}
		if h.Type == noteGNUBuildID && bytes.Equal(body[:h.NameSize], []byte("GNU\x00")) {
			id := hex.EncodeToString(body[name : name+uint64(h.DescSize)])
			if !buildIDPattern.MatchString(id) {
				return "", fmt.Errorf("ELF notes: offset %d: a build-id of %d bytes, expected 8 to 64", len(notes)-len(rest), h.DescSize)
			}
			return id, nil
		}
		// The last note's padding may be missing.
		rest = body[min(name+desc, uint64(len(body))):]
	}
	return "", fmt.Errorf("ELF notes: no GNU build-id among them: the kernel was linked without --build-id")
}

func pad4(n uint32) uint64 { return (uint64(n) + 3) &^ 3 }
