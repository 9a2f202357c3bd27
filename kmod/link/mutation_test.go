package link_test

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"livesplice/kmod/elfobj"
	"livesplice/kmod/link"
)

// damaged is a finished module that a test damages.
type damaged struct {
	*elfobj.Object
	t  *testing.T
	of *made
}

func (m damaged) section(name string) *elfobj.Section {
	m.t.Helper()
	s := m.Section(name)
	if s == nil {
		m.t.Fatalf("no section %q", name)
	}
	return s
}

// klp are the livepatch relocations of a section.
func (m damaged) klp(name string) *elfobj.Section { return m.section(".klp.rela.vmlinux." + name) }

func (m damaged) symbol(name string) *elfobj.Symbol {
	m.t.Helper()
	s := m.Symbol(name)
	if s == nil {
		m.t.Fatalf("no symbol %q", name)
	}
	return s
}

// livepatchSymbol makes a symbol that livepatch resolves.
func (m damaged) livepatchSymbol(name string) *elfobj.Symbol {
	s := &elfobj.Symbol{Name: ".klp.sym.vmlinux." + name, Bind: elf.STB_GLOBAL, Shndx: elfobj.ShnLivepatch}
	m.Symbols = append(m.Symbols, s)
	return s
}

// reloc is the first entry of a relocation section that names a symbol or section.
func (m damaged) reloc(rela *elfobj.Section, to string) *elfobj.Reloc {
	m.t.Helper()
	i := slices.IndexFunc(rela.Relocs, func(r elfobj.Reloc) bool { return r.Sym.String() == to })
	if i < 0 {
		m.t.Fatalf("no relocation of %q to %q", rela.Name, to)
	}
	return &rela.Relocs[i]
}

// drop removes the last n bytes of a table with what fills them in.
func (m damaged) drop(name string, n uint64) {
	m.t.Helper()
	s := m.section(name)
	end := s.Size() - n
	s.Data = s.Data[:end]
	for _, r := range m.Sections {
		if r.Type == elf.SHT_RELA && r.Applies == s {
			r.Relocs = slices.DeleteFunc(r.Relocs, func(r elfobj.Reloc) bool { return r.Offset >= end })
		}
	}
}

// edit changes the only occurrence of old in a section to a text of the same length.
func (m damaged) edit(name, old, new string) {
	m.t.Helper()
	s := m.section(name)
	if bytes.Count(s.Data, []byte(old)) != 1 || len(old) != len(new) {
		m.t.Fatalf("%q is %d times in %q", old, bytes.Count(s.Data, []byte(old)), name)
	}
	s.Data = bytes.Replace(s.Data, []byte(old), []byte(new), 1)
}

// funcs is the array of struct klp_func: the offset in .data, and the size of an entry.
func (m damaged) funcs() (at, size uint64) {
	y := m.symbol("livesplice_funcs_vmlinux")
	return y.Value, y.Size / 5
}

// listed is the relocation of a member of entry i of the array: name at 0, function at 8.
func (m damaged) listed(i int, member uint64) *elfobj.Reloc {
	m.t.Helper()
	at, size := m.funcs()
	rela := m.section(".data").Rela
	j := slices.IndexFunc(rela.Relocs, func(r elfobj.Reloc) bool { return r.Offset == at+uint64(i)*size+member })
	if j < 0 {
		m.t.Fatalf("no relocation in entry %d", i)
	}
	return &rela.Relocs[j]
}

// Entries of the list, in order of the units.
const (
	elfMap = iota
	loadElfBinary
	bprmExecve
	filldir64
)

// mutations damage a finished module as a mistake of its makers would: kbuild, Convert, Extract or NewPlan. Each loads.
type mutation struct {
	name   string
	mutate func(m damaged)
	want   string
}

var mutations = []mutation{
	{"wrong addend of a reference to a string", func(m damaged) {
		m.reloc(m.section(".text.unlikely.elf_map.cold").Rela, ".rodata.elf_map.str1.8").Addend++
	}, "leads to .rodata.elf_map.str1.8+0x0+0, in the module to .rodata.elf_map.str1.8+0x0+1"},
	{"wrong addend of a livepatch relocation", func(m damaged) {
		m.reloc(m.klp(".text.load_elf_binary"), ".klp.sym.vmlinux.padzero,1").Addend += 8
	}, "leads to padzero+0, in the module to .klp.sym.vmlinux.padzero,1+8"},
	{"wrong callee, another function of the kernel", func(m damaged) {
		m.reloc(m.klp(".text.load_elf_binary"), ".klp.sym.vmlinux.padzero,1").Sym = m.livepatchSymbol("load_elf_library,1")
	}, "leads to padzero of vmlinux at "},
	{"wrong callee, another export", func(m damaged) {
		m.reloc(m.section(".text.elf_map").Rela, "vm_mmap").Sym = m.symbol("kfree")
	}, "leads to vm_mmap of vmlinux at "},
	{"wrong callee, another function of the module", func(m damaged) {
		m.reloc(m.section(".text.filldir64").Rela, "livesplice_count").Sym = m.symbol("filldir64")
	}, "livesplice_count: is twice in the module, at .text.livesplice_count+0x0 and .text.filldir64+0x0"},
	{"the original called in place of the copy", func(m damaged) {
		m.toLivepatch(".text.load_elf_binary", ".text.elf_map", "elf_map,0", elf.R_X86_64_PC32)
	}, "leads to elf_map, which the update has to bring, in the module out of it to .klp.sym.vmlinux.elf_map,0"},
	{"the original's cold part in place of the new one", func(m damaged) {
		m.toLivepatch(".text.elf_map", ".text.unlikely.elf_map.cold", "elf_map.cold,0", elf.R_X86_64_PC32)
	}, "leads to elf_map.cold, which the update has to bring, in the module out of it to .klp.sym.vmlinux.elf_map.cold,0"},
	{"wrong position in the list", func(m damaged) {
		at, size := m.funcs()
		m.section(".data").Data[at+loadElfBinary*size+16] = 2
	}, "load_elf_binary: changed, but the module replaces no function of vmlinux at "},
	{"no position in the list", func(m damaged) {
		at, size := m.funcs()
		m.section(".data").Data[at+loadElfBinary*size+16] = 0
	}, `symbol "load_elf_binary": 2 in the shipped vmlinux, but no position`},
	{"position beyond the last", func(m damaged) {
		at, size := m.funcs()
		m.section(".data").Data[at+loadElfBinary*size+16] = 9
	}, `symbol "load_elf_binary": position 9 of 2`},
	{"wrong position in a livepatch symbol", func(m damaged) {
		m.symbol(".klp.sym.vmlinux.padzero,1").Name = ".klp.sym.vmlinux.padzero,2"
	}, "leads to padzero of vmlinux at "},
	{"no position in a livepatch symbol", func(m damaged) {
		m.symbol(".klp.sym.vmlinux.padzero,1").Name = ".klp.sym.vmlinux.padzero,0"
	}, `symbol "padzero": 2 in the shipped vmlinux, but no position`},
	{"a livepatch symbol of another name", func(m damaged) {
		m.symbol(".klp.sym.vmlinux.padzero,1").Name = ".klp.sym.vmlinux.elf_load,1"
	}, "leads to padzero of vmlinux at "},
	{"a livepatch symbol that the kernel does not have", func(m damaged) {
		m.symbol(".klp.sym.vmlinux.padzero,1").Name = ".klp.sym.vmlinux.padzeros,0"
	}, `symbol "padzeros": not in the shipped vmlinux`},
	{"a livepatch symbol of another object", func(m damaged) {
		m.symbol(".klp.sym.vmlinux.padzero,1").Name = ".klp.sym.ext4.padzero,1"
	}, `the kernel resolves symbols of vmlinux in those of vmlinux only`},
	{"no entry in __bug_table", func(m damaged) { m.drop("__bug_table", 12) }, "1 entries in __bug_table, in the module 0"},
	{"no entry in __jump_table", func(m damaged) { m.drop("__jump_table", 16) }, "1 entries in __jump_table, in the module 0"},
	{"no entry in __ex_table", func(m damaged) { m.drop("__ex_table", 12) }, "9 entries in __ex_table, in the module 8"},
	{"no entry in .altinstructions", func(m damaged) { m.drop(".altinstructions", 12) }, "entries in .altinstructions, in the module "},
	{"no entry in .smp_locks", func(m damaged) { m.drop(".smp_locks", 4) }, "1 entries in .smp_locks, in the module 0"},
	{"no entry in __mcount_loc", func(m damaged) { m.drop("__mcount_loc", 8) }, "1 entries in __mcount_loc, in the module 0"},
	{"flags of a __bug_table entry", func(m damaged) { m.section("__bug_table").Data[10] ^= 1 }, "__bug_table: entry 0: "},
	{"key of a __jump_table entry", func(m damaged) {
		r := m.section("__jump_table").Rela
		m.reloc(r, "__tracepoint_mmap_lock_start_locking").Sym = m.symbol("__tracepoint_mmap_lock_released")
	}, "leads to __tracepoint_mmap_lock_start_locking of vmlinux at "},
	{"direction of a __jump_table entry", func(m damaged) {
		m.reloc(m.section("__jump_table").Rela, "__tracepoint_mmap_lock_start_locking").Addend ^= 1
	}, "leads to __tracepoint_mmap_lock_start_locking+"},
	{"fixup of an __ex_table entry", func(m damaged) { m.section("__ex_table").Rela.Relocs[1].Addend++ }, "leads to filldir64+"},
	{"feature of an .altinstructions entry", func(m damaged) { m.section(".altinstructions").Data[8] ^= 1 }, ".altinstructions: entry 0: "},
	{"a byte of replacement code", func(m damaged) { m.section(".altinstr_replacement").Data[0] ^= 1 }, "replacement code: "},
	{"a byte of code", func(m damaged) { m.section(".text.elf_map").Data[0x10] ^= 1 }, "elf_map+0x10: byte "},
	{"a byte of a cold part", func(m damaged) { m.section(".text.unlikely.elf_map.cold").Data[0x10] ^= 1 }, "elf_map.cold+0x10: byte "},
	{"a byte of a string", func(m damaged) { m.edit(".rodata.elf_map.str1.8", "%d", "%x") }, ".rodata.elf_map.str1.8+0x0+"},
	{"the initial value of a variable", func(m damaged) { m.section(".data.livesplice_first").Data[0]++ }, "livesplice_first+0x0: byte 0x0b, in the module 0x0c"},
	{"one variable for two", func(m damaged) {
		first, second := m.SectionSymbol(m.section(".data.livesplice_first")), m.SectionSymbol(m.section(".data.livesplice_second"))
		for _, s := range m.Sections {
			for i := range s.Relocs {
				if r := &s.Relocs[i]; r.Sym == second {
					r.Sym = first
				} else if r.Sym.String() == "livesplice_second" {
					r.Sym = m.symbol("livesplice_first")
				}
			}
		}
	}, "livesplice_second: the module has livesplice_first in its place"},
	{"a per-CPU variable as an ordinary one", func(m damaged) { m.section(".data..percpu").Name = ".data..percpu..x" }, "livesplice_here: from section .data..percpu, in the module in .data..percpu..x"},
	{"a variable in read-only memory", func(m damaged) { m.section(".data.livesplice_first").Flags &^= elf.SHF_WRITE }, "livesplice_first: from section .data.livesplice_first, in the module in .data.livesplice_first, which has other rights"},
	{"a variable that the kernel frees", func(m damaged) { m.section(".data.livesplice_first").Name = ".init.data.x" }, "in section .init.data.x of the module, which the kernel frees"},
	{"less alignment", func(m damaged) { m.section(".data.livesplice_line").Align = 8 }, "livesplice_line: aligned to 64, in the module at 0x0 of a section aligned to 8"},
	{"a missing function in the list", func(m damaged) { m.dropListed(filldir64) }, "fs/readdir.c: filldir64: changed, but the module replaces no function of vmlinux at "},
	{"two functions of the list exchanged", func(m damaged) {
		a, b := m.listed(elfMap, 8), m.listed(bprmExecve, 8)
		a.Sym, b.Sym = b.Sym, a.Sym
	}, "elf_map: the module has bprm_execve in its place"},
	{"a function replaced that did not change", func(m damaged) { m.edit(".rodata.str1.1", "filldir64\x00", "filldir\x00\x00\x00") }, "module: filldir: replaced, though no unit changed it"},
	{"an entry that leads into a function", func(m damaged) { m.listed(elfMap, 8).Addend = 5 }, `array "livesplice_funcs_vmlinux": entry 0: references at`},
	{"a function twice in the list", func(m damaged) { m.listed(bprmExecve, 0).Addend = m.listed(elfMap, 0).Addend }, "elf_map is listed twice"},
	{"wrong CRC", func(m damaged) { m.section("__versions").Data[64] ^= 1 }, ": CRC 0x"},
	{"a missing CRC", func(m damaged) { copy(m.section("__versions").Data[64+8:], "\x00") }, ": CRC 0x"},
	{"no CRCs at all", func(m damaged) { m.section("__versions").Name = "__no_versions" }, ": no CRC, the shipped kernel's is "},
	{"wrong vermagic", func(m damaged) { m.edit(".modinfo", "vermagic=6.1.0", "vermagic=6.1.9") }, `is not of kernel 6.1.0-`},
	{"no livepatch module", func(m damaged) { m.edit(".modinfo", "livepatch=Y", "livepatch=N") }, "livepatch=[N]"},
	{"another license", func(m damaged) { m.edit(".modinfo", "license=GPL", "license=MIT") }, "license=[MIT]"},
	{"a livepatch relocation among the ordinary ones", func(m damaged) {
		klp, plain := m.klp(".text.filldir64"), m.section(".text.filldir64").Rela
		plain.Relocs, klp.Relocs = append(plain.Relocs, klp.Relocs...), nil
	}, `section ".rela.text.filldir64": relocation to ".klp.sym.vmlinux.`},
	{"an ordinary relocation among those of livepatch", func(m damaged) {
		m.reloc(m.klp(".text.load_elf_binary"), ".klp.sym.vmlinux.padzero,1").Sym = m.symbol("kfree")
	}, `section ".klp.rela.vmlinux..text.load_elf_binary": relocation to "kfree" is in the wrong kind of section`},
	{"livepatch relocations without their flag", func(m damaged) { m.klp(".text.filldir64").Flags &^= elfobj.ShfRelaLivepatch }, "is in the wrong kind of section"},
	{"livepatch relocations under another name", func(m damaged) { m.klp(".text.filldir64").Name = ".klp.rela.ext4..text.filldir64" }, `the kernel resolves symbols of vmlinux in those of vmlinux only`},
	{"a symbol that is not marked", func(m damaged) { m.symbol(".klp.sym.vmlinux.padzero,1").Shndx = elf.SHN_UNDEF }, `".klp.sym.vmlinux.padzero,1"`},
	{"a name that the kernel does not export", func(m damaged) { m.symbol("kfree").Name = "padzero" }, `symbol "padzero": undefined, and the shipped kernel does not export it`},
	{"a field that is not zero", func(m damaged) {
		s := m.section(".text.elf_map")
		s.Data = slices.Clone(s.Data)
		s.Data[s.Rela.Relocs[1].Offset] = 1
	}, `section ".text.elf_map": the field at `},
	{"a relocation of another kind", func(m damaged) {
		m.reloc(m.klp(".text.load_elf_binary"), ".klp.sym.vmlinux.padzero,1").Type = uint32(elf.R_X86_64_32S)
	}, "reference of type 2 at "},
	{"a relocation at another place", func(m damaged) {
		m.reloc(m.section(".text.elf_map").Rela, "vm_mmap").Offset++
	}, "is not zero, for which the loader refuses the module"},
	{"a missing relocation", func(m damaged) {
		r := m.section(".text.elf_map").Rela
		r.Relocs = slices.Delete(r.Relocs, 1, 2)
	}, "elf_map: 8 references, in the module 7"},
	{"a function that belongs to no unit", func(m damaged) {
		s := &elfobj.Section{Name: ".text.stray", Type: elf.SHT_PROGBITS, Flags: elf.SHF_ALLOC | elf.SHF_EXECINSTR, Align: 1, Data: []byte{0xc3}}
		m.Sections = append(m.Sections, s)
		m.Symbols = append(m.Symbols, &elfobj.Symbol{Name: "stray", Type: elf.STT_FUNC, Size: 1, Section: s})
	}, "module: function stray in section .text.stray is not part of any unit"},
	{"unwind data that objtool did not make", func(m damaged) {
		m.section(".orc_unwind_ip").Rela.Relocs = slices.DeleteFunc(m.section(".orc_unwind_ip").Rela.Relocs,
			func(r elfobj.Reloc) bool { return r.Sym.String() == ".text.unlikely.elf_map.cold" })
	}, "module: elf_map.cold: no unwind data"},
	{"the site of a static call missing", func(m damaged) { m.drop(".static_call_sites", 8) }, "without an entry in .static_call_sites"},
	{"the key of another static call", func(m damaged) {
		m.reloc(m.klp(".static_call_sites"), ".klp.sym.vmlinux.__SCK__tp_func_sched_process_exec,0").Sym = m.livepatchSymbol("__SCK__tp_func_sched_process_fork,0")
	}, "calls __SCT__tp_func_sched_process_exec, and its key is __SCK__tp_func_sched_process_fork"},
	{"a new global function that is missing", func(m damaged) { m.symbol("livesplice_count").Bind = elf.STB_LOCAL }, "livesplice_count: new, but the module does not define it"},
}

// toLivepatch lets a reference to a section of the module go to a function of the running kernel.
func (m damaged) toLivepatch(from, to, symbol string, typ elf.R_X86_64) {
	m.t.Helper()
	plain := m.section(from).Rela
	r := *m.reloc(plain, to)
	plain.Relocs = slices.DeleteFunc(plain.Relocs, func(other elfobj.Reloc) bool { return other == r })
	r.Sym = m.livepatchSymbol(symbol)
	klp := m.Section(".klp.rela.vmlinux." + from)
	if klp == nil {
		klp = &elfobj.Section{Name: ".klp.rela.vmlinux." + from, Type: elf.SHT_RELA, Flags: elf.SHF_ALLOC | elf.SHF_INFO_LINK | elfobj.ShfRelaLivepatch,
			Align: 8, EntSize: 24, Applies: m.section(from)}
		m.Sections = append(m.Sections, klp)
	}
	klp.Relocs = append(klp.Relocs, r)
}

// dropListed makes the last entry of the list its end.
func (m damaged) dropListed(i int) {
	at, size := m.funcs()
	data := m.section(".data")
	from := at + uint64(i)*size
	clear(data.Data[from : from+size])
	data.Rela.Relocs = slices.DeleteFunc(data.Rela.Relocs, func(r elfobj.Reloc) bool { return r.Offset >= from && r.Offset < from+size })
	m.symbol("livesplice_funcs_vmlinux").Size = 4 * size
	binary.LittleEndian.PutUint64(data.Data[from:], 0)
}

// TestMutations damages the finished module in one place each: Verify must name it.
func TestMutations(t *testing.T) { mutated(t, finished(t), mutations) }

func mutated(t *testing.T, made *made, mutations []mutation) {
	for _, c := range mutations {
		t.Run(c.name, func(t *testing.T) {
			ko, err := elfobj.Read(bytes.Clone(made.ko))
			if err != nil {
				t.Fatal(err)
			}
			c.mutate(damaged{ko, t, made})
			data, err := ko.Write()
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Equal(data, made.ko) {
				t.Fatal("nothing was damaged")
			}
			err = link.Verify(data, made.units, made.k.Kernel)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

// TestVermagic holds the whole of vermagic against that of shipped modules, where it is known.
func TestVermagic(t *testing.T) {
	made := finished(t)
	k := made.k.Kernel
	k.Vermagic = k.Release + " SMP preempt mod_unload modversions "
	if err := link.Verify(made.ko, made.units, k); err != nil {
		t.Error(err)
	}
	k.Vermagic = k.Release + " SMP mod_unload modversions "
	if err := link.Verify(made.ko, made.units, k); err == nil || !strings.Contains(err.Error(), "the shipped kernel's is") {
		t.Errorf("got %v", err)
	}
}
