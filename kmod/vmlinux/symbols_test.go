package vmlinux

import (
	"slices"
	"testing"
)

// testImage is a small kernel in Debian 12's layout.
func testImage(t *testing.T, change func(k *testKernel)) *Image {
	t.Helper()
	k := testLayouts["6.1 stable, 6.2 x86_64"]
	k.symbols = testSymbols(300, true)
	if change != nil {
		change(&k)
	}
	im, err := Parse(k.build())
	if err != nil {
		t.Fatal(err)
	}
	return im
}

func names(symbols []Symbol) (names []string) {
	for _, s := range symbols {
		names = append(names, s.Name)
	}
	return names
}

func TestLookup(t *testing.T) {
	im := testImage(t, nil)
	var addrs []uint64
	for _, s := range im.Lookup("reset") {
		addrs = append(addrs, s.Addr)
	}
	if want := []uint64{0xffffffff81000020, 0xffffffff81000041, 0xffffffff81400040}; !slices.Equal(addrs, want) {
		t.Errorf("reset at %x, want %x", addrs, want)
	}
	if got := im.Lookup("cpu_number"); len(got) != 1 || got[0].Addr != 0x40 || !got[0].Absolute || got[0].Type != 'A' {
		t.Errorf("cpu_number: %+v", got)
	}
	if got := im.Lookup("rese"); got != nil {
		t.Errorf("rese: %+v, want none", got)
	}
	if !im.HasData() {
		t.Error("HasData is false")
	}
}

func TestAt(t *testing.T) {
	im := testImage(t, nil)
	for addr, want := range map[uint64][]string{
		0:                  {"__per_cpu_start", "fixed_percpu_data"},
		1:                  nil,
		0xffffffff81000000: {"_stext", "_text"},
		0xffffffff81000041: {"reset"},
		0xffffffff81000042: nil,
		0xffffffff81401000: {"_end"},
		1<<64 - 1:          nil,
	} {
		if got := names(im.At(addr)); !slices.Equal(got, want) {
			t.Errorf("at %#x: %v, want %v", addr, got, want)
		}
	}
}

func TestCovering(t *testing.T) {
	im := testImage(t, nil)
	for _, tc := range []struct {
		addr uint64
		name string // "" for none
		size uint64
	}{
		{0, "__per_cpu_start", 0x40},
		{0x3f, "__per_cpu_start", 0x40},
		{0xfff, "cpu_number", 0xfc0},
		{0x1000, "", 0}, // __per_cpu_end ends its section
		{0xffffffff80ffffff, "", 0},
		{0xffffffff81000000, "_stext", 0x20}, // _text is an alias
		{0xffffffff81000040, "reset", 0x21},
		{0xffffffff81000041, "reset", 0xf3}, // to sym_13 at 0x134
		{0xffffffff81007fff, "sym_299_0123456789.cold", 0x7a54},
		{0xffffffff81008000, "", 0}, // _etext ends .text
		{0xffffffff81400fff, "reset", 0xfc0},
		{0xffffffff81401000, "", 0},
		{1<<64 - 1, "", 0},
	} {
		s, size, ok := im.Covering(tc.addr)
		if s.Name != tc.name || size != tc.size || ok != (tc.name != "") {
			t.Errorf("%#x: %q, size %#x, %v; want %q, size %#x", tc.addr, s.Name, size, ok, tc.name, tc.size)
		}
	}
}

func TestSymPos(t *testing.T) {
	im := testImage(t, nil)
	for i, s := range im.Lookup("reset") {
		if got := im.SymPos(s); got != i+1 {
			t.Errorf("reset at %#x: %d, want %d", s.Addr, got, i+1)
		}
	}
	for _, name := range []string{"_stext", "linux_banner", "sym_200_0123456789.cold"} {
		if got := im.SymPos(im.Lookup(name)[0]); got != 0 {
			t.Errorf("%s: %d, want 0", name, got)
		}
	}
}

// klpFind is klp_find_object_symbol of v6.1 for vmlinux, with kallsyms_on_each_symbol: a walk over the whole table.
func klpFind(symbols []Symbol, name string, sympos int) (addr uint64, ok bool) {
	count := 0
	for _, s := range symbols {
		if s.Name != name {
			continue
		}
		addr = s.Addr
		count++
		if sympos != 0 && count == sympos || sympos == 0 && count > 1 {
			break
		}
	}
	return addr, addr != 0 && (sympos != 0 && count == sympos || sympos == 0 && count == 1)
}

// The kernel finds each symbol, and no other, by the sympos given for it.
func TestSymPosAsTheKernelCounts(t *testing.T) {
	im := testImage(t, nil)
	for _, s := range im.Symbols() {
		addr, ok := klpFind(im.Symbols(), s.Name, im.SymPos(s))
		if s.Addr == 0 {
			if ok {
				t.Errorf("%s at 0 is found, which no kernel does", s.Name)
			}
			continue
		}
		if !ok || addr != s.Addr {
			t.Errorf("%s at %#x, sympos %d: the kernel finds %#x, %v", s.Name, s.Addr, im.SymPos(s), addr, ok)
		}
	}
}

// TestIsCode: data that a linker script put into a section that is executable too has nm's letter of code.
func TestIsCode(t *testing.T) {
	im := &Image{sections: []Section{{Name: ".text", Addr: 0x1000, Size: 0x1000, Exec: true}, {Name: ".data", Addr: 0x2000, Size: 0x1000, Exec: true, Write: true}}}
	for _, c := range []struct {
		letter byte
		addr   uint64
		want   bool
	}{
		{'t', 0x1000, true}, {'T', 0x1fff, true}, {'w', 0x1010, true}, {'W', 0x1010, true}, {'r', 0x1010, false}, {'V', 0x1010, false},
		{'t', 0x2000, false}, {'T', 0x2008, false}, {'d', 0x2008, false},
		{'t', 0x9000, true}, // outside of the file: the letter is all there is
	} {
		if got := im.IsCode(Symbol{Type: c.letter, Addr: c.addr}); got != c.want {
			t.Errorf("%c at %#x: %v, want %v", c.letter, c.addr, got, c.want)
		}
	}
}
