package vmlinux

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// nameTable is kallsyms_num_syms, kallsyms_names and kallsyms_markers, and whether kallsyms_seqs_of_names follows.
//
// A record of kallsyms_names is its length and that many bytes, each standing for a token; the first character of the
// expanded text is the type letter. Every 256th record has its offset in kallsyms_markers, 32 bits each. The three
// follow each other in all versions; seqs_of_names (6.2, and stable releases of 6.1) comes between the markers and the
// token table at first, and later at the very end. Source: scripts/kallsyms.c, write_src, v5.10, v6.1, v6.12, v7.2.
type nameTable struct {
	count   int    // symbols
	numSyms int    // offset of kallsyms_num_syms in the section
	records []byte // kallsyms_names
	uleb128 bool   // a length of 128 or more takes two bytes (6.1); else one byte
	seqsAt  int    // offset of seqs_of_names when it follows the markers; else 0
}

const (
	// maxSymbols bounds what a corrupt image can ask for. Debian's 7.2 has 0.2 million.
	maxSymbols = 2 << 20
	// maxNameBytes bounds the expanded names. Debian's 7.2 has 5 million bytes of them.
	maxNameBytes = 64 << 20
	// A block is the records between two markers.
	minBlock = 256 * 2
	maxBlock = 256 * (2 + maxNameLen)
)

// findNames finds the tables before a token table: it walks back to a zero followed by a plausible second marker, and
// believes it when everything else fits: the distance to the token table, the count, and each marker against its record.
func findNames(data []byte, tokens *tokenTable, align int) (*nameTable, bool) {
	u32 := func(at int) int { return int(binary.LittleEndian.Uint32(data[at:])) }
	const farthest = maxSymbols/256*4 + maxSymbols*3 // markers and sequence numbers of as many
	for at := tokens.start - 8; at >= max(0, tokens.start-farthest); at -= align {
		if u32(at) != 0 || u32(at+4) < minBlock || u32(at+4) > maxBlock {
			continue
		}
		run := 2
		for at+4*run+4 <= tokens.start {
			if size := u32(at+4*run) - u32(at+4*run-4); size < minBlock || size > maxBlock {
				break
			}
			run++
		}
		for _, seqs := range []bool{false, true} {
			if t, ok := namesBefore(data, at, run, tokens.start-at, seqs, align); ok {
				return t, true
			}
		}
	}
	return nil, false
}

// namesBefore reads the names that end at the markers. The markers have at most run entries, and distance bytes lie
// between their start and the token table.
func namesBefore(data []byte, markers, run, distance int, seqs bool, align int) (*nameTable, bool) {
	u32 := func(at int) int { return int(binary.LittleEndian.Uint32(data[at:])) }
	fits := func(count int) bool { // the tables of so many symbols fill the distance
		blocks := (count + 255) / 256
		size := alignUp(4*blocks, align)
		if seqs {
			size += alignUp(3*count, align)
		}
		return size == distance && blocks >= 2 && blocks <= run && count <= maxSymbols
	}
	// 4 bytes of marker for 256 symbols, and 3 bytes of sequence number for each.
	blocks := distance / 4
	if seqs {
		blocks = distance / (4 + 3*256)
	}
	for b := max(2, blocks-1); b <= min(run, blocks+1); b++ {
		last := u32(markers + 4*b - 4)
		// kallsyms_names starts somewhere before, so that its last block of 1 to 256 records ends at the markers.
		for start := (markers - last) &^ (align - 1); start >= align && start >= markers-last-maxBlock-align; start -= align {
			count := u32(start - align)
			if (count+255)/256 != b || !fits(count) || !allZero(data[start-align+4:start]) {
				continue
			}
			for _, uleb128 := range []bool{true, false} {
				end, ok := walkNames(data[:markers], start, markers, data[markers:markers+4*b], count, uleb128)
				if !ok || alignUp(end, align) != markers || !allZero(data[end:markers]) {
					continue
				}
				t := &nameTable{count: count, numSyms: start - align, records: data[start:end], uleb128: uleb128}
				if seqs {
					t.seqsAt = markers + alignUp(4*b, align)
				}
				return t, true
			}
		}
	}
	return nil, false
}

// walkNames goes over the records and is true when each marker is the offset of its record.
func walkNames(data []byte, start, limit int, markers []byte, count int, uleb128 bool) (end int, ok bool) {
	at := start
	for i := range count {
		if i&255 == 0 && int(binary.LittleEndian.Uint32(markers[i>>8*4:])) != at-start {
			return 0, false
		}
		size, head := recordLen(data[at:], uleb128)
		if size == 0 || at+head+size > limit {
			return 0, false
		}
		at += head + size
	}
	return at, true
}

// recordLen is the number of compressed bytes of the record at the start of data, and the bytes that tell it. Zero is
// no length: a record holds at least the type letter.
func recordLen(data []byte, uleb128 bool) (size, head int) {
	if len(data) == 0 {
		return 0, 0
	}
	size, head = int(data[0]), 1
	if uleb128 && size&0x80 != 0 {
		if len(data) < 2 {
			return 0, 0
		}
		size, head = size&0x7f|int(data[1])<<7, 2
	}
	return size, head
}

// expand writes names and types of all symbols. All names share one string.
func (t *nameTable) expand(tokens *[256]string) ([]Symbol, error) {
	ends := make([]int32, t.count) // of each symbol's text in the whole
	total, at := 0, 0
	for i := range ends {
		size, head := recordLen(t.records[at:], t.uleb128)
		length := 0
		for _, c := range t.records[at+head : at+head+size] {
			length += len(tokens[c])
		}
		if length < 2 || length > maxNameLen {
			return nil, fmt.Errorf("symbol %d: %d characters, want a type letter and 1 to %d", i, length, maxNameLen-1)
		}
		if total += length; total > maxNameBytes {
			return nil, fmt.Errorf("the names of %d symbols are longer than %d bytes", t.count, maxNameBytes)
		}
		ends[i] = int32(total)
		at += head + size
	}
	var text strings.Builder
	text.Grow(total)
	at = 0
	for range ends {
		size, head := recordLen(t.records[at:], t.uleb128)
		for _, c := range t.records[at+head : at+head+size] {
			text.WriteString(tokens[c])
		}
		at += head + size
	}
	symbols := make([]Symbol, t.count)
	all, from := text.String(), int32(0)
	for i, end := range ends {
		letter := all[from]
		// nm has a '?' for symbols in sections that it cannot tell: __nosave_begin where nothing is in .data..nosave.
		if (letter|0x20 < 'a' || letter|0x20 > 'z') && letter != '?' {
			return nil, fmt.Errorf("symbol %d: type %q is no letter", i, letter)
		}
		symbols[i] = Symbol{Name: all[from+1 : end], Type: letter, Index: i}
		from = end
	}
	return symbols, nil
}
