package vmlinux

import (
	"bytes"
	"cmp"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
)

// A testSection is a section of a synthetic image.
type testSection struct {
	name  string
	kind  elf.SectionType
	flags elf.SectionFlag
	addr  uint64
	data  []byte
	size  uint64 // of NOBITS
}

// buildELF makes a 64-bit little-endian executable of the sections, without program headers.
func buildELF(sections []testSection) []byte {
	sections = append([]testSection{{}}, sections...)
	names := []byte{0}
	var offsets []int
	for _, s := range sections {
		offsets = append(offsets, len(names))
		names = append(append(names, s.name...), 0)
	}
	shstrtab := len(names)
	names = append(names, ".shstrtab\x00"...)
	offsets = append(offsets, shstrtab)
	sections = append(sections, testSection{name: ".shstrtab", kind: elf.SHT_STRTAB, data: names})

	const headerSize = 64
	body := make([]byte, headerSize)
	var headers []elf.Section64
	for i, s := range sections {
		for len(body)%16 != 0 {
			body = append(body, 0)
		}
		h := elf.Section64{
			Name: uint32(offsets[i]), Type: uint32(s.kind), Flags: uint64(s.flags), Addr: s.addr,
			Off: uint64(len(body)), Size: uint64(len(s.data)),
		}
		if s.kind == elf.SHT_NOBITS {
			h.Size = s.size
		}
		if i == 0 {
			h = elf.Section64{}
		}
		headers = append(headers, h)
		body = append(body, s.data...)
	}
	for len(body)%8 != 0 {
		body = append(body, 0)
	}
	header := elf.Header64{
		Type: uint16(elf.ET_EXEC), Machine: uint16(elf.EM_X86_64), Version: 1, Shoff: uint64(len(body)), Ehsize: headerSize,
		Shentsize: 64, Shnum: uint16(len(sections)), Shstrndx: uint16(len(sections) - 1),
	}
	copy(header.Ident[:], "\x7fELF\x02\x01\x01")
	var out bytes.Buffer
	binary.Write(&out, binary.LittleEndian, header)
	out.Write(body[headerSize:])
	binary.Write(&out, binary.LittleEndian, headers)
	return out.Bytes()
}

// Where the parts of a synthetic kernel are.
const (
	testText   = 0xffffffff81000000
	testRodata = 0xffffffff81200000
	testKsyms  = 0xffffffff81300000
	testBss    = 0xffffffff81400000
	testBanner = "Linux version 6.1.0-test (packager@example) (gcc-12 12.2.0, GNU ld 2.40) #1 SMP\n"
)

// A testKernel is a kernel whose kallsyms tables are laid out in a given way. The writer below follows
// scripts/kallsyms.c's write_src in spirit; it shares nothing with the reader.
type testKernel struct {
	how        Addressing
	namesFirst bool
	align      int
	seqs       bool
	oneByte    bool // lengths, as before 6.1
	symbols    []Symbol
	exports    []testSection
}

// testSymbols is n symbols and the landmarks, in table order.
func testSymbols(n int, perCPU bool) []Symbol {
	all := []Symbol{
		{Name: "_stext", Type: 'T', Addr: testText},
		{Name: "_text", Type: 'T', Addr: testText},
		{Name: "_etext", Type: 'T', Addr: testText + 0x8000},
		{Name: "linux_banner", Type: 'R', Addr: testRodata + 0x10},
		{Name: "__bss_start", Type: 'B', Addr: testBss},
		{Name: "_end", Type: 'B', Addr: testBss + 0x1000},
		{Name: "reset", Type: 't', Addr: testText + 0x20},
		{Name: "reset", Type: 't', Addr: testText + 0x41},
		{Name: "reset", Type: 'd', Addr: testBss + 0x40},
	}
	if perCPU {
		all = append(all,
			Symbol{Name: "__per_cpu_start", Type: 'A', Absolute: true},
			Symbol{Name: "fixed_percpu_data", Type: 'A', Absolute: true},
			Symbol{Name: "cpu_number", Type: 'A', Addr: 0x40, Absolute: true},
			Symbol{Name: "__per_cpu_end", Type: 'A', Addr: 0x1000, Absolute: true})
	}
	for i := len(all); i < n; i++ {
		all = append(all, Symbol{Name: fmt.Sprintf("sym_%d_0123456789.cold", i), Type: 't', Addr: testText + 0x100 + uint64(i)*4})
	}
	slices.SortStableFunc(all, func(a, b Symbol) int { return cmp.Compare(a.Addr, b.Addr) })
	for i := range all {
		all[i].Index = i
	}
	return all
}

// tables is the content of .rodata from 0x1000 on: the kallsyms tables behind other data.
func (k testKernel) tables(at uint64) []byte {
	out := []byte("2\x003\x00 UTF-16: 0\x001\x002\x003\x004\x005\x006\x007\x008\x009\x00") // looks like tokens at first
	label := func() {
		for len(out)%k.align != 0 {
			out = append(out, 0)
		}
	}
	u32 := func(v uint32) { out = binary.LittleEndian.AppendUint32(out, v) }
	u64 := func(v uint64) { out = binary.LittleEndian.AppendUint64(out, v) }

	tokens := testTokens(k.symbols)
	var base uint64
	for _, s := range k.symbols {
		if !s.Absolute {
			base = s.Addr
			break
		}
	}
	addresses := func() {
		label()
		for _, s := range k.symbols {
			switch k.how {
			case AbsoluteAddresses:
				u64(s.Addr)
			case BaseRelative:
				u32(uint32(s.Addr - base))
			case BaseRelativePerCPU:
				if s.Absolute {
					u32(uint32(s.Addr))
				} else {
					u32(uint32(base - s.Addr - 1))
				}
			case PlaceRelative:
				u32(uint32(s.Addr - (at + uint64(len(out)))))
			}
		}
		if k.how == BaseRelative || k.how == BaseRelativePerCPU {
			label()
			u64(base)
		}
	}
	seqs := func() {
		if !k.seqs {
			return
		}
		label()
		order := slices.Clone(k.symbols)
		slices.SortStableFunc(order, func(a, b Symbol) int { return cmp.Compare(a.Name, b.Name) })
		for _, s := range order {
			out = append(out, byte(s.Index>>16), byte(s.Index>>8), byte(s.Index))
		}
	}

	if !k.namesFirst {
		addresses()
	}
	label()
	u32(uint32(len(k.symbols)))
	label()
	start := len(out)
	var markers []uint32
	for i, s := range k.symbols {
		if i%256 == 0 {
			markers = append(markers, uint32(len(out)-start))
		}
		record := compress(string(s.Type)+s.Name, tokens)
		if k.oneByte || len(record) < 0x80 {
			out = append(out, byte(len(record)))
		} else {
			out = append(out, byte(len(record)|0x80), byte(len(record)>>7))
		}
		out = append(out, record...)
	}
	label()
	for _, m := range markers {
		u32(m)
	}
	if !k.namesFirst {
		seqs()
	}
	label()
	var index []uint16
	start = len(out)
	for _, token := range tokens {
		index = append(index, uint16(len(out)-start))
		out = append(append(out, token...), 0)
	}
	label()
	for _, i := range index {
		out = binary.LittleEndian.AppendUint16(out, i)
	}
	if k.namesFirst {
		addresses()
		seqs()
	}
	return append(out, "behind the tables"...)
}

// testTokens is each character that occurs, for itself, and some longer texts in free places.
func testTokens(symbols []Symbol) (tokens [256]string) {
	for _, s := range symbols {
		for _, c := range []byte(string(s.Type) + s.Name) {
			tokens[c] = string(rune(c))
		}
	}
	tokens[0], tokens[0x80], tokens[0xff] = "tsym_", ".cold", "_0123456789"
	return tokens
}

func compress(text string, tokens [256]string) (record []byte) {
	for len(text) > 0 {
		best := int(text[0])
		for c, token := range tokens {
			if len(token) > len(tokens[best]) && strings.HasPrefix(text, token) {
				best = c
			}
		}
		record = append(record, byte(best))
		text = text[len(tokens[best]):]
	}
	return record
}

// build makes the whole image.
func (k testKernel) build() []byte {
	const alloc = elf.SHF_ALLOC
	rodata := make([]byte, 0x1000)
	copy(rodata[0x10:], testBanner)
	rodata = append(rodata, k.tables(testRodata+0x1000)...)
	note := []byte("\x04\x00\x00\x00\x03\x00\x00\x00\x06\x00\x00\x00Xen\x00abc\x00\x04\x00\x00\x00\x05\x00\x00\x00\x03\x00\x00\x00GNU\x00ident\x00\x00\x00")
	return buildELF(append([]testSection{
		{name: ".text", kind: elf.SHT_PROGBITS, flags: alloc | elf.SHF_EXECINSTR, addr: testText, data: bytes.Repeat([]byte{0xcc}, 0x8000)},
		{name: ".rodata", kind: elf.SHT_PROGBITS, flags: alloc | elf.SHF_WRITE, addr: testRodata, data: rodata},
		{name: ".notes", kind: elf.SHT_NOTE, flags: alloc, addr: testRodata + 0xf0000, data: note},
		{name: ".data..percpu", kind: elf.SHT_PROGBITS, flags: alloc | elf.SHF_WRITE, data: make([]byte, 0x1000)},
		{name: ".bss", kind: elf.SHT_NOBITS, flags: alloc | elf.SHF_WRITE, addr: testBss, size: 0x1000},
		{name: ".debug_info", kind: elf.SHT_PROGBITS, data: []byte("not loaded")},
	}, k.exports...))
}
