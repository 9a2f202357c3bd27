package module

import (
	"debug/elf"
	"slices"
	"strings"
)

// Held are the other modules that are in memory whenever this one is: those from which a symbol that is not weak is
// imported. The loader takes a reference to each; it loads a module without what it imports weakly.
//
// Source: resolve_symbol and simplify_symbols, kernel/module/main.c, v5.10 to v7.2.
func (l *Linked) Held() (names []string) {
	for _, y := range l.obj.Symbols {
		if y.Section != nil || y.Shndx != elf.SHN_UNDEF || y.Bind == elf.STB_WEAK || y.Name == "" {
			continue
		}
		if owner := l.exporter(y.Name); owner != "" && !slices.Contains(names, owner) {
			names = append(names, owner)
		}
	}
	return names
}

// GPLCompatible says whether a module may use symbols that are exported for such only: all licenses that it names are.
//
// Source: license_is_gpl_compatible, include/linux/license.h, and read_symbols, scripts/mod/modpost.c, v5.10 to v7.2.
func (im *Image) GPLCompatible() bool {
	licenses := infos(im.obj, "license")
	return len(licenses) > 0 && !slices.ContainsFunc(licenses, func(license string) bool {
		switch license {
		case "GPL", "GPL v2", "GPL and additional rights", "Dual BSD/GPL", "Dual MIT/GPL", "Dual MPL/GPL":
			return false
		}
		return true
	})
}

// HasNamespace says whether a module may use symbols of a namespace: one that it imports, or, since Linux 6.16, one that
// names the module itself ("module:kvm-*,nouveau").
//
// Source: verify_namespace_is_imported, kernel/module/main.c, v5.10, v6.12 and v7.2.
func (im *Image) HasNamespace(namespace string) bool {
	if list, ok := strings.CutPrefix(namespace, "module:"); ok {
		return slices.ContainsFunc(strings.Split(list, ","), func(pattern string) bool {
			pattern = NameOf(strings.TrimSpace(pattern))
			prefix, glob := strings.CutSuffix(pattern, "*")
			return pattern == im.Name || glob && strings.HasPrefix(im.Name, prefix)
		})
	}
	return namespace == "" || slices.Contains(infos(im.obj, "import_ns"), namespace)
}
