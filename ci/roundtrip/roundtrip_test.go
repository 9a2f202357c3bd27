package main

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"livesplice/kmod/elfobj"
)

// TestEveryModule is the command itself on the newest Debian 12 kernel of the archive.
func TestEveryModule(t *testing.T) {
	c, err := run(t.Context(), "6.1", 100, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(c)
	if len(c.findings) > 0 {
		t.Errorf("%d findings", len(c.findings))
	}
	if c.modules < 3500 || c.bytes < 300e6 || c.readelf < 20 {
		t.Errorf("%d modules of %d bytes, %d by readelf: too few to mean anything", c.modules, c.bytes, c.readelf)
	}
}

const source = `
static int counter = 7;
static char room[100];
int *pointer = &counter;
__attribute__((weak)) int weak_one(int x) { return x + room[x]; }
extern int elsewhere(const char *);
int use(int x) { counter += weak_one(x); return elsewhere("a string"); }
asm(".section .group1,\"axG\",@progbits,sig,comdat\n.globl sig\nsig: ret\n.previous");
`

func compiled(t *testing.T) []byte {
	t.Helper()
	dir := t.TempDir()
	c, o := filepath.Join(dir, "t.c"), filepath.Join(dir, "t.o")
	if err := os.WriteFile(c, []byte(source), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("gcc-12", "-O2", "-fno-PIE", "-c", "-o", o, c).CombinedOutput(); err != nil {
		t.Fatalf("gcc-12 (Debian package gcc-12): %v\n%s", err, out)
	}
	data, err := os.ReadFile(o)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestDifferencesAreSeen: what a fault in reading or writing would do to an object is seen by both accounts of it.
func TestDifferencesAreSeen(t *testing.T) {
	for _, tt := range []struct {
		name    string
		fault   func(*elfobj.Object)
		readelf bool // readelf is not asked for contents
	}{
		{"none", nil, false},
		{"content", func(o *elfobj.Object) { o.Section(".data").Data[0] ^= 1 }, false},
		{"section name", func(o *elfobj.Object) { o.Section(".data").Name = ".dato" }, true},
		{"section flags", func(o *elfobj.Object) { o.Section(".data").Flags |= elf.SHF_EXECINSTR }, true},
		{"alignment", func(o *elfobj.Object) { o.Section(".data").Align = 16 }, true},
		{"size of .bss", func(o *elfobj.Object) { o.Section(".bss").NoBitsSize++ }, true},
		{"entry size", func(o *elfobj.Object) { o.Section(".text").EntSize = 1 }, true},
		{"order of sections", func(o *elfobj.Object) {
			o.Sections[0], o.Sections[1] = o.Sections[1], o.Sections[0]
		}, true},
		{"a section lost", func(o *elfobj.Object) {
			for i, s := range o.Sections {
				if s.Name == ".comment" {
					o.Sections = append(o.Sections[:i], o.Sections[i+1:]...)
					return
				}
			}
		}, true},
		{"addend", func(o *elfobj.Object) { o.Section(".text").Rela.Relocs[0].Addend++ }, true},
		{"relocation kind", func(o *elfobj.Object) { o.Section(".text").Rela.Relocs[0].Type = uint32(elf.R_X86_64_GOTPCREL) }, true},
		{"relocated place", func(o *elfobj.Object) { o.Section(".text").Rela.Relocs[0].Offset++ }, true},
		{"relocation's symbol", func(o *elfobj.Object) { o.Section(".text").Rela.Relocs[0].Sym = o.Symbol("use") }, true},
		{"a relocation lost", func(o *elfobj.Object) { r := o.Section(".text").Rela; r.Relocs = r.Relocs[1:] }, true},
		{"symbol name", func(o *elfobj.Object) { o.Symbol("use").Name = "used" }, true},
		{"symbol value", func(o *elfobj.Object) { o.Symbol("use").Value++ }, true},
		{"symbol size", func(o *elfobj.Object) { o.Symbol("use").Size++ }, true},
		{"symbol binding", func(o *elfobj.Object) { o.Symbol("weak_one").Bind = elf.STB_GLOBAL }, true},
		{"symbol type", func(o *elfobj.Object) { o.Symbol("use").Type = elf.STT_OBJECT }, true},
		{"visibility", func(o *elfobj.Object) { o.Symbol("use").Other = byte(elf.STV_HIDDEN) }, true},
		{"group's signature", func(o *elfobj.Object) { o.Section(".group").Signature = o.Symbol("use") }, true},
		{"group's members", func(o *elfobj.Object) { o.Section(".group").GroupMembers = nil }, true},
		{"machine flags", func(o *elfobj.Object) { o.OSABI = 3 }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := compiled(t)
			obj, err := elfobj.Read(append([]byte{}, in...))
			if err != nil {
				t.Fatal(err)
			}
			if tt.fault != nil {
				tt.fault(obj)
			}
			out, err := obj.Write()
			if err != nil {
				t.Fatal(err)
			}
			if err := sameObject(in, out); (err != nil) != (tt.fault != nil) {
				t.Errorf("by debug/elf: %v", err)
			}
			differ, err := readelfDiffers(t.Context(), in, out)
			if err != nil {
				t.Fatal(err)
			}
			if (differ != "") != tt.readelf {
				t.Errorf("by readelf: %q, want a difference: %v", differ, tt.readelf)
			}
		})
	}
}

func TestWithoutPlaces(t *testing.T) {
	const in = `There are 2 section headers, starting at offset 0x40:

  [ 1] .text
       PROGBITS        0000000000000000 000040 000024 00   0   0  4
       [0000000000000002]: ALLOC
  [12] .strtab
       STRTAB          0000000000000000 000064 00003c 00   0   0  1
Relocation section '.rela.text' at offset 0x4e120 contains 2 entries:
`
	const want = `
  [ 1] .text
PROGBITS 0000000000000000 offset 000024 00 0 0 4
       [0000000000000002]: ALLOC
  [12] .strtab
STRTAB 0000000000000000 offset size 00 0 0 1
Relocation section '.rela.text'
`
	if got := withoutPlaces(in); strings.TrimSpace(got) != strings.TrimSpace(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
