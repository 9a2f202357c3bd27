package pkgfmt

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
)

// maxNotes bounds a note section, in bytes. A kernel's .notes has 600.
const maxNotes = 1 << 20

// openELF guards debug/elf, which may panic on damaged input.
func openELF(b []byte) (f *elf.File, err error) {
	defer func() {
		if r := recover(); r != nil {
			f, err = nil, fmt.Errorf("ELF file is damaged: %v", r)
		}
	}()
	return elf.NewFile(bytes.NewReader(b))
}

// sectionData is a section's bytes, nil if there is no such section or it is larger than limit.
func sectionData(s *elf.Section, limit uint64) (data []byte) {
	defer func() {
		if recover() != nil {
			data = nil
		}
	}()
	if s == nil || s.Type == elf.SHT_NOBITS || s.Flags&elf.SHF_COMPRESSED != 0 || s.Size > limit {
		return nil
	}
	data, err := s.Data()
	if err != nil {
		return nil
	}
	return data
}

// BuildID is the GNU build ID of a vmlinux in a file, of which no more than its headers and notes is read. Errors: one of
// fs.ErrNotExist, *InputError.
func BuildID(path string) (id HexBytes, err error) {
	defer func() {
		if r := recover(); r != nil {
			id, err = nil, &InputError{Path: path, Want: "a vmlinux", Got: fmt.Sprint(r)}
		}
	}()
	f, err := elf.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err == nil {
		defer f.Close()
		id, err = buildID(f)
	}
	if err != nil {
		return nil, &InputError{Path: path, Want: "a vmlinux", Err: err}
	}
	return id, nil
}

// buildID finds the GNU build ID of a kernel image (.notes) or a module (.note.gnu.build-id).
func buildID(f *elf.File) ([]byte, error) {
	for _, s := range f.Sections {
		if s.Type != elf.SHT_NOTE {
			continue
		}
		if id := gnuBuildID(sectionData(s, maxNotes), f); id != nil {
			return id, nil
		}
	}
	return nil, errors.New("ELF file has no build ID (no NT_GNU_BUILD_ID note)")
}

// gnuBuildID walks notes: three words (name length, descriptor length, type), name and descriptor, each padded to 4.
func gnuBuildID(b []byte, f *elf.File) []byte {
	const ntGNUBuildID = 3
	for len(b) >= 12 {
		nameLen, descLen := uint64(f.ByteOrder.Uint32(b)), uint64(f.ByteOrder.Uint32(b[4:]))
		kind := f.ByteOrder.Uint32(b[8:])
		desc := 12 + (nameLen+3)&^3
		end := desc + (descLen+3)&^3
		if desc+descLen > uint64(len(b)) {
			return nil
		}
		if kind == ntGNUBuildID && string(b[12:12+nameLen]) == "GNU\x00" {
			return bytes.Clone(b[desc : desc+descLen])
		}
		b = b[min(end, uint64(len(b))):]
	}
	return nil
}
