package vmlinux

import (
	"bytes"
	"strings"
	"testing"
)

// FuzzParse holds that no file makes Parse panic, and that what it accepts is consistent.
func FuzzParse(f *testing.F) {
	for _, k := range testLayouts {
		k.symbols = testSymbols(260, k.perCPU())
		k.exports = exportSections(testExports, false)
		if !k.perCPU() {
			k.exports = nil
		}
		f.Add(k.build())
	}
	f.Add([]byte("\x7fELF"))
	f.Fuzz(func(t *testing.T, file []byte) {
		im, err := Parse(file)
		if err != nil {
			if strings.TrimSpace(err.Error()) == "" {
				t.Error("an error without a text")
			}
			return
		}
		checkConsistent(t, im)
	})
}

// FuzzTables changes the tables only, in an ELF file that stays sound: by chance both seldom happen.
func FuzzTables(f *testing.F) {
	type base struct {
		image      []byte
		start, end int // of the tables
	}
	var bases []base
	for _, name := range []string{"5.10 absolute", "5.10 x86_64", "6.1 stable, 6.2 x86_64", "6.12 x86_64", "7.2"} {
		k := testLayouts[name]
		k.symbols = testSymbols(260, k.perCPU())
		tables, image := k.tables(testRodata+0x1000), k.build()
		start := bytes.Index(image, tables)
		f.Add(tables, byte(len(bases)))
		bases = append(bases, base{image, start, start + len(tables)})
	}
	f.Fuzz(func(t *testing.T, tables []byte, i byte) {
		b := bases[int(i)%len(bases)]
		image := bytes.Clone(b.image)
		copy(image[b.start:b.end], tables)
		if im, err := Parse(image); err == nil {
			checkConsistent(t, im)
		}
	})
}

// checkConsistent holds what callers rely on.
func checkConsistent(t *testing.T, im *Image) {
	before := uint64(0)
	for i, s := range im.Symbols() {
		if s.Index != i || s.Addr < before || s.Name == "" {
			t.Fatalf("symbol %d: %+v after address %#x", i, s, before)
		}
		before = s.Addr
		if i > 1000 {
			continue
		}
		found := im.Lookup(s.Name)
		if pos := im.SymPos(s); pos == 0 && len(found) != 1 || pos > 0 && (pos > len(found) || found[pos-1] != s) {
			t.Fatalf("symbol %d: %+v: sympos %d of %d", i, s, pos, len(found))
		}
		if at := im.At(s.Addr); at[0].Addr != s.Addr || i < at[0].Index || i >= at[0].Index+len(at) {
			t.Fatalf("symbol %d: %+v is not at its address: %+v", i, s, at)
		}
		if c, size, ok := im.Covering(s.Addr); ok && (c.Addr != s.Addr || size == 0) {
			t.Fatalf("symbol %d: %+v is covered by %+v, size %d", i, s, c, size)
		}
	}
	for _, s := range im.Sections() {
		im.Bytes(s.Addr, s.Size)
	}
	for _, e := range im.Exports() {
		if got, ok := im.Export(e.Name); !ok || got != e {
			t.Fatalf("export %+v: found %+v", e, got)
		}
	}
}

func FuzzSymvers(f *testing.F) {
	f.Add("0xb03e6ab9\tmemcpy\tvmlinux\tEXPORT_SYMBOL\t\n0x00000000\tdma_buf_get\tvmlinux\tEXPORT_SYMBOL_GPL\tDMA_BUF\n")
	f.Add("0x1\ta\tfs/a\tEXPORT_SYMBOL\tN")
	f.Fuzz(func(t *testing.T, text string) {
		all, err := ParseSymvers(strings.NewReader(text))
		if err != nil {
			if !strings.HasPrefix(err.Error(), "line ") {
				t.Errorf("error %q names no line", err)
			}
			return
		}
		for name, v := range all {
			if name == "" || v.Name != name || v.Module == "" {
				t.Errorf("%q: %+v", name, v)
			}
		}
	})
}
