package klpcore

import "strings"

// ownerTable says whether a section is a table of entries that belong to code, whose first reference is the place in it.
func ownerTable(name string) bool {
	switch name {
	case "__jump_table", "__bug_table", "__ex_table", ".altinstructions", ".static_call_sites", ".parainstructions", ".smp_locks",
		".retpoline_sites", ".return_sites", ".call_sites", ".cfi_sites", ".ibt_endbr_seal", ".kcfi_traps", "__mcount_loc",
		"__patchable_function_entries", ".orc_unwind", ".orc_unwind_ip", ".orc_header":
		return true
	}
	return false
}

// span is a range of bytes of a section.
type span struct {
	section  int
	off, end uint64
	table    string
}

// tables gives the references of table entries to the code that they belong to, and finds the places that the kernel itself
// writes to as the update is loaded: before any module that is loaded later can have its references filled in.
//
// Source: module_finalize, arch/x86/kernel/module.c; struct alt_instr, arch/x86/include/asm/alternative.h; struct paravirt_patch_site,
// arch/x86/include/asm/paravirt_types.h; struct jump_entry, include/linux/jump_label.h; struct static_call_site,
// include/linux/static_call_types.h; v5.10 to v7.2.
func (m *model) tables() {
	for i := range m.sections {
		s := &m.sections[i]
		if !ownerTable(s.name) || strings.HasPrefix(s.name, ".orc_") {
			continue
		}
		var list []field
		for _, f := range m.fields {
			if f.in == s {
				list = append(list, f)
			}
		}
		switch s.name {
		case "__jump_table":
			m.entries(s, list, 16)
			m.sites(s, list, 16, jump)
		case ".static_call_sites":
			m.sites(s, list, 8, call)
			m.entries(s, list, 8)
		case "__ex_table":
			m.entries(s, list, 12)
		case "__bug_table":
			m.byCode(list)
		case ".altinstructions":
			m.alternatives(s, list)
		case ".parainstructions":
			for _, f := range list {
				if f.off+9 < s.size {
					m.rewrites(f, fixed(uint64(s.data[f.off+9])))
				}
			}
		case ".smp_locks":
			m.sites(s, list, 4, fixed(1))
		case ".retpoline_sites":
			m.sites(s, list, 4, call)
		case ".return_sites", "__mcount_loc", "__patchable_function_entries":
			m.sites(s, list, 0, jump)
		case ".ibt_endbr_seal", ".cfi_sites":
			m.sites(s, list, 4, fixed(4))
		}
		// .call_sites has each call. The kernel writes to them where it counts their depth (retbleed=stuff), but not to one that is not
		// filled in: that leads to what is behind it, which has no padding in front. Source: patch_dest, arch/x86/kernel/callthunks.c, v6.12.
	}
}

// codeTarget is the place in code that a reference of a table names exactly.
func (m *model) codeTarget(f field) place {
	at := m.target(f)
	if y := m.symbols[f.sym]; y.typ != sttSection && at.section != 0 {
		at.off += uint64(f.addend)
	}
	return at
}

// length says how much of an instruction the kernel writes to, by the bytes that are there.
type length func(code []byte) uint64

func fixed(n uint64) length { return func([]byte) uint64 { return n } }

// jump is a jump, a return, or what stands in their place: of 5 bytes (jmp rel32, call rel32, a nop of 5 bytes) or of 2 at most.
func jump(code []byte) uint64 {
	switch code[0] {
	case 0xe8, 0xe9, 0x0f:
		return 5
	}
	return 2
}

// call is a call or jump to a thunk or trampoline: conditional ones and those with a prefix have 6 bytes.
func call(code []byte) uint64 {
	switch code[0] {
	case 0x0f, 0x2e:
		return 6
	}
	return 5
}

func (m *model) rewrites(f field, n length) {
	at := m.codeTarget(f)
	if d := m.sections[at.section].data; at.section != 0 && at.off < uint64(len(d)) {
		m.rewritten = append(m.rewritten, span{at.section, at.off, at.off + n(d[at.off:]), f.in.name})
	}
}

// sites are those of entries of a size (0: any) whose first reference is the place.
func (m *model) sites(s *section, list []field, size uint64, n length) {
	for _, f := range list {
		if size == 0 || f.off%size == 0 {
			m.rewrites(f, n)
		}
	}
}

// entries adds, for entries of a fixed size, the references of each to the item that its first one names.
func (m *model) entries(s *section, list []field, size uint64) {
	var owner *item
	for _, f := range list {
		it := m.itemAt(m.target(f))
		if f.off%size == 0 {
			owner = it
		} else if owner != nil && it != nil && owner != it {
			owner.to = append(owner.to, it)
		}
	}
}

// byCode does that for entries that begin with a reference to code.
func (m *model) byCode(list []field) {
	var owner *item
	for _, f := range list {
		at := m.target(f)
		it := m.itemAt(at)
		switch {
		case at.section != 0 && m.sections[at.section].exec():
			owner = it
		case owner != nil && it != nil:
			owner.to = append(owner.to, it)
		}
	}
}

// alternatives reads struct alt_instr: two relative references, then number and flags of a feature, the lengths of the code that is
// there and of that which replaces it. v6.3 made flags of 16 bits a field of 32.
func (m *model) alternatives(s *section, list []field) {
	if len(list)%2 != 0 {
		m.fail("section %q: %d references, want two an entry", s.name, len(list))
		return
	}
	for i := 0; i < len(list); i += 2 {
		stride := s.size - list[i].off
		if i+2 < len(list) {
			stride = list[i+2].off - list[i].off
		}
		if stride < 12 || list[i+1].off != list[i].off+4 || list[i].off+stride > s.size {
			m.fail("section %q: entry %d: %d bytes", s.name, i/2, stride)
			return
		}
		lengths := list[i].off + 10
		if stride >= 14 {
			lengths += 2
		}
		m.rewrites(list[i], fixed(uint64(s.data[lengths])))
		m.rewrites(list[i+1], fixed(uint64(s.data[lengths+1])))
		owner, by := m.itemAt(m.target(list[i])), m.itemAt(m.target(list[i+1]))
		if owner != nil && by != nil && s.data[lengths+1] > 0 && owner != by {
			owner.to = append(owner.to, by)
		}
	}
}

// readOnce finds fields that are filled in late where the kernel has looked, or written, before.
func (m *model) readOnce() {
	for _, f := range m.fields {
		switch {
		case f.in.name == ".data..percpu" && (f.late() || !m.kernel.relocatesPerCPU()):
			m.fail("%s+%#x: the copies for the CPUs are made before this reference is filled in, or it never is", f.in.name, f.off)
		case !f.late():
		case !plain(f.in):
			m.fail("section %q: %s: the kernel reads the section as the update is loaded, before %s is", f.in.name, f.symbol, f.object)
		case strings.HasPrefix(f.in.name, ".init"), strings.HasPrefix(f.in.name, ".data..init"):
			m.fail("%s+%#x: %s: freed once the update is loaded", f.in.name, f.off, f.symbol)
		}
		for _, r := range m.rewritten {
			if f.late() && r.section == f.in.index && f.off < r.end && f.off+f.size > r.off {
				m.fail("%s+%#x: %s: the kernel writes to the same instruction for %s, before %s is loaded", f.in.name, f.off, f.symbol, r.table, f.object)
			}
		}
	}
}
