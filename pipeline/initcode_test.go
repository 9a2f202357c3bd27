package pipeline

import (
	"debug/elf"
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"livesplice/kmod/diff"
	"livesplice/kmod/elfobj"
	"livesplice/kmod/match"
	"livesplice/kmod/unit/objtest"
	"livesplice/kmod/vmlinux"
)

// placed is a shipped binary that has each section of an object where a test wants it: those named in init among what is
// freed.
type placed struct {
	obj  *elfobj.Object
	base map[*elfobj.Section]uint64
	data map[*elfobj.Section][]byte // relocated
}

const freedFrom, staysFrom = 0xffffffff82000000, 0xffffffff81000000

func placeObject(obj *elfobj.Object, init ...string) *placed {
	p := &placed{obj, map[*elfobj.Section]uint64{}, map[*elfobj.Section][]byte{}}
	freed, stays := uint64(freedFrom), uint64(staysFrom)
	for _, s := range obj.Sections {
		at := &stays
		for _, prefix := range init {
			if strings.HasPrefix(s.Name, prefix) {
				at = &freed
			}
		}
		p.base[s] = *at
		*at += 0x1000
	}
	for _, s := range obj.Sections {
		p.data[s] = p.relocated(s)
	}
	return p
}

// relocated links a section; all functions of other objects are at one place.
func (p *placed) relocated(s *elfobj.Section) []byte {
	const elsewhere = staysFrom - 0x1000
	data := slices.Clone(s.Data)
	if s.Rela == nil {
		return data
	}
	for _, r := range s.Rela.Relocs {
		v := uint64(elsewhere)
		if r.Sym.Section != nil {
			v = p.base[r.Sym.Section] + r.Sym.Value
		}
		v += uint64(r.Addend)
		switch elf.R_X86_64(r.Type) {
		case elf.R_X86_64_PC32, elf.R_X86_64_PLT32:
			v -= p.base[s] + r.Offset
			fallthrough
		case elf.R_X86_64_32S, elf.R_X86_64_32:
			binary.LittleEndian.PutUint32(data[r.Offset:], uint32(v))
		}
	}
	return data
}

func (p *placed) Freed(addr uint64) bool { return addr >= freedFrom }

func (p *placed) Bytes(addr, n uint64) ([]byte, bool) {
	for s, base := range p.base {
		if addr >= base && addr+n <= base+uint64(len(p.data[s])) {
			return p.data[s][addr-base:][:n], true
		}
	}
	return nil, false
}

func (p *placed) Lookup(name string) (out []vmlinux.Symbol) {
	for _, y := range p.obj.Symbols {
		if y.Name == name && y.Section != nil {
			out = append(out, vmlinux.Symbol{Name: name, Addr: p.base[y.Section] + y.Value, Type: 'T'})
		}
	}
	return out
}

func (p *placed) At(addr uint64) (out []vmlinux.Symbol) {
	for _, y := range p.obj.Symbols {
		if y.Section != nil && p.base[y.Section]+y.Value == addr {
			out = append(out, vmlinux.Symbol{Name: y.Name, Addr: addr, Type: 'T'})
		}
	}
	return out
}

func (p *placed) IsCode(vmlinux.Symbol) bool                   { return true }
func (p *placed) Place(s vmlinux.Symbol) (vmlinux.Place, bool) { return vmlinux.Place{}, true }
func (p *placed) Globals(string) []vmlinux.Place               { return nil }
func (p *placed) JumpTable() *vmlinux.JumpTable                { return nil }

// TestInitCode compares one change as kernels of several configurations have the code: what is freed is a fact of the image.
func TestInitCode(t *testing.T) {
	const (
		head = `#include "kernel.h"
extern int arr[];
`
		helper = "static notrace noinline int helper(int a) { CHANGE return arr[a]; } int normal(int a) { source(2); return helper(a) + 2; }\n"
	)
	for _, c := range []struct {
		name, code string
		init       []string // sections that the image frees
		want       string   // of refusals: code and subject
	}{
		{"memory can be added", helper + `int section(".meminit.text") notrace add(int a) { return helper(a) + 1; }`, []string{".init"}, "no-fentry add"},
		{"memory cannot be added", helper + `int section(".meminit.text") notrace add(int a) { return helper(a) + 1; }`, []string{".init", ".meminit"}, ""},
		{"boot code", helper + `int section(".init.text") notrace add(int a) { return helper(a) + 1; }`, []string{".init"}, ""},
		{"boot code that stays", helper + `int section(".init.text") notrace add(int a) { return helper(a) + 1; }`, nil, "init-code add"},
		{"changed, and can be added", `int section(".meminit.text") add(int a) { CHANGE return arr[a]; }`, []string{".init"}, ""},
		{"changed, and cannot be added", `int section(".meminit.text") add(int a) { CHANGE return arr[a]; }`, []string{".init", ".meminit"}, "init-code add"},
		{"startup code of vmlinux", `int section(".text.startup") add(int a) { CHANGE return arr[a]; }`, []string{".init", ".text.startup"}, "init-code add"},
		{"ordinary code among what is freed", `int add(int a) { CHANGE return arr[a]; }`, []string{".init", ".text.add"}, "init-code add"},
		{"exit code that stays", helper + `int section(".exit.text") notrace add(int a) { return helper(a) + 1; }`, []string{".init"}, "init-code add"},
		{"exit code that is freed", helper + `int section(".exit.text") notrace add(int a) { return helper(a) + 1; }`, []string{".init", ".exit"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			compile := func(change string) *elfobj.Object {
				return objtest.Text(t, strings.ReplaceAll(head+c.code, "CHANGE", change), "-I", objtest.Folder(t))
			}
			pre, post := compile("source(a);"), compile("if (a > 8) return -1; source(a);")
			im := placeObject(pre, c.init...)
			d, err := diff.Compare("unit.c", pre, post, diff.Options{Freed: freedSections("unit.c", im, im)})
			if err != nil {
				t.Fatal(err)
			}
			m, err := match.Match("unit.c", d.Pre, im)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, r := range append(d.Refusals, misplaced("unit.c", d, m, im)...) {
				got = append(got, string(r.Code)+" "+r.Subject)
			}
			if text := strings.Join(got, ", "); text != c.want {
				t.Errorf("refused %q, want %q", text, c.want)
			}
		})
	}
}
