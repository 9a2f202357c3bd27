package vmlinux

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
)

// An Export is a symbol that the kernel offers to modules.
type Export struct {
	Name      string
	Addr      uint64 // as Symbol.Addr
	GPL       bool   // EXPORT_SYMBOL_GPL
	Namespace string // "" for none; "module:a,b" for EXPORT_SYMBOL_FOR_MODULES
}

// Exports is every export of the kernel, by name; none without CONFIG_MODULES. The slice is the image's own.
func (im *Image) Exports() []Export { return im.exports }

// Export is the export of that name.
func (im *Image) Export(name string) (Export, bool) {
	i, ok := slices.BinarySearchFunc(im.exports, name, func(e Export, name string) int { return cmp.Compare(e.Name, name) })
	if !ok {
		return Export{}, false
	}
	return im.exports[i], true
}

// gplOnly is KSYM_FLAG_GPL_ONLY of a byte in __kflagstab. Source: include/linux/module_symbol.h, v7.2.
const gplOnly = 1

// readExports reads the tables of struct kernel_symbol: __ksymtab and __ksymtab_gpl, or (7.2) one __ksymtab and a byte
// of flags for each entry in __kflagstab. Source: include/asm-generic/vmlinux.lds.h, v5.10, v6.1, v6.12, v7.2.
func (im *Image) readExports() error {
	plain, gpl, flags := im.table("__ksymtab"), im.table("__ksymtab_gpl"), im.table("__kflagstab")
	count, err := im.readKsymtab("__ksymtab", plain, false)
	if err != nil {
		return err
	}
	if len(flags.data) > 0 {
		if count != len(flags.data) {
			return fmt.Errorf("__kflagstab: %d flags for %d exports", len(flags.data), count)
		}
		for i, f := range flags.data {
			im.exports[i].GPL = f&gplOnly != 0
		}
	}
	if _, err = im.readKsymtab("__ksymtab_gpl", gpl, true); err != nil {
		return err
	}
	slices.SortFunc(im.exports, func(a, b Export) int { return cmp.Compare(a.Name, b.Name) })
	for i := 1; i < len(im.exports); i++ {
		if name := im.exports[i].Name; name == im.exports[i-1].Name {
			return fmt.Errorf("__ksymtab: %q is exported twice", name)
		}
	}
	return nil
}

// table is the bytes between __start_<name> and __stop_<name>, or the section of that name where kallsyms does not know
// these symbols, for want of CONFIG_KALLSYMS_ALL.
func (im *Image) table(name string) (t struct {
	addr uint64
	data []byte
}) {
	start, stop := im.Lookup("__start_"+name), im.Lookup("__stop_"+name)
	if len(start) == 1 && len(stop) == 1 && stop[0].Addr > start[0].Addr {
		if data, ok := im.Bytes(start[0].Addr, stop[0].Addr-start[0].Addr); ok {
			t.addr, t.data = start[0].Addr, data
			return t
		}
	}
	if s, ok := im.SectionByName(name); ok {
		t.addr, t.data = s.Addr, im.data(s)
	}
	return t
}

// ksymtabForms is struct kernel_symbol: value, name, namespace. With CONFIG_HAVE_ARCH_PREL32_RELOCATIONS (x86_64, arm64,
// s390, ...) each is 32 bits to add to its own address, else a pointer. Source: include/linux/export.h, v5.10, v6.1;
// include/linux/export-internal.h, v7.2.
var ksymtabForms = []struct {
	width int
	field func(addr uint64, field []byte) uint64
}{
	{4, func(addr uint64, field []byte) uint64 {
		if offset := int32(binary.LittleEndian.Uint32(field)); offset != 0 {
			return addr + uint64(int64(offset))
		}
		return 0 // assembler's exports have no namespace before 6.4
	}},
	{8, func(_ uint64, field []byte) uint64 { return binary.LittleEndian.Uint64(field) }},
}

// readKsymtab appends a table's entries, in the form in which all of them make sense.
func (im *Image) readKsymtab(name string, t struct {
	addr uint64
	data []byte
}, gpl bool) (count int, err error) {
	before := len(im.exports)
	for i, form := range ksymtabForms {
		size := 3 * form.width
		formErr := error(nil)
		if len(t.data)%size != 0 {
			formErr = fmt.Errorf("%s: %d bytes are no multiple of %d", name, len(t.data), size)
		}
		im.exports = slices.Grow(im.exports[:before], len(t.data)/size)
		for at := 0; at < len(t.data) && formErr == nil; at += size {
			var fields [3]uint64
			for j := range fields {
				place := at + j*form.width
				fields[j] = form.field(t.addr+uint64(place), t.data[place:])
			}
			e := Export{Addr: fields[0], GPL: gpl}
			var ok bool
			if e.Name, ok = im.cString(fields[1], maxNameLen); !ok || e.Name == "" {
				formErr = fmt.Errorf("%s: entry %d: no name at %#x", name, at/size, fields[1])
			} else if e.Namespace, ok = im.cString(fields[2], maxNamespace); !ok && fields[2] != 0 {
				formErr = fmt.Errorf("%s: entry %d: %q: no namespace at %#x", name, at/size, e.Name, fields[2])
			}
			im.exports = append(im.exports, e)
		}
		if formErr == nil {
			return len(im.exports) - before, nil
		}
		if i == 0 {
			err = formErr
		}
	}
	return 0, err
}

// maxNamespace bounds a namespace; the longest are lists of modules.
const maxNamespace = 4096
