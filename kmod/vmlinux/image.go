// Package vmlinux reads a shipped kernel image as data: its memory at link-time addresses, the symbol table that
// kallsyms embeds in it, its exports, and the sympos by which livepatch names a symbol. It is pure: bytes in, value
// out. It holds for 64-bit little-endian kernels from 5.10 to 7.2.
package vmlinux

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"strings"
	"sync"
)

// An Image is a parsed vmlinux. It keeps the bytes it was made from and hands out parts of them, so nobody may change
// them. It is read-only after Parse and safe for concurrent use.
type Image struct {
	Machine elf.Machine
	BuildID []byte // NT_GNU_BUILD_ID; nil when the image has none
	Banner  string // linux_banner: "Linux version <release> (<builder>) (<compiler>) #1 SMP ...", without its newline
	Layout  Layout // how the image lays out its kallsyms tables

	raw      []byte
	sections []Section // by address
	symbols  []Symbol  // in kallsyms order
	first    map[string]int32
	next     []int32  // by Symbol.Index: the next symbol of the same name, or -1
	exports  []Export // by name

	readJumpTable sync.Once
	jumpTable     *JumpTable

	readTypes sync.Once
	structs   map[string]uint32 // sizes in bytes by tag
}

// Parse reads a vmlinux: the stripped one out of a vmlinuz, or one from the build with everything in it. What follows
// the ELF file, such as the relocations that x86 appends under CONFIG_RANDOMIZE_BASE, is ignored.
//
// An image that is no 64-bit little-endian kernel, that has no section headers, whose kallsyms tables are not found or
// not consistent, or whose export tables are corrupt is an error. The error does not name the file: the caller knows it.
func Parse(file []byte) (*Image, error) {
	im := &Image{raw: file}
	if err := im.readELF(); err != nil {
		return nil, err
	}
	if err := im.readKallsyms(); err != nil {
		return nil, fmt.Errorf("kallsyms: %w", err)
	}
	if err := im.readExports(); err != nil {
		return nil, err
	}
	im.Banner = im.findBanner()
	return im, nil
}

// bannerPrefix begins linux_banner in every kernel. Source: init/version.c, v6.1; init/version-timestamp.c, v7.2.
const bannerPrefix = "Linux version "

// findBanner reads linux_banner. Without CONFIG_KALLSYMS_ALL the table does not know it, and the first text of its
// form stands in; linux_proc_banner, "%s version %s", does not have it.
func (im *Image) findBanner() string {
	for _, s := range im.Lookup("linux_banner") {
		if text, ok := im.cString(s.Addr, maxBanner); ok {
			return strings.TrimSuffix(text, "\n")
		}
	}
	for _, s := range im.sections {
		data := im.data(s)
		for at := 0; !s.Exec; {
			i := bytes.Index(data[at:], []byte(bannerPrefix))
			if i < 0 {
				break
			}
			at += i
			text, ok := im.cString(s.Addr+uint64(at), maxBanner)
			if ok && len(text) > len(bannerPrefix) && text[len(bannerPrefix)] >= '0' && text[len(bannerPrefix)] <= '9' &&
				strings.HasSuffix(text, "\n") {
				return strings.TrimSuffix(text, "\n")
			}
			at += len(bannerPrefix)
		}
	}
	return ""
}

// maxBanner is far beyond what UTS_RELEASE (64), UTS_VERSION (64) and the compiler's version line add up to.
const maxBanner = 4096

// cString is the NUL-terminated string at the address, at most limit bytes long.
func (im *Image) cString(addr uint64, limit int) (string, bool) {
	s, ok := im.Section(addr)
	if !ok || s.NoBits {
		return "", false
	}
	data := im.data(s)[addr-s.Addr:]
	if len(data) > limit+1 {
		data = data[:limit+1]
	}
	end := bytes.IndexByte(data, 0)
	if end < 0 {
		return "", false
	}
	return string(data[:end]), true
}

// readBuildID looks for the GNU build-id in an allocated note section. Source: elf(5), "Notes".
func readBuildID(notes []byte) []byte {
	const header = 12 // namesz, descsz, type: 4 bytes each
	for len(notes) >= header {
		nameSize := uint64(binary.LittleEndian.Uint32(notes))
		descSize := uint64(binary.LittleEndian.Uint32(notes[4:]))
		noteType := binary.LittleEndian.Uint32(notes[8:])
		desc := header + (nameSize+3)&^3
		end := desc + (descSize+3)&^3
		if end > uint64(len(notes)) {
			return nil
		}
		if noteType == 3 && nameSize == 4 && string(notes[header:header+4]) == "GNU\x00" {
			return bytes.Clone(notes[desc : desc+descSize])
		}
		notes = notes[end:]
	}
	return nil
}
