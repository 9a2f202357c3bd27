package match_test

import (
	"debug/elf"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"livesplice/kmod/match"
	"livesplice/kmod/unit"
	"livesplice/kmod/unit/objtest"
	"livesplice/kmod/vmlinux"
)

// image is a small binary that ld linked from units compiled as kernels are, without a section for each function. It
// says of every symbol where ld put it.
type image struct {
	sections []*elf.Section
	data     [][]byte
	symbols  []vmlinux.Symbol
	files    map[string]uint64 // "file.c:name" to address
}

var _ match.Run = (*image)(nil)

// stub is what every image has: the functions that test units call.
const stub = `
asm(".globl __fentry__, printk, sink, source\n.section .text,\"ax\"\n__fentry__: ret\nprintk: ret\nsink: ret\nsource: ret\n");
`

// script puts per-CPU data at offsets from 0, as the kernel's does.
const script = `
SECTIONS {
	. = 0xffffffff81000000;
	.text : { *(.text.hot .text.hot.*) *(.text .text.*) *(.sched.text) }
	.rodata : { *(.rodata .rodata.*) }
	.data : { *(.data) *(.data..read_mostly) *(.data.once) *(.data..L*) }
	__bug_table : { *(__bug_table) }
	__jump_table : { *(__jump_table) }
	.bss : { *(.bss) }
	.data..percpu 0 : { *(.data..percpu) }
	/DISCARD/ : { *(__mcount_loc) *(.comment) *(.note*) }
}
`

// link compiles units by file name and links them in the order given.
func link(t testing.TB, units ...[2]string) *image {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "script"), []byte(script), 0o644); err != nil {
		t.Fatal(err)
	}
	// -O2 lets ld put strings into the tails of others.
	args := []string{"-o", filepath.Join(dir, "image"), "-e", "0", "-T", filepath.Join(dir, "script"), "-O2", "-z", "max-page-size=4096", "--no-warn-rwx-segments"}
	for _, u := range append([][2]string{{"stub.c", stub}}, units...) {
		src := filepath.Join(dir, u[0])
		if err := os.WriteFile(src, []byte("#include \"kernel.h\"\n"+u[1]), 0o644); err != nil {
			t.Fatal(err)
		}
		args = append(args, objtest.File(t, src, "-g0", "-I", objtest.Folder(t), "-fno-function-sections", "-fno-data-sections"))
	}
	objtest.Run(t, "binutils", "ld", args...)
	return open(t, filepath.Join(dir, "image"))
}

func open(t testing.TB, path string) *image {
	t.Helper()
	f, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	im := &image{files: map[string]uint64{}}
	for _, s := range f.Sections {
		if s.Flags&elf.SHF_ALLOC != 0 && s.Type != elf.SHT_NOBITS {
			d, err := s.Data()
			if err != nil {
				t.Fatal(err)
			}
			im.sections, im.data = append(im.sections, s), append(im.data, d)
		}
	}
	all, err := f.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	file := ""
	for _, s := range all {
		switch typ := elf.ST_TYPE(s.Info); {
		case typ == elf.STT_FILE:
			file = s.Name
		case typ == elf.STT_SECTION || s.Section == elf.SHN_UNDEF || s.Name == "":
		default:
			if elf.ST_BIND(s.Info) == elf.STB_LOCAL {
				im.files[file+":"+s.Name] = s.Value
			}
			im.files[":"+s.Name] = s.Value
			im.symbols = append(im.symbols, vmlinux.Symbol{Name: s.Name, Addr: s.Value, Type: letter(f, s)})
		}
	}
	slices.SortStableFunc(im.symbols, func(a, b vmlinux.Symbol) int {
		if a.Addr != b.Addr {
			return map[bool]int{true: -1, false: 1}[a.Addr < b.Addr]
		}
		return 0
	})
	for i := range im.symbols {
		im.symbols[i].Index = i
	}
	return im
}

// letter is nm's for a symbol.
func letter(f *elf.File, s elf.Symbol) byte {
	l := byte('D')
	if int(s.Section) < len(f.Sections) {
		switch sec := f.Sections[s.Section]; {
		case sec.Flags&elf.SHF_EXECINSTR != 0:
			l = 'T'
		case sec.Type == elf.SHT_NOBITS:
			l = 'B'
		case sec.Flags&elf.SHF_WRITE == 0:
			l = 'R'
		}
	}
	if elf.ST_BIND(s.Info) == elf.STB_LOCAL {
		l |= 0x20
	}
	return l
}

func (im *image) Bytes(addr, n uint64) ([]byte, bool) {
	for i, s := range im.sections {
		if off := addr - s.Addr; addr >= s.Addr && off <= uint64(len(im.data[i])) && n <= uint64(len(im.data[i]))-off {
			return im.data[i][off : off+n], true
		}
	}
	return nil, false
}

func (im *image) Lookup(name string) (out []vmlinux.Symbol) {
	for _, s := range im.symbols {
		if s.Name == name {
			out = append(out, s)
		}
	}
	return out
}

func (im *image) At(addr uint64) (out []vmlinux.Symbol) {
	for _, s := range im.symbols {
		if s.Addr == addr {
			out = append(out, s)
		}
	}
	return out
}

func (im *image) Place(s vmlinux.Symbol) (vmlinux.Place, bool) {
	return vmlinux.Place{Name: s.Name, SymPos: im.SymPos(s), Addr: s.Addr}, true
}

func (im *image) Globals(name string) (out []vmlinux.Place) {
	for _, s := range im.Lookup(name) {
		if s.Type >= 'A' && s.Type <= 'Z' {
			p, _ := im.Place(s)
			out = append(out, p)
		}
	}
	return out
}

func (im *image) IsCode(s vmlinux.Symbol) bool { return s.HasCodeLetter() }

func (im *image) JumpTable() *vmlinux.JumpTable {
	for i, s := range im.sections {
		if s.Name == "__jump_table" {
			return vmlinux.ParseJumpTable(s.Addr, im.data[i])
		}
	}
	return nil
}

// jumpEntry is the address of a field of the only entry of __jump_table whose instruction is in the function at addr.
func (im *image) jumpEntry(t *testing.T, addr, size, field uint64) uint64 {
	t.Helper()
	found := im.JumpTable().In(addr, size)
	if len(found) != 1 {
		t.Fatalf("%d jump labels at %#x", len(found), addr)
	}
	entry, _ := im.JumpTable().Entry(found[0])
	return entry + field
}

func (im *image) SymPos(s vmlinux.Symbol) int {
	all := im.Lookup(s.Name)
	if len(all) == 1 {
		return 0
	}
	return slices.Index(all, s) + 1
}

// poke changes bytes; the first of them must be what was expected there.
func (im *image) poke(t *testing.T, addr uint64, old, new string) {
	t.Helper()
	b, ok := im.Bytes(addr, uint64(len(old)))
	if !ok || string(b) != old || len(old) != len(new) {
		t.Fatalf("at %#x: % x, want % x", addr, b, old)
	}
	copy(b, new)
}

// add adds to the 32 bits at an address.
func (im *image) add(t *testing.T, addr uint64, n int64) {
	t.Helper()
	b, ok := im.Bytes(addr, 4)
	if !ok {
		t.Fatalf("no bytes at %#x", addr)
	}
	binary.LittleEndian.PutUint32(b, binary.LittleEndian.Uint32(b)+uint32(n))
}

// find gives the offset of bytes in a function, of which there must be one.
func (im *image) find(t *testing.T, addr, size uint64, what string) uint64 {
	t.Helper()
	b, ok := im.Bytes(addr, size)
	if !ok || strings.Count(string(b), what) != 1 {
		t.Fatalf("% x in % x", what, b)
	}
	return addr + uint64(strings.Index(string(b), what))
}

// rename changes the name of the symbol that a local of a file is.
func (im *image) rename(t *testing.T, from, to string) {
	t.Helper()
	i := slices.IndexFunc(im.symbols, func(s vmlinux.Symbol) bool { return s.Name == from })
	if i < 0 {
		t.Fatalf("no symbol %q", from)
	}
	im.symbols[i].Name = to
}

// pre compiles a unit as this project does, and matches it.
func matched(t *testing.T, im *image, file, code string) (*match.Result, *unit.Unit) {
	t.Helper()
	src := filepath.Join(t.TempDir(), file)
	if err := os.WriteFile(src, []byte("#include \"kernel.h\"\n"+code), 0o644); err != nil {
		t.Fatal(err)
	}
	pre, err := unit.New(objtest.Object(t, src, "-g0", "-I", objtest.Folder(t)))
	if err != nil {
		t.Fatal(err)
	}
	r, err := match.Match(file, pre, im)
	if err != nil {
		t.Fatal(err)
	}
	return r, pre
}

// proofs is the result as text, with what ld says of each address.
func proofs(im *image, file string, r *match.Result) string {
	var b strings.Builder
	for _, f := range r.Functions {
		fmt.Fprintf(&b, "%s %s", f.Name, f.Proof)
		if f.Proof != match.None {
			fmt.Fprintf(&b, " by %s", f.By)
			want, ok := im.files[file+":"+f.Name]
			if !ok {
				want = im.files[":"+f.Name]
			}
			if want != f.Address {
				fmt.Fprintf(&b, " at %#x, ld put it at %#x", f.Address, want)
			}
		}
		if f.Patched > 0 {
			fmt.Fprintf(&b, " patched %d", f.Patched)
		}
		if f.Why != "" {
			fmt.Fprintf(&b, ": %s", f.Why)
		}
		b.WriteByte('\n')
	}
	if err := r.Conflicts(); err != nil {
		fmt.Fprintf(&b, "conflict: %v\n", err)
	}
	return b.String()
}

// located checks every item of the unit that the match knows against ld's symbol table, and gives their number.
func located(t *testing.T, im *image, file string, r *match.Result, pre *unit.Unit) (n int) {
	t.Helper()
	for _, it := range pre.Items {
		if it.Kind != unit.Function && it.Kind != unit.Datum {
			continue
		}
		addr, ok := r.Located(it)
		if !ok {
			continue
		}
		n++
		want, ok := im.files[file+":"+it.Name]
		if !ok {
			want, ok = im.files[":"+it.Name]
		}
		if !ok || want != addr {
			t.Errorf("%s at %#x, ld put it at %#x", it.Name, addr, want)
		}
	}
	return n
}

// nop replaces n bytes by one instruction that does nothing.
func (im *image) nop(t *testing.T, addr uint64, n int) {
	t.Helper()
	b, ok := im.Bytes(addr, uint64(n))
	if !ok {
		t.Fatalf("no bytes at %#x", addr)
	}
	copy(b, map[int]string{2: "\x66\x90", 5: "\x0f\x1f\x44\x00\x00"}[n])
}

// pokeAnywhere changes bytes of which there must be one occurrence.
func (im *image) pokeAnywhere(t *testing.T, old, new string) {
	t.Helper()
	n := 0
	for _, d := range im.data {
		if n += strings.Count(string(d), old); strings.Contains(string(d), old) {
			copy(d[strings.Index(string(d), old):], new)
		}
	}
	if n != 1 || len(old) != len(new) {
		t.Fatalf("% x occurs %d times", old, n)
	}
}

// aim lets the only call in the 40 bytes at addr that leads to one symbol lead to another.
func (im *image) aim(t *testing.T, addr uint64, from, to string) {
	t.Helper()
	b, ok := im.Bytes(addr, 40)
	if !ok {
		t.Fatalf("no bytes at %#x", addr)
	}
	n := 0
	for i := range len(b) - 4 {
		next := addr + uint64(i) + 5
		if b[i] == 0xe8 && next+uint64(int64(int32(binary.LittleEndian.Uint32(b[i+1:])))) == im.files[from] {
			binary.LittleEndian.PutUint32(b[i+1:], uint32(im.files[to]-next))
			n++
		}
	}
	if n != 1 {
		t.Fatalf("%d calls to %s", n, from)
	}
}

// address is the four bytes by which code holds an address.
func (im *image) address(symbol string, plus uint64) string {
	return string(binary.LittleEndian.AppendUint32(nil, uint32(im.files[symbol]+plus)))
}
