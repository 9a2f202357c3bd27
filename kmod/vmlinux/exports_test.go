package vmlinux

import (
	"debug/elf"
	"encoding/binary"
	"slices"
	"strings"
	"testing"
)

// A testExport is an entry of a table of struct kernel_symbol, before it is written.
type testExport struct {
	addr            uint64
	name, namespace string
	noNamespace     bool // a zero instead of a pointer to ""
}

// exportSections is the tables, in one form, and the strings they point to. Each comes as a section.
func exportSections(tables map[string][]testExport, pointers bool) (sections []testSection) {
	const stringsAt = 0xffffffff81280000
	text := []byte("\x00")
	put := func(s string) uint64 {
		at := stringsAt + uint64(len(text))
		text = append(append(text, s...), 0)
		return at
	}
	addr := uint64(0xffffffff81290000)
	for _, name := range []string{"__ksymtab", "__ksymtab_gpl", "__ksymtab_unused_gpl"} {
		var table []byte
		field := func(value uint64, zero bool) {
			switch {
			case pointers && zero:
				table = binary.LittleEndian.AppendUint64(table, 0)
			case pointers:
				table = binary.LittleEndian.AppendUint64(table, value)
			case zero:
				table = binary.LittleEndian.AppendUint32(table, 0)
			default:
				table = binary.LittleEndian.AppendUint32(table, uint32(value-(addr+uint64(len(table)))))
			}
		}
		for _, e := range tables[name] {
			field(e.addr, false)
			field(put(e.name), false)
			field(put(e.namespace), e.noNamespace)
		}
		if len(table) > 0 {
			sections = append(sections, testSection{name: name, kind: elf.SHT_PROGBITS, flags: elf.SHF_ALLOC, addr: addr, data: table})
		}
		addr += 0x1000
	}
	return append(sections,
		testSection{name: "__ksymtab_strings", kind: elf.SHT_PROGBITS, flags: elf.SHF_ALLOC, addr: stringsAt, data: text})
}

var testExports = map[string][]testExport{
	"__ksymtab": {
		{0xffffffff81000010, "memcpy", "", true},
		{0x40, "cpu_number", "", false}, // per-CPU, in the lower half
		{0xffffffff81000000, "first", "", false},
	},
	"__ksymtab_gpl":        {{0xffffffff81000020, "dma_buf_get", "DMA_BUF", false}},
	"__ksymtab_unused_gpl": {{0xffffffff81400040, "old", "", false}},
}

func TestExports(t *testing.T) {
	want := []Export{
		{"cpu_number", 0x40, false, ""},
		{"dma_buf_get", 0xffffffff81000020, true, "DMA_BUF"},
		{"first", 0xffffffff81000000, false, ""},
		{"memcpy", 0xffffffff81000010, false, ""},
		{"old", 0xffffffff81400040, true, ""},
	}
	for name, pointers := range map[string]bool{"PREL32": false, "pointers": true} {
		im := testImage(t, func(k *testKernel) { k.exports = exportSections(testExports, pointers) })
		if !slices.Equal(im.Exports(), want) {
			t.Errorf("%s: %+v, want %+v", name, im.Exports(), want)
		}
		if e, ok := im.Export("dma_buf_get"); !ok || e != want[1] {
			t.Errorf("%s: dma_buf_get: %+v, %v", name, e, ok)
		}
		if e, ok := im.Export("dma_buf"); ok {
			t.Errorf("%s: dma_buf: %+v, want none", name, e)
		}
	}
}

// In 7.2 there is one table, and the licenses stand beside it.
func TestExportFlags(t *testing.T) {
	tables := map[string][]testExport{"__ksymtab": testExports["__ksymtab"]}
	flags := testSection{name: "__kflagstab", kind: elf.SHT_PROGBITS, flags: elf.SHF_ALLOC, addr: 0xffffffff812a0000,
		data: []byte{0, 1, 2}}
	im := testImage(t, func(k *testKernel) { k.exports = append(exportSections(tables, false), flags) })
	want := []Export{
		{"cpu_number", 0x40, true, ""},
		{"first", 0xffffffff81000000, false, ""}, // bit 1 is not KSYM_FLAG_GPL_ONLY
		{"memcpy", 0xffffffff81000010, false, ""},
	}
	if !slices.Equal(im.Exports(), want) {
		t.Errorf("%+v, want %+v", im.Exports(), want)
	}
}

// The bounds that kallsyms knows count, not the section: a linker script may put the table into a larger one.
func TestExportsBetweenSymbols(t *testing.T) {
	im := testImage(t, func(k *testKernel) {
		k.exports = exportSections(testExports, false)
		k.exports[0].name = ".rodata.merged"
		k.exports[0].data = append(k.exports[0].data, "something else"...)
		for i, s := range k.symbols {
			switch s.Addr {
			case 0xffffffff81000100 + 4*290:
				k.symbols[i] = Symbol{Name: "__start___ksymtab", Type: 'R', Addr: 0xffffffff81290000}
			case 0xffffffff81000100 + 4*291:
				k.symbols[i] = Symbol{Name: "__stop___ksymtab", Type: 'R', Addr: 0xffffffff81290000 + 3*12}
			}
		}
		slices.SortStableFunc(k.symbols, func(a, b Symbol) int {
			switch {
			case a.Addr < b.Addr:
				return -1
			case a.Addr > b.Addr:
				return 1
			}
			return 0
		})
		for i := range k.symbols {
			k.symbols[i].Index = i
		}
	})
	if got := len(im.Exports()); got != 5 {
		t.Errorf("%d exports, want 5: %+v", got, im.Exports())
	}
}

func TestCorruptExports(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(ksymtab, gpl, unused, text *testSection)
		want   string
	}{
		"cut off": {func(k, _, _, _ *testSection) { k.data = k.data[:35] }, "__ksymtab: 35 bytes are no multiple of 12"},
		"value":   {func(_, k, _, _ *testSection) { k.data[3] ^= 0x40 }, `__ksymtab_gpl: entry 0: "dma_buf_get": its value 0xffffffff41000020 lies outside the image`},
		"name":    {func(k, _, _, _ *testSection) { k.data[12+7] = 0x10 }, "__ksymtab: entry 1: no name at 0x"},
		"namespace": {func(_, k, _, _ *testSection) { k.data[11] = 0x10 },
			`__ksymtab_gpl: entry 0: "dma_buf_get": no namespace at 0x`},
		"empty name": {func(_, _, _, text *testSection) { text.data[1] = 0 }, "__ksymtab: entry 0: no name at 0x"},
		"twice": {func(_, _, _, text *testSection) {
			copy(text.data[strings.Index(string(text.data), "old"):], "\x00\x00\x00")
		},
			"__ksymtab_unused_gpl: entry 0: no name"},
		"same name": {func(_, _, _, text *testSection) {
			copy(text.data[strings.Index(string(text.data), "dma_buf_get"):], "first\x00")
		}, `__ksymtab: "first" is exported twice`},
	} {
		t.Run(name, func(t *testing.T) {
			k := testLayouts["6.1 x86_64"]
			k.symbols = testSymbols(300, true)
			k.exports = exportSections(testExports, false)
			tc.change(&k.exports[0], &k.exports[1], &k.exports[2], &k.exports[3])
			_, err := Parse(k.build())
			if err == nil || !strings.HasPrefix(err.Error(), tc.want) {
				t.Errorf("error %v, want %s", err, tc.want)
			}
		})
	}
	k := testLayouts["7.2"]
	k.symbols = testSymbols(300, false)
	k.exports = append(exportSections(map[string][]testExport{"__ksymtab": testExports["__ksymtab"]}, false),
		testSection{name: "__kflagstab", kind: elf.SHT_PROGBITS, flags: elf.SHF_ALLOC, addr: 0xffffffff812a0000, data: []byte{0, 1}})
	if _, err := Parse(k.build()); err == nil || err.Error() != "__kflagstab: 2 flags for 3 exports" {
		t.Errorf("flags: error %v", err)
	}
}
