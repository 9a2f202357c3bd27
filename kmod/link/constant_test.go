package link_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"livesplice/kmod/diff"
	"livesplice/kmod/link"
	"livesplice/kmod/unit"
)

// shippedText is a text of elf_map, which the shipped kernel has.
const shippedText = "Uhuuh, elf segment at"

// withShippedText is a module in which the changed elf_map prints the running kernel's own copy of that text.
var withShippedText = sync.OnceValues(func() (*made, error) {
	k, err := shippedKernel()
	if err != nil {
		return nil, err
	}
	const file = "fs/binfmt_elf.c"
	text, err := os.ReadFile(filepath.Join(k.src.Dir, file))
	if err != nil {
		return nil, err
	}
	changed := bytes.Replace(text, []byte("\tunsigned long size = eppnt->p_filesz + ELF_PAGEOFFSET(eppnt->p_vaddr);\n"),
		[]byte("\tunsigned long size = eppnt->p_filesz + ELF_PAGEOFFSET(eppnt->p_vaddr) + (total_size == 0x7777);\n"), 1)
	u, err := k.unit("fs/binfmt_elf.o", map[string][]byte{file: changed}, 0)
	if err != nil {
		return nil, err
	}
	u.Extract, err = u.Diff.Extract(diff.Names{Prefix: "u0", Shipped: func(it *unit.Item) bool {
		if it.Kind != unit.Literal || !bytes.Contains(it.Bytes(), []byte(shippedText)) {
			return false
		}
		_, ok := u.Match.Shipped(it)
		return ok
	}})
	if err != nil {
		return nil, err
	}
	m := &made{k: k, units: []link.Unit{u}}
	return m, m.link()
})

// TestShippedConstant: a text of the running kernel is referred to by a symbol in front of it, and is not in the module.
func TestShippedConstant(t *testing.T) {
	m, err := withShippedText()
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(m.ko, []byte(shippedText)) {
		t.Error("the module has a copy of the text")
	}
	if err := link.Verify(m.ko, m.units, m.k.Kernel); err != nil {
		t.Error(err)
	}
	for name, s := range m.plan.Symbols {
		if strings.Contains(name, "_constant_") {
			have, _ := m.k.image.Bytes(s.Addr+s.Offset, 60)
			if !bytes.Contains(have, []byte(shippedText)) {
				t.Errorf("%s: %s+%#x, where %q is", name, s.Name, s.Offset, have)
			}
		}
	}
}

// TestShippedConstantMutations damages the reference to the kernel's text.
func TestShippedConstantMutations(t *testing.T) {
	m, err := withShippedText()
	if err != nil {
		t.Fatal(err)
	}
	const in = ".text.unlikely.elf_map.cold"
	var base string
	for name, s := range m.plan.Symbols {
		if strings.Contains(name, "_constant_") {
			base = s.Name
		}
	}
	reloc := func(m damaged) string { return ".klp.sym.vmlinux." + base + ",0" }
	mutated(t, m, []mutation{
		{"wrong addend", func(m damaged) { m.reloc(m.klp(in), reloc(m)).Addend++ }, "where the shipped vmlinux has other bytes"},
		{"no addend", func(m damaged) { m.reloc(m.klp(in), reloc(m)).Addend = 0 }, "where the shipped vmlinux has other bytes"},
		{"another symbol", func(m damaged) { m.reloc(m.klp(in), reloc(m)).Sym = m.livepatchSymbol("__start_rodata,0") }, "where the shipped vmlinux has other bytes"},
		{"a symbol of variables", func(m damaged) { m.reloc(m.klp(in), reloc(m)).Sym = m.livepatchSymbol("init_task,0") }, "where the shipped vmlinux has no constant"},
		{"a symbol that is not there", func(m damaged) { m.reloc(m.klp(in), reloc(m)).Sym = m.livepatchSymbol("no_such_text,0") }, `symbol "no_such_text": not in the shipped vmlinux`},
	})
}

// TestConstantsOfTheKernel tells which memory of the shipped kernel is constant: not what is written to at boot, or freed.
func TestConstantsOfTheKernel(t *testing.T) {
	k, err := shippedKernel()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"linux_banner": true, "__start_rodata": true, "init_task": false, "__start_ro_after_init": false, "start_kernel": false, "__end_rodata": false, "__init_begin": false} {
		all := k.image.Lookup(name)
		if len(all) != 1 {
			t.Fatalf("%d symbols %s", len(all), name)
		}
		if _, ok := k.image.Constant(all[0].Addr, 4); ok != want {
			t.Errorf("%s: constant %t, want %t", name, ok, want)
		}
	}
	end, after := k.image.Lookup("__end_rodata")[0].Addr, k.image.Lookup("__start_ro_after_init")[0].Addr
	for _, addr := range []uint64{end, after} {
		if _, ok := k.image.Constant(addr-2, 4); ok {
			t.Errorf("4 bytes at %#x are constant", addr-2)
		}
	}
}
