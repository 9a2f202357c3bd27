package vmlinux

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// StructSize is the size in bytes of the kernel's struct with that tag, by the image's BTF; ok is false when the image has
// none (CONFIG_DEBUG_INFO_BTF), or no such struct, or several of different sizes.
func (im *Image) StructSize(tag string) (size uint64, ok bool) {
	im.readTypes.Do(func() {
		if s, found := im.SectionByName(".BTF"); found {
			// Data that is damaged says nothing; who asks has another way to learn a size, or refuses.
			im.structs, _ = structSizes(im.data(s))
		}
	})
	n, found := im.structs[tag]
	return uint64(n), found && n != severalSizes
}

// severalSizes marks a tag that stands for structs of different sizes.
const severalSizes = 1<<32 - 1

// btfHeader begins .BTF.
//
// Source: Documentation/bpf/btf.rst, v6.12.
type btfHeader struct {
	Magic            uint16 // 0xeb9f
	Version          uint8  // 1
	Flags            uint8
	HdrLen           uint32 // bytes from the start to where the offsets below count from
	TypeOff, TypeLen uint32 // the types, bytes
	StrOff, StrLen   uint32 // their names, bytes
}

// btfStruct is the kind of a type that is a struct.
const btfStruct = 4

// btfExtra is what follows the 12 bytes of a type of each kind: a number of bytes, and bytes for each of its members.
//
// Source: Documentation/bpf/btf.rst, v6.12.
var btfExtra = [...]struct{ fixed, each uint32 }{
	1: {4, 0}, 2: {}, 3: {12, 0}, btfStruct: {0, 12}, 5: {0, 12}, 6: {0, 8}, 7: {}, 8: {}, 9: {}, 10: {}, 11: {}, 12: {},
	13: {0, 8}, 14: {4, 0}, 15: {0, 12}, 16: {}, 17: {4, 0}, 18: {}, 19: {0, 12},
}

// structSizes gives the sizes in bytes of all structs with a tag.
func structSizes(btf []byte) (map[string]uint32, error) {
	var h btfHeader
	if _, err := binary.Decode(btf, binary.LittleEndian, &h); err != nil {
		return nil, fmt.Errorf("BTF: header: %w", err)
	}
	end := func(off, n uint32) uint64 { return uint64(h.HdrLen) + uint64(off) + uint64(n) }
	if h.Magic != 0xeb9f || h.Version != 1 || end(h.TypeOff, h.TypeLen) > uint64(len(btf)) || end(h.StrOff, h.StrLen) > uint64(len(btf)) {
		return nil, fmt.Errorf("BTF: magic %#x, version %d, types and names of %d and %d bytes in %d", h.Magic, h.Version, h.TypeLen, h.StrLen, len(btf))
	}
	types := btf[h.HdrLen+h.TypeOff:][:h.TypeLen]
	names := btf[h.HdrLen+h.StrOff:][:h.StrLen]
	out := map[string]uint32{}
	for id := 1; len(types) > 0; id++ {
		if len(types) < 12 {
			return nil, fmt.Errorf("BTF: type %d: %d bytes", id, len(types))
		}
		name, info, size := binary.LittleEndian.Uint32(types), binary.LittleEndian.Uint32(types[4:]), binary.LittleEndian.Uint32(types[8:])
		kind, members := info>>24&31, info&0xffff
		if kind == 0 || int(kind) >= len(btfExtra) {
			return nil, fmt.Errorf("BTF: type %d: kind %d is not known", id, kind)
		}
		n := 12 + btfExtra[kind].fixed + members*btfExtra[kind].each
		if uint64(n) > uint64(len(types)) || uint64(name) >= uint64(len(names)) {
			return nil, fmt.Errorf("BTF: type %d: %d bytes and a name at %#x exceed %d and %d", id, n, name, len(types), len(names))
		}
		if tag, _, _ := bytes.Cut(names[name:], []byte{0}); kind == btfStruct && len(tag) > 0 {
			if known, ok := out[string(tag)]; ok && known != size {
				size = severalSizes
			}
			out[string(tag)] = size
		}
		types = types[n:]
	}
	return out, nil
}
