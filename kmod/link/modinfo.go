package link

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"

	"livesplice/kmod/elfobj"
)

// Modinfo reads the key=value pairs of a module's .modinfo section.
func Modinfo(ko *elfobj.Object) map[string][]string {
	out := map[string][]string{}
	s := ko.Section(".modinfo")
	if s == nil {
		return out
	}
	for _, pair := range bytes.Split(s.Data, []byte{0}) {
		if k, v, ok := strings.Cut(string(pair), "="); ok {
			out[k] = append(out[k], v)
		}
	}
	return out
}

// modinfo checks what the loader and the livepatch core read of a module.
func modinfo(ko *elfobj.Object, k Kernel) error {
	info := Modinfo(ko)
	magic := strings.Join(info["vermagic"], "|")
	if k.Vermagic != "" && magic != k.Vermagic {
		return fmt.Errorf("module: vermagic %q, the shipped kernel's is %q", magic, k.Vermagic)
	}
	if release, _, _ := strings.Cut(magic, " "); release != k.Release {
		return fmt.Errorf("module: vermagic %q is not of kernel %s", magic, k.Release)
	}
	if strings.Join(info["livepatch"], "") != "Y" || strings.Join(info["license"], "") != "GPL" {
		return fmt.Errorf("module: livepatch=%v license=%v, expected Y and GPL", info["livepatch"], info["license"])
	}
	if d := strings.Join(info["depends"], ","); d != "" {
		return fmt.Errorf("module: depends on %s, which it would pin", d)
	}
	return nil
}

// versions checks that each symbol which the loader resolves is an export of the shipped kernel with the CRC that
// modpost wrote.
func versions(ko *elfobj.Object, k Kernel) (errs []error) {
	crcs := readVersions(ko)
	for _, s := range ko.Symbols {
		if !s.Undefined() || s.Name == "" {
			continue
		}
		e, ok := k.Export(s.Name)
		if !ok {
			errs = append(errs, fmt.Errorf("module: symbol %q: undefined, and the shipped kernel does not export it", s.Name))
			continue
		}
		if e.Namespace != "" {
			errs = append(errs, fmt.Errorf("module: symbol %q: exported in namespace %s", s.Name, e.Namespace))
		}
		if _, ok := crcs[s.Name]; !ok && k.Symvers[s.Name].CRC != 0 {
			errs = append(errs, fmt.Errorf("module: symbol %q: no CRC, the shipped kernel's is %#08x", s.Name, k.Symvers[s.Name].CRC))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(crcs)) {
		// One entry more than there are symbols: module_layout, which stands for the layout of struct module.
		if want, ok := k.Symvers[name]; !ok || want.CRC != crcs[name] {
			errs = append(errs, fmt.Errorf("module: symbol %q: CRC %#08x, the shipped kernel's is %#08x", name, crcs[name], want.CRC))
		}
	}
	return errs
}

// readVersions reads struct modversion_info: an unsigned long and a name, 64 bytes together.
//
// Source: include/linux/module.h, v5.10 to v7.0.
func readVersions(ko *elfobj.Object) map[string]uint32 {
	const size, nameOff = 64, 8
	out := map[string]uint32{}
	s := ko.Section("__versions")
	if s == nil {
		return out
	}
	for d := s.Data; len(d) >= size; d = d[size:] {
		name, _, _ := bytes.Cut(d[nameOff:size], []byte{0})
		out[string(name)] = binary.LittleEndian.Uint32(d)
	}
	return out
}
