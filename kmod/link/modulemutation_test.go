package link_test

import (
	"slices"
	"testing"

	"livesplice/kmod/elfobj"
	"livesplice/kmod/link"
)

const unlink = ".klp.rela.ext4..text.ext4_unlink"

var moduleMutations = []mutation{
	{"a symbol of the module resolved as the update is loaded", func(m damaged) {
		m.section(unlink).Name = ".klp.rela.vmlinux..text.ext4_unlink"
	}, "the kernel resolves symbols of vmlinux in those of vmlinux only, symbols of modules in no others"},
	{"a symbol of vmlinux resolved as the module is loaded", func(m damaged) {
		m.section(unlink).Relocs[0].Sym = m.livepatchSymbol("do_exit,0")
	}, "the kernel resolves symbols of vmlinux in those of vmlinux only, symbols of modules in no others"},
	{"resolved with another module", func(m damaged) {
		m.section(unlink).Name = ".klp.rela.jbd2..text.ext4_unlink"
	}, "resolved as jbd2 is loaded, of which it is no part"},
	{"a symbol of a module that the code does not import from", func(m damaged) {
		m.reloc(m.section(unlink), ".klp.sym.jbd2.jbd2_journal_stop,0").Sym.Name = ".klp.sym.xfs.jbd2_journal_stop,0"
	}, `of "xfs", which is neither patched nor imported from`},
	{"another function of the other module", func(m damaged) {
		m.reloc(m.section(unlink), ".klp.sym.jbd2.jbd2_journal_stop,0").Sym.Name = ".klp.sym.jbd2.jbd2_journal_start,0"
	}, "leads to jbd2_journal_stop of jbd2 at"},
	{"the same name in another module", func(m damaged) {
		m.reloc(m.section(unlink), ".klp.sym.jbd2.jbd2_journal_stop,0").Sym.Name = ".klp.sym.ext4.jbd2_journal_stop,0"
	}, `symbol "jbd2_journal_stop": not in the shipped ext4`},
	{"a position in the module that there is not", func(m damaged) {
		m.reloc(m.section(unlink), ".klp.sym.ext4.__ext4_unlink,0").Sym.Name = ".klp.sym.ext4.__ext4_unlink,2"
	}, `symbol "__ext4_unlink": position 2 of 1`},
	{"another addend", func(m damaged) { m.section(unlink).Relocs[0].Addend++ }, "in the module to"},
	{"a tracepoint's branch as the compiler left it, always taken", func(m damaged) {
		compiled, code := m.of.units[1].Extract.Obj.Section(".text.ext4_unlink").Data, m.section(".text.ext4_unlink").Data
		for i := range code {
			if string(code[i:i+2]) == "\x66\x90" && compiled[i] == 0xeb {
				copy(code[i:], compiled[i:i+2])
				return
			}
		}
		m.t.Fatal("no short branch of a tracepoint")
	}, "is no nop in the module"},
	{"an entry that the kernel reads before it knows the key", func(m damaged) {
		jump := m.section("__jump_table")
		m.Sections = append(m.Sections, &elfobj.Section{Name: ".klp.rela.ext4.__jump_table", Type: m.section(unlink).Type, Flags: m.section(unlink).Flags,
			Align: 8, EntSize: 24, Applies: jump, Relocs: []elfobj.Reloc{{Offset: 8, Type: 24, Sym: m.section(unlink).Relocs[0].Sym}}})
	}, `the kernel reads section "__jump_table" before it applies these relocations`},
	{"another object in the list", func(m damaged) { m.edit(".rodata.str1.1", "ext4\x00", "ext3\x00") }, "no reference to the functions of ext3"},
	{"vmlinux's name in the list", func(m damaged) {
		objects := m.symbol("livesplice_objects")
		rela := objects.Section.Rela
		rela.Relocs = slices.DeleteFunc(rela.Relocs, func(r elfobj.Reloc) bool {
			return r.Offset > objects.Value && r.Offset < objects.Value+objects.Size && r.Sym.Section != nil && r.Sym.Section.Name == ".rodata.str1.1"
		})
	}, "no reference to the functions of vmlinux"},
}

// TestModuleMutations verifies an update for a module, and damages it in one place each.
func TestModuleMutations(t *testing.T) {
	k, err := shippedKernel()
	if err != nil {
		t.Fatal(err)
	}
	made, err := k.make(moduleChange)
	if err != nil {
		t.Fatal(err)
	}
	if err := link.Verify(made.ko, made.units, k.Kernel); err != nil {
		t.Fatal(err)
	}
	if silent := made.units[1].Extract.Silent; !slices.Equal(silent, []string{"ext4_unlink_enter in ext4_unlink", "ext4_unlink_exit in ext4_unlink"}) {
		t.Errorf("silent tracepoints: %q", silent)
	}
	mutated(t, made, moduleMutations)
}
