package pkgfmt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Bounds of one rpm header, those of rpm itself (lib/header.c, 4.18) but for the store, which rpm allows 256 MiB.
const (
	rpmMaxTags  = 65535
	rpmMaxStore = 32 << 20
	rpmLeadLen  = 96
)

// checkRPMHeads looks at the index of both headers before the rpm library does, which allocates as many values as an
// index entry claims, and may be led to copy the whole store once for each of them.
func checkRPMHeads(r io.ReaderAt, size int64) error {
	sigEnd, err := checkRPMHeader(r, rpmLeadLen, size)
	if err != nil {
		return fmt.Errorf("signature: %w", err)
	}
	_, err = checkRPMHeader(r, (sigEnd+7)&^7, size)
	return err
}

// checkRPMHeader checks the header at offset and returns where it ends.
func checkRPMHeader(r io.ReaderAt, offset, size int64) (end int64, err error) {
	var intro struct {
		Magic    [4]byte // 8e ad e8, version 1
		Reserved [4]byte
		Tags     uint32 // index entries
		Store    uint32 // bytes of data after the index
	}
	if err := binary.Read(io.NewSectionReader(r, offset, 16), binary.BigEndian, &intro); err != nil {
		return 0, noEOF(err)
	}
	if intro.Magic != [4]byte{0x8e, 0xad, 0xe8, 1} {
		return 0, fmt.Errorf("no header at byte %d", offset)
	}
	if intro.Tags > rpmMaxTags || intro.Store > rpmMaxStore {
		return 0, fmt.Errorf("%d tags with %d bytes are too many", intro.Tags, intro.Store)
	}
	end = offset + 16 + 16*int64(intro.Tags) + int64(intro.Store)
	if end > size {
		return 0, fmt.Errorf("it ends at byte %d, the file at %d: %w", end, size, io.ErrUnexpectedEOF)
	}
	b := make([]byte, end-offset-16)
	if _, err := r.ReadAt(b, offset+16); err != nil {
		return 0, noEOF(err)
	}
	index, store := b[:16*intro.Tags], b[16*intro.Tags:]
	total := 0
	for i := range int(intro.Tags) {
		n, err := rpmDataLen(index[16*i:], store)
		if err != nil {
			return 0, fmt.Errorf("tag %d: %w", i, err)
		}
		// Sound headers do not share data between tags.
		if total += n; total > 2*len(store) {
			return 0, errors.New("tags overlap")
		}
	}
	return end, nil
}

// rpmDataLen is the number of bytes that an index entry (tag, type, offset, count: four big-endian words) covers.
func rpmDataLen(entry, store []byte) (int, error) {
	kind := binary.BigEndian.Uint32(entry[4:])
	offset := binary.BigEndian.Uint32(entry[8:])
	count := binary.BigEndian.Uint32(entry[12:])
	if offset >= uint32(len(store)) || count == 0 || count > uint32(len(store)) {
		return 0, fmt.Errorf("%d values at byte %d of %d", count, offset, len(store))
	}
	data := store[offset:]
	n := int(count)
	switch kind {
	case 0: // null
		return 0, nil
	case 1, 2, 7: // char, int8, binary
	case 3:
		n *= 2
	case 4:
		n *= 4
	case 5:
		n *= 8
	case 6, 8, 9: // string, string array, i18n string: each ends with NUL
		n = 0
		for range count {
			end := bytes.IndexByte(data[n:], 0)
			if end < 0 {
				return 0, errors.New("a string without end")
			}
			n += end + 1
		}
	default:
		return 0, fmt.Errorf("type %d is not known", kind)
	}
	if n > len(data) {
		return 0, fmt.Errorf("%d bytes at byte %d of %d", n, offset, len(store))
	}
	return n, nil
}
