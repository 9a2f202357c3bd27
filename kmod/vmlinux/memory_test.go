package vmlinux

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"strings"
	"testing"
)

func TestImageFacts(t *testing.T) {
	im := testImage(t, nil)
	if im.Machine != elf.EM_X86_64 {
		t.Errorf("machine %v", im.Machine)
	}
	if string(im.BuildID) != "ident" {
		t.Errorf("build-id %q, want %q", im.BuildID, "ident")
	}
	if want := "Linux version 6.1.0-test (packager@example) (gcc-12 12.2.0, GNU ld 2.40) #1 SMP"; im.Banner != want {
		t.Errorf("banner %q, want %q", im.Banner, want)
	}
}

func TestSections(t *testing.T) {
	im := testImage(t, nil)
	for _, tc := range []struct {
		addr uint64
		want Section // without offset
	}{
		{0, Section{Name: ".data..percpu", Size: 0x1000, Write: true}},
		{0xffffffff81007fff, Section{Name: ".text", Addr: 0xffffffff81000000, Size: 0x8000, Exec: true}},
		{0xffffffff81400000, Section{Name: ".bss", Addr: 0xffffffff81400000, Size: 0x1000, Write: true, NoBits: true}},
		{0xffffffff81008000, Section{}},
		{0x1000, Section{}},
		{1<<64 - 1, Section{}},
	} {
		got, ok := im.Section(tc.addr)
		got.offset = 0
		if got != tc.want || ok != (tc.want.Name != "") {
			t.Errorf("%#x: %+v, %v; want %+v", tc.addr, got, ok, tc.want)
		}
		if !ok {
			continue
		}
		got, ok = im.SectionByName(tc.want.Name)
		got.offset = 0
		if !ok || got != tc.want {
			t.Errorf("%s: %+v, %v; want %+v", tc.want.Name, got, ok, tc.want)
		}
	}
	if s, ok := im.SectionByName(".debug_info"); ok {
		t.Errorf("%+v: not allocated, so not of the image", s)
	}
	if got := len(im.Sections()); got != 5 {
		t.Errorf("%d sections, want 5", got)
	}
}

func TestBytes(t *testing.T) {
	im := testImage(t, nil)
	for _, tc := range []struct {
		name    string
		addr, n uint64
		want    string // "-" for none
	}{
		{"inside", 0xffffffff81200010, 13, "Linux version"},
		{"none", 0xffffffff81200010, 0, ""},
		{"to the end", 0xffffffff81007ffe, 2, "\xcc\xcc"},
		{"over the end", 0xffffffff81007ffe, 3, "-"},
		{"far over the end", 0xffffffff81007ffe, 1<<64 - 1, "-"},
		{"not in the file", 0xffffffff81400000, 1, "-"},
		{"no section", 0x2000, 1, "-"},
	} {
		got, ok := im.Bytes(tc.addr, tc.n)
		if ok != (tc.want != "-") || ok && string(got) != tc.want {
			t.Errorf("%s: %q, %v; want %q", tc.name, got, ok, tc.want)
		}
		if ok && cap(got) != len(got) {
			t.Errorf("%s: capacity %d, want %d: an append would write to the image", tc.name, cap(got), len(got))
		}
	}
}

func TestUnusableImages(t *testing.T) {
	k := testLayouts["6.1 x86_64"]
	k.symbols = testSymbols(300, true)
	good := k.build()
	sections := func(change func(h []byte)) func(b []byte) []byte { // of .text, the first
		return func(b []byte) []byte {
			change(b[binary.LittleEndian.Uint64(b[0x28:])+64:])
			return b
		}
	}
	for name, tc := range map[string]struct {
		change func(b []byte) []byte
		want   string
	}{
		"empty":       {func(b []byte) []byte { return nil }, "ELF: EOF"},
		"text":        {func(b []byte) []byte { return []byte(strings.Repeat("no kernel ", 100)) }, "ELF: bad magic number"},
		"truncated":   {func(b []byte) []byte { return b[:len(b)/2] }, "ELF: "},
		"32-bit":      {func(b []byte) []byte { b[4] = 1; clear(b[0x20:0x34]); return b }, "ELF: ELFCLASS32"},
		"object file": {func(b []byte) []byte { b[0x10] = 1; return b }, "ELF: type ET_REL, a linked kernel is ET_EXEC or ET_DYN"},
		"no section headers": {func(b []byte) []byte { clear(b[0x28:0x30]); clear(b[0x3c:0x40]); return b },
			"ELF: no section headers"},
		"section beyond the file": {sections(func(h []byte) { h[0x18+5] = 1 }), "the file ends at"},
		"section beyond memory":   {sections(func(h []byte) { copy(h[0x10:], bytes.Repeat([]byte{0xff}, 8)) }), "end beyond the address space"},
		"overlapping sections": {func(b []byte) []byte {
			text := b[binary.LittleEndian.Uint64(b[0x28:])+64:]
			binary.LittleEndian.PutUint64(text[0x18:], 0)
			binary.LittleEndian.PutUint64(text[0x20:], uint64(len(b)))
			return b
		}, "ELF: sections overlap"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse(tc.change(bytes.Clone(good)))
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want %s", err, tc.want)
			}
		})
	}
}

func TestBuildID(t *testing.T) {
	for name, tc := range map[string]struct{ notes, want string }{
		"alone":            {"\x04\x00\x00\x00\x02\x00\x00\x00\x03\x00\x00\x00GNU\x00ab\x00\x00", "ab"},
		"name too long":    {"\xff\xff\xff\xff\x02\x00\x00\x00\x03\x00\x00\x00GNU\x00ab\x00\x00", ""},
		"text too long":    {"\x04\x00\x00\x00\xff\xff\xff\xff\x03\x00\x00\x00GNU\x00ab\x00\x00", ""},
		"truncated":        {"\x04\x00\x00\x00\x02\x00\x00\x00\x03\x00", ""},
		"another's note":   {"\x04\x00\x00\x00\x02\x00\x00\x00\x03\x00\x00\x00Xen\x00ab\x00\x00", ""},
		"another of GNU's": {"\x04\x00\x00\x00\x02\x00\x00\x00\x05\x00\x00\x00GNU\x00ab\x00\x00", ""},
	} {
		if got := readBuildID([]byte(tc.notes)); string(got) != tc.want {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
}
