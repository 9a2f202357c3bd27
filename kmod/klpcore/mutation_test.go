package klpcore_test

import (
	"bytes"
	"debug/elf"
	"slices"
	"strings"
	"testing"

	"livesplice/kmod/elfobj"
	"livesplice/kmod/klpcore"
)

// damaged is a finished module that a test damages in one place. Writing it is the maker's code; reading it is not.
type damaged struct {
	*elfobj.Object
	t *testing.T
}

const late = ".klp.rela.af_alg..text.af_alg_type_known"

func (m damaged) section(name string) *elfobj.Section {
	m.t.Helper()
	s := m.Section(name)
	if s == nil {
		m.t.Fatalf("no section %q", name)
	}
	return s
}

// livepatch makes a symbol that livepatch resolves.
func (m damaged) livepatch(name string) *elfobj.Symbol {
	s := &elfobj.Symbol{Name: ".klp.sym." + name, Bind: elf.STB_GLOBAL, Shndx: elfobj.ShnLivepatch}
	m.Symbols = append(m.Symbols, s)
	return s
}

// add has livepatch fill in a field of a section as an object is loaded.
func (m damaged) add(object, section string, off uint64, to *elfobj.Symbol) {
	in := m.section(section)
	m.Sections = append(m.Sections, &elfobj.Section{Name: ".klp.rela." + object + "." + section, Type: elf.SHT_RELA, Align: 8, EntSize: 24,
		Flags: elf.SHF_ALLOC | elf.SHF_INFO_LINK | elfobj.ShfRelaLivepatch, Applies: in, Relocs: []elfobj.Reloc{{Offset: off, Type: 2, Sym: to, Addend: -4}}})
}

// without takes the ordinary relocation of a field away.
func (m damaged) without(section string, off uint64) elfobj.Reloc {
	m.t.Helper()
	r := m.section(section).Rela
	i := slices.IndexFunc(r.Relocs, func(r elfobj.Reloc) bool { return r.Offset == off })
	if i < 0 {
		m.t.Fatalf("no relocation of %q at %#x", section, off)
	}
	gone := r.Relocs[i]
	r.Relocs = slices.Delete(slices.Clone(r.Relocs), i, i+1)
	return gone
}

// edit changes the only occurrence of old in a section to a text of the same length.
func (m damaged) edit(section, old, new string) {
	m.t.Helper()
	s := m.section(section)
	if bytes.Count(s.Data, []byte(old)) != 1 || len(old) != len(new) {
		m.t.Fatalf("%q is %d times in %q", old, bytes.Count(s.Data, []byte(old)), section)
	}
	s.Data = bytes.Replace(s.Data, []byte(old), []byte(new), 1)
}

// objects are where the module's struct klp_object is, in .data, and how large one is.
const objects, objectSize = 0xe0, 168

var mutations = []struct {
	name string
	edit func(m damaged)
	want string
}{
	{"another object in the list", func(m damaged) { m.edit(".rodata.str1.1", "af_alg\x00", "af_alh\x00") }, "never written, since af_alg is none of the update's objects"},
	{"an object twice", func(m damaged) {
		first := m.without(".data", objects)
		for i, r := range m.section(".data").Rela.Relocs {
			if r.Offset == objects+objectSize {
				m.section(".data").Rela.Relocs[i].Addend = first.Addend
			}
		}
		first.Offset = objects
		m.section(".data").Rela.Relocs = append(m.section(".data").Rela.Relocs, first)
	}, `object "af_alg": twice`},
	{"an object less at the end", func(m damaged) {
		for _, off := range []uint64{0, 8, 40} {
			m.without(".data", objects+objectSize+off)
		}
	}, "array of struct klp_object can be read in 0 ways"},
	{"entries of another size than the kernel's", func(m damaged) { m.Symbol("livesplice_objects").Size = 2 * objectSize }, "array of struct klp_object can be read in 0 ways"},
	{"an array without functions", func(m damaged) { m.without(".data", objects+8) }, "array of struct klp_object can be read in 0 ways"},
	{"a function without a name", func(m damaged) { m.without(".data", 0x2e0) }, "function 0: no name"},
	{"data for a function", func(m damaged) {
		for i, r := range m.section(".data").Rela.Relocs {
			if r.Offset == 0x2e8 {
				m.section(".data").Rela.Relocs[i].Sym = m.Symbol("livesplice_patch")
			}
		}
	}, `the new one is in ".data"`},
	{"another function", func(m damaged) { m.edit(".rodata.str1.1", "hash_bind\x00", "hash_bine\x00") }, "hash_bine of algif_hash, position 0: while it is loading: there is none"},
	{"a position that there is not", func(m damaged) { m.section(".data").Data[0x2e0+16] = 2 }, "hash_bind of algif_hash, position 2: while it is loading: there are 1"},
	{"nobody clears", func(m damaged) { m.without(".data", objects+40) }, "this kernel does not clear what it writes, and no callback does: when af_alg is loaded again, it is refused"},
	{"two that look like the patch", func(m damaged) {
		d := m.section(".data")
		d.Rela.Relocs = append(d.Rela.Relocs, elfobj.Reloc{Offset: 0x40, Type: 1, Sym: m.Symbol("__this_module")}, elfobj.Reloc{Offset: 0x48, Type: 1, Sym: m.Symbol("__this_module")})
	}, "2 places look like its struct klp_patch, want one"},

	{"resolved with the update", func(m damaged) { m.section(late).Name = ".klp.rela.vmlinux..text.af_alg_type_known" }, "the kernel refuses symbols of vmlinux as a module is loaded, and need not find those of modules as the update is"},
	{"resolved with a module that is none of the objects", func(m damaged) { m.section(late).Name = ".klp.rela.minix..text.af_alg_type_known" }, "never written, since minix is none of the update's objects"},
	{"named for another section", func(m damaged) { m.section(late).Name = ".klp.rela.af_alg..text.hash_bind" }, `is for section ".text.af_alg_type_known"`},
	{"without a section in the name", func(m damaged) { m.section(late).Name = ".klp.rela.af_alg" }, "the kernel does not find an object"},
	{"an object of 56 characters", func(m damaged) {
		m.section(late).Name = ".klp.rela." + strings.Repeat("a", 56) + "..text.af_alg_type_known"
	}, "the kernel does not find an object of at most 55 characters"},
	{"not kept in memory", func(m damaged) { m.section(late).Flags &^= elf.SHF_ALLOC }, "not loaded, so that it is gone when af_alg comes"},
	{"taken for ordinary ones", func(m damaged) { m.section(late).Flags &^= elfobj.ShfRelaLivepatch }, "without SHF_RELA_LIVEPATCH"},
	{"an ordinary symbol among livepatch's", func(m damaged) { m.section(late).Relocs[0].Sym = m.Symbol("hash_bind") }, "livepatch symbols belong into livepatch relocations, others do not"},
	{"a livepatch symbol among ordinary ones", func(m damaged) { m.section(".text.hash_bind").Rela.Relocs[1].Sym = m.section(late).Relocs[0].Sym }, "livepatch symbols belong into livepatch relocations, others do not"},
	{"a symbol of vmlinux with a module", func(m damaged) { m.section(late).Relocs[0].Sym = m.livepatch("vmlinux.text_poke,0") }, "the kernel refuses symbols of vmlinux as a module is loaded"},
	{"a symbol of a module that need not be there", func(m damaged) { m.section(late).Relocs[0].Sym = m.livepatch("algif_hash.hash_bind,0") },
		"looked up as af_alg is loaded, which does not hold algif_hash"},
	{"a symbol that there is not", func(m damaged) { m.section(late).Relocs[0].Sym = m.livepatch("af_alg.alg_type,0") }, "alg_type of af_alg, position 0: while it is loading: there is none"},
	{"another position", func(m damaged) { m.section(late).Relocs[0].Sym = m.livepatch("af_alg.alg_types,2") }, "alg_types of af_alg, position 2: while it is loading: there are 1"},
	{"a name without a position", func(m damaged) { m.section(late).Relocs[0].Sym = m.livepatch("af_alg.alg_types") }, "the kernel does not understand the name"},
	{"a name that is too long", func(m damaged) {
		m.section(late).Relocs[0].Sym = m.livepatch("af_alg." + strings.Repeat("a", 512) + ",0")
	}, "longer than the kernel reads"},

	{"written twice by livepatch", func(m damaged) { s := m.section(late); s.Relocs = append(s.Relocs, s.Relocs[0]) }, "written by"},
	{"written by two objects", func(m damaged) {
		m.add("algif_hash", ".text.af_alg_type_known", m.section(late).Relocs[0].Offset, m.livepatch("algif_hash.hash_bind,0"))
	}, "written by"},
	{"written by livepatch and by the loader", func(m damaged) {
		s := m.section(".text.af_alg_type_known").Rela
		s.Relocs = append(s.Relocs, elfobj.Reloc{Offset: m.section(late).Relocs[0].Offset + 2, Type: 2, Sym: m.Symbol("hash_bind")})
	}, "written by"},
	{"a field that is not empty", func(m damaged) {
		s := m.section(late)
		s.Applies.Data[s.Relocs[0].Offset] = 1
	}, "to be relocated and not empty"},
	{"outside of the section", func(m damaged) { m.section(late).Relocs[0].Offset = 1 << 20 }, "is outside of"},
	{"a kind that the kernel does not know", func(m damaged) { m.section(late).Relocs[0].Type = 9 }, "relocation of kind 9"},
	{"that writes nothing", func(m damaged) { m.section(late).Relocs[0].Type = 0 }, "that writes nothing"},

	{"in a function of vmlinux's part", func(m damaged) {
		r := m.without(".text", m.section(".text").Rela.Relocs[1].Offset)
		m.add("af_alg", ".text", r.Offset, m.livepatch("af_alg.alg_types,0"))
	}, "can be used as soon as the update is loaded, without it: livesplice_unloaded"},
	{"in the init function", func(m damaged) {
		r := m.without(".init.text", m.section(".init.text").Rela.Relocs[0].Offset)
		m.add("af_alg", ".init.text", r.Offset, m.livepatch("af_alg.alg_types,0"))
	}, "freed once the update is loaded"},
	{"called from what runs without the module", func(m damaged) { m.section(".text").Rela.Relocs[1].Sym = m.Symbol("af_alg_type_known") },
		"without it: livesplice_unloaded -> af_alg_type_known"},
	{"called without a relocation", func(m damaged) {
		// Both in one section, as where the linker puts the functions of a module together.
		text, old := m.section(".text"), m.section(".text.af_alg_type_known")
		i := slices.IndexFunc(text.Rela.Relocs, func(r elfobj.Reloc) bool { return r.Type == 4 && text.Data[r.Offset-1] == 0xe8 })
		call := m.without(".text", text.Rela.Relocs[i].Offset).Offset
		base := uint64(len(text.Data))
		text.Data = append(text.Data, old.Data...)
		for _, r := range old.Rela.Relocs {
			r.Offset += base
			text.Rela.Relocs = append(text.Rela.Relocs, r)
		}
		s := m.section(late)
		for i := range s.Relocs {
			s.Relocs[i].Offset += base
		}
		s.Name, s.Applies = ".klp.rela.af_alg..text", text
		y := m.Symbol("af_alg_type_known")
		y.Section, y.Value = text, base
		to := uint32(base - call - 4)
		copy(text.Data[call:], []byte{byte(to), byte(to >> 8), byte(to >> 16), byte(to >> 24)})
	}, "without it: livesplice_unloaded -> af_alg_type_known"},
	{"over the call that ftrace makes a nop", func(m damaged) {
		m.without(".text.hash_bind", 1)
		m.add("algif_hash", ".text.hash_bind", 1, m.livepatch("algif_hash.hash_bind,0"))
	}, "the kernel writes to the same instruction for __mcount_loc"},
	{"in a table that the kernel reads at once", func(m damaged) {
		m.section(".return_sites").Rela.Relocs = m.section(".return_sites").Rela.Relocs[1:]
		m.add("af_alg", ".return_sites", 0, m.livepatch("af_alg.alg_types,0"))
	}, "the kernel reads the section as the update is loaded, before af_alg is"},
	{"in a per-CPU variable", func(m damaged) {
		m.Sections = append(m.Sections, &elfobj.Section{Name: ".data..percpu", Type: elf.SHT_PROGBITS, Flags: elf.SHF_ALLOC | elf.SHF_WRITE, Align: 8, Data: make([]byte, 8)})
		m.add("af_alg", ".data..percpu", 0, m.livepatch("af_alg.alg_types,0"))
	}, "the copies for the CPUs are made before this reference is filled in"},
	{"no livepatch", func(m damaged) { m.edit(".modinfo", "livepatch=Y", "livepatch=N") }, `modinfo livepatch=["N"], want Y`},
}

// TestMutations damages a finished module in one place each.
func TestMutations(t *testing.T) {
	file := read(t, "new-export-of-module")
	for _, c := range mutations {
		t.Run(c.name, func(t *testing.T) {
			o, err := elfobj.Read(bytes.Clone(file))
			if err != nil {
				t.Fatal(err)
			}
			c.edit(damaged{o, t})
			ko, err := o.Write()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := klpcore.Check(ko, newFacts().kernel()); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v\nwant %s", err, c.want)
			}
		})
	}
	t.Run("none", func(t *testing.T) {
		o, err := elfobj.Read(bytes.Clone(file))
		if err != nil {
			t.Fatal(err)
		}
		ko, err := o.Write()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := klpcore.Check(ko, newFacts().kernel()); err != nil {
			t.Error(err)
		}
	})
}
