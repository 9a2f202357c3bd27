package rebuild

import (
	"context"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"livesplice/kmod/module"
)

// Kind is what a source file is to the kernel's build.
type Kind int

// The kinds of files. Only the first three are units that an update can replace code of.
const (
	Invalid       Kind = iota
	BuiltIn            // linked into vmlinux
	Library            // in a lib.a of which vmlinux takes what it needs
	InModule           // linked into a module
	Separate           // of a program of its own: vdso, boot loader part, realmode, purgatory, programs of the build host
	NotBuilt           // a .c or .S file that this configuration leaves out
	Header             // .h, or a .c that a .h includes: what it changes is up to the units that include it
	Assembly           // .S
	Generated          // what the build makes other sources, a linker script or one of its own programs from; known for finished builds
	Kconfig            // changes the configuration
	Makefile           // changes how other files are built
	Documentation      // changes nothing
	Other              // anything else
)

var kindNames = [...]string{"invalid", "built-in", "library", "module", "separate", "not built", "header", "assembly", "generated",
	"kconfig", "makefile", "documentation", "other"}

func (k Kind) String() string {
	if k < 0 || int(k) >= len(kindNames) {
		return kindNames[Invalid]
	}
	return kindNames[k]
}

// Owner is one place that a source file ends up in.
type Owner struct {
	File   string // as asked
	Kind   Kind
	Unit   string // the object as kbuild names it, for Compile: "fs/namei.o"; "" for kinds that are not units
	Source string // the unit's .c: File, or one that includes File; "" for kinds that are not units
	// Of a finished build, Assembly, Separate and Generated have a Unit and its Source too, for Same. Where what is generated
	// left no command, Unit is "" and Source is the Makefile.
	Target string // "vmlinux", or the module as lsmod shows it; "" for kinds that are not units
	Module string // the .ko relative to a kernel's module folder: "fs/ext4/ext4.ko"; "" for vmlinux
}

// Owner says for each file (relative to the source tree) what the build makes of it, in the order of files. A file
// that is in several modules, or that units include, has several owners; each file has one at least. The
// answers are kbuild's: its Makefiles are evaluated as it does itself, from the top folder down.
func (t *Tree) Owner(ctx context.Context, files []string) ([]Owner, error) {
	var owners []Owner
	for _, f := range files {
		if !filepath.IsLocal(f) || path.Clean(f) != f {
			return nil, fmt.Errorf("file %q: not a path inside the source tree", f)
		}
		found, err := t.units.ownersOf(ctx, f)
		if err != nil {
			return nil, err
		}
		owners = append(owners, found...)
	}
	return owners, nil
}

func (t *prepared) ownersOf(ctx context.Context, file string) ([]Owner, error) {
	kind := classify(file)
	switch {
	case kind == Other && !aside(file), strings.HasPrefix(file, "arch/x86/lib/") && path.Ext(file) == ".txt": // x86-opcode-map.txt
		return []Owner{{File: file, Kind: Generated, Source: path.Dir(file) + "/Makefile"}}, nil
	case kind != NotBuilt && kind != Assembly:
		return []Owner{{File: file, Kind: kind}}, nil
	}
	ix, err := t.owners(ctx)
	if err != nil {
		return nil, err
	}
	if kind == Assembly {
		if len(ix[stem(file)]) == 0 {
			kind = NotBuilt
		}
		return []Owner{{File: file, Kind: kind}}, nil
	}
	// A file can be a unit and be included by others as well: lib/zstd/common/debug.c, by a header for the boot loader part.
	includers, err := t.includers(ctx, file)
	if err != nil {
		return nil, err
	}
	owners := ix.units(file, file)
	for _, by := range includers {
		more := ix.units(file, by)
		if path.Ext(by) == ".h" {
			more = []Owner{{File: file, Kind: Header}}
		}
		for _, o := range more {
			if !slices.Contains(owners, o) { // several parts of the vdso are one owner
				owners = append(owners, o)
			}
		}
	}
	if len(owners) == 0 {
		owners = []Owner{{File: file, Kind: unbuilt(file)}}
	}
	return owners, nil
}

// units are the owners of file through the unit whose source is unit.
func (ix ownerIndex) units(file, unit string) []Owner {
	var owners []Owner
	for _, l := range ix[stem(unit)] {
		o := Owner{File: file, Kind: l.Kind}
		switch l.Kind {
		case BuiltIn, Library:
			o.Target = "vmlinux"
		case InModule:
			o.Module = l.Module
			o.Target = module.NameOf(l.Module)
		}
		if o.Target != "" {
			o.Unit, o.Source = l.Object, unit
		}
		owners = append(owners, o)
	}
	return owners
}

func stem(file string) string { return strings.TrimSuffix(file, path.Ext(file)) }

// classify tells by the name what is no C source; for C source it is NotBuilt.
func classify(file string) Kind {
	base, ext := path.Base(file), path.Ext(file)
	top, _, _ := strings.Cut(file, "/")
	switch {
	case top == "Documentation" || top == "LICENSES" || ext == ".rst" || ext == ".txt" || ext == ".md":
		return Documentation
	case file == "MAINTAINERS" || file == "CREDITS" || file == "COPYING" || file == "README" || strings.HasPrefix(base, "README"):
		return Documentation
	case file == dotConfig || generatedHeader("/"+file): // of a build without O=
		return Kconfig
	case strings.HasPrefix(base, "."): // .gitignore, .clang-format
		return Documentation
	case top == "tools" || top == "scripts" || top == "samples" || top == "usr":
		if strings.HasPrefix(base, "Makefile") || strings.HasPrefix(base, "Kbuild") {
			return Makefile
		}
		return Separate
	case strings.HasPrefix(base, "Kconfig"):
		return Kconfig
	case strings.HasPrefix(base, "Makefile") || strings.HasPrefix(base, "Kbuild"):
		return Makefile
	case ext == ".h":
		return Header
	case ext == ".S" && !strings.HasSuffix(file, ".lds.S"):
		return Assembly
	case ext == ".c":
		return NotBuilt
	}
	return Other
}

// aside knows files of kind Other that no kernel for x86 is made from: those of other architectures, device trees, and what a
// configuration can be begun with. Others are included (.def), or the build makes something from them (.tbl, .lds.S, .asn1).
func aside(file string) bool {
	if rest, ok := strings.CutPrefix(file, "arch/"); ok && !strings.HasPrefix(rest, "x86/") {
		return true
	}
	base := path.Base(file)
	return slices.Contains([]string{".dts", ".dtsi", ".config", ".yaml", ".yml"}, path.Ext(base)) || strings.HasSuffix(base, "_defconfig") ||
		base == "TODO" || base == "NOTES"
}

// ownPrograms are folders that the architecture's Makefile builds by rules of its own.
// Source: arch/x86/Makefile, arch/x86/entry/vdso/Makefile, arch/x86/realmode/Makefile, v6.1.
var ownPrograms = []string{"arch/x86/boot/", "arch/x86/entry/vdso/", "arch/x86/purgatory/", "arch/x86/realmode/rm/",
	"arch/x86/tools/", "arch/x86/um/", "drivers/firmware/efi/libstub/"}

func unbuilt(file string) Kind {
	for _, p := range ownPrograms {
		if strings.HasPrefix(file, p) {
			return Separate
		}
	}
	return NotBuilt
}
