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

// linkerTable is the bytes of a table that the linker collects, and their address; no bytes when the image has no such table.
type linkerTable struct {
	name string
	addr uint64
	data []byte
}

// readExports reads __ksymtab and __ksymtab_gpl, or (7.2) one __ksymtab and in __kflagstab a byte of flags for each
// entry. The other tables are 5.10's. Source: include/asm-generic/vmlinux.lds.h, v5.10, v6.1, v6.12, v7.2.
func (im *Image) readExports() error {
	for _, kind := range []struct {
		name string
		gpl  bool
	}{
		{"__ksymtab", false}, {"__ksymtab_gpl", true},
		{"__ksymtab_unused", false}, {"__ksymtab_unused_gpl", true}, {"__ksymtab_gpl_future", true},
	} {
		exports, err := im.readTable(im.table(kind.name))
		if err != nil {
			return err
		}
		if kind.name == "__ksymtab" {
			if err := setFlags(exports, im.table("__kflagstab").data); err != nil {
				return err
			}
		}
		for i := range exports {
			exports[i].GPL = exports[i].GPL || kind.gpl
		}
		im.exports = append(im.exports, exports...)
	}
	slices.SortFunc(im.exports, func(a, b Export) int { return cmp.Compare(a.Name, b.Name) })
	for i := 1; i < len(im.exports); i++ {
		if name := im.exports[i].Name; name == im.exports[i-1].Name {
			return fmt.Errorf("__ksymtab: %q is exported twice", name)
		}
	}
	return nil
}

// setFlags puts the bytes of __kflagstab to the exports, if there are any.
func setFlags(exports []Export, flags []byte) error {
	if len(flags) == 0 {
		return nil
	}
	if len(flags) != len(exports) {
		return fmt.Errorf("__kflagstab: %d flags for %d exports", len(flags), len(exports))
	}
	for i, f := range flags {
		exports[i].GPL = f&gplOnly != 0
	}
	return nil
}

// table is what lies between __start_<name> and __stop_<name>, or the section of that name where kallsyms does
// not know these symbols, for want of CONFIG_KALLSYMS_ALL.
func (im *Image) table(name string) linkerTable {
	start, stop := im.Lookup("__start_"+name), im.Lookup("__stop_"+name)
	if len(start) == 1 && len(stop) == 1 && stop[0].Addr > start[0].Addr {
		if data, ok := im.Bytes(start[0].Addr, stop[0].Addr-start[0].Addr); ok {
			return linkerTable{name, start[0].Addr, data}
		}
	}
	s, ok := im.SectionByName(name)
	if !ok {
		return linkerTable{name: name}
	}
	return linkerTable{name, s.Addr, im.data(s)}
}

// readTable reads an array of struct kernel_symbol: value, name and namespace. Under
// CONFIG_HAVE_ARCH_PREL32_RELOCATIONS (x86_64, arm64, s390, ...) each is 32 bits to add to the field's own address, else
// a 64-bit pointer. The table is of the one kind in which every entry makes sense.
// Source: include/linux/export.h, v5.10, v6.1; include/linux/export-internal.h, v7.2.
func (im *Image) readTable(t linkerTable) ([]Export, error) {
	exports, err := im.readEntries(t, 4, func(place uint64, field []byte) uint64 {
		offset := int32(binary.LittleEndian.Uint32(field))
		if offset == 0 {
			return 0 // an export from assembler in 6.1 has no namespace
		}
		return place + uint64(int64(offset))
	})
	if err == nil {
		return exports, nil
	}
	pointers, pointerErr := im.readEntries(t, 8, func(_ uint64, field []byte) uint64 {
		return binary.LittleEndian.Uint64(field)
	})
	if pointerErr == nil {
		return pointers, nil
	}
	return nil, fmt.Errorf("%s: %w", t.name, err)
}

// maxNamespace bounds a namespace; the longest are lists of modules.
const maxNamespace = 4096

// readEntries reads entries of three fields of so many bytes each, of which pointer makes an address.
func (im *Image) readEntries(t linkerTable, width int, pointer func(place uint64, field []byte) uint64) ([]Export, error) {
	size := 3 * width
	if len(t.data)%size != 0 {
		return nil, fmt.Errorf("%d bytes are no multiple of %d", len(t.data), size)
	}
	exports := make([]Export, 0, len(t.data)/size)
	for at := 0; at < len(t.data); at += size {
		field := func(i int) uint64 {
			place := at + i*width
			return pointer(t.addr+uint64(place), t.data[place:])
		}
		value, name, namespace := field(0), field(1), field(2)
		e := Export{Addr: value}
		var ok bool
		if e.Name, ok = im.cString(name, maxNameLen); !ok || e.Name == "" {
			return nil, fmt.Errorf("entry %d: no name at %#x", at/size, name)
		}
		if e.Namespace, ok = im.cString(namespace, maxNamespace); !ok && namespace != 0 {
			return nil, fmt.Errorf("entry %d: %q: no namespace at %#x", at/size, e.Name, namespace)
		}
		if _, ok = im.Section(value); !ok && len(im.At(value)) == 0 {
			return nil, fmt.Errorf("entry %d: %q: its value %#x lies outside the image", at/size, e.Name, value)
		}
		exports = append(exports, e)
	}
	return exports, nil
}
