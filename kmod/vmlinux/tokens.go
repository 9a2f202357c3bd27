package vmlinux

import (
	"bytes"
	"encoding/binary"
)

// maxNameLen is KSYM_NAME_LEN, the longest name with its NUL: 512 since 6.1, 128 before.
const maxNameLen = 512

// tokenTable is kallsyms_token_table and kallsyms_token_index: the text that each byte of a compressed name stands for.
// The table is 256 NUL-terminated strings, the index their 16-bit offsets; the index follows the table in all versions.
// Source: scripts/kallsyms.c, write_src, v5.10, v6.1, v6.12, v7.2.
type tokenTable struct {
	tokens [256]string
	start  int // of the table in the section
	end    int // of the index
}

// digitTokens is what every token table holds: a character that occurs in any name stands for itself, and all ten
// digits occur. (So it is in any kernel with more than a handful of symbols.)
var digitTokens = []byte("0\x001\x002\x003\x004\x005\x006\x007\x008\x009\x00")

// findTokens looks for a token table in a section's data, which is aligned to 8, from an offset on. Labels are aligned
// to align bytes. It also reports UTF-16 digits that only look like one as not found, and goes on behind them.
func findTokens(data []byte, from, align int) (*tokenTable, bool) {
	for {
		i := bytes.Index(data[from:], digitTokens)
		if i < 0 {
			return nil, false
		}
		from += i
		if t, ok := tokensAround(data, from, align); ok {
			return t, true
		}
		from++
	}
}

// tokensAround reads the token table whose token '0' is at digit. Nothing marks the start of the table, so the index
// behind its end tells it, and must agree with all 256 tokens.
func tokensAround(data []byte, digit, align int) (*tokenTable, bool) {
	end := digit
	for c := '0'; c <= 255; c++ {
		size := tokenLen(data[end:])
		if size < 0 {
			return nil, false
		}
		end += size + 1
	}
	index := alignUp(end, align)
	t := &tokenTable{end: index + 2*256}
	if t.end > len(data) || !allZero(data[end:index]) {
		return nil, false
	}
	offset := func(c int) int { return int(binary.LittleEndian.Uint16(data[index+2*c:])) }
	t.start = digit - offset('0')
	if t.start < 0 || t.start%align != 0 {
		return nil, false
	}
	at := t.start
	for c := range t.tokens {
		size := tokenLen(data[at:])
		if at-t.start != offset(c) || size < 0 {
			return nil, false
		}
		t.tokens[c] = string(data[at : at+size])
		at += size + 1
	}
	return t, at == end
}

// tokenLen is the length of the token at the start of data, -1 if none can be there.
func tokenLen(data []byte) int {
	for i, c := range data[:min(len(data), maxNameLen)] {
		if c == 0 {
			return i
		}
		if c <= ' ' || c == 0x7f {
			return -1
		}
	}
	return -1
}

func alignUp(n, align int) int { return (n + align - 1) &^ (align - 1) }

func allZero(data []byte) bool {
	for _, c := range data {
		if c != 0 {
			return false
		}
	}
	return true
}
