package link_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"livesplice/kmod/elfobj"
	"livesplice/kmod/link"
	"livesplice/kmod/match"
	"livesplice/kmod/unit/objtest"
	"livesplice/kmod/vmlinux"
)

// elfFile is what readelf says of a file.
type elfFile struct {
	sections []elfSection
	symbols  []elfSymbol
	relocs   map[string][]elfReloc // by relocation section
}

type elfSection struct{ index, name, typ, flags, link, info string }
type elfSymbol struct{ name, bind, typ, index string }
type elfReloc struct{ offset, typ, symbol string }

var (
	sectionLine = regexp.MustCompile(`^  \[ *(\d+)\] (\S*) +(\S+) +[0-9a-f]{16} [0-9a-f]+ [0-9a-f]+ [0-9a-f]+ +(\w*) +(\d+) +(\d+) +\d+$`)
	symbolLine  = regexp.MustCompile(`^ +\d+: [0-9a-f]{16} +\S+ (\S+) +(\S+) +\S+ +(UND|ABS|COM|\d+|OS \[0x[0-9a-f]+\]) ?(\S*)$`)
	relocLine   = regexp.MustCompile(`^([0-9a-f]{16})  [0-9a-f]{16} (R_\S+) +[0-9a-f]{16} (.+)$`)
	relocHead   = regexp.MustCompile(`^Relocation section '(.*)' at offset`)
)

func readelf(t *testing.T, file []byte) elfFile {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file.ko")
	if err := os.WriteFile(path, file, 0o644); err != nil {
		t.Fatal(err)
	}
	f := elfFile{relocs: map[string][]elfReloc{}}
	in := ""
	for _, line := range strings.Split(objtest.Run(t, "binutils", "readelf", "-SsrW", path), "\n") {
		if m := sectionLine.FindStringSubmatch(line); m != nil {
			f.sections = append(f.sections, elfSection{m[1], m[2], m[3], m[4], m[5], m[6]})
		} else if m := symbolLine.FindStringSubmatch(line); m != nil {
			f.symbols = append(f.symbols, elfSymbol{m[4], m[2], m[1], m[3]})
		} else if m := relocHead.FindStringSubmatch(line); m != nil {
			in = m[1]
		} else if m := relocLine.FindStringSubmatch(line); m != nil {
			f.relocs[in] = append(f.relocs[in], elfReloc{m[1], m[2], m[3]})
		}
	}
	return f
}

func (f elfFile) section(index string) elfSection {
	i := slices.IndexFunc(f.sections, func(s elfSection) bool { return s.index == index })
	if i < 0 {
		return elfSection{}
	}
	return f.sections[i]
}

// TestConvert holds the form of a finished module against Documentation/livepatch/module-elf-format.rst, by readelf.
func TestConvert(t *testing.T) {
	made := finished(t)
	before, after := readelf(t, made.linked), readelf(t, made.ko)
	klp := 0
	for _, s := range after.sections {
		target, ok := strings.CutPrefix(s.name, ".klp.rela.vmlinux.")
		switch {
		case s.typ == "RELA" && (after.section(s.link).typ != "SYMTAB" || after.section(s.info).name == ""):
			t.Errorf("section %s: sh_link %s, sh_info %s", s.name, s.link, s.info)
		case ok:
			klp++
			if s.typ != "RELA" || s.flags != "AIo" || after.section(s.info).name != target {
				t.Errorf("section %s: %s, flags %s, for %s", s.name, s.typ, s.flags, after.section(s.info).name)
			}
		case strings.HasPrefix(s.name, ".debug"), s.name == ".comment":
			t.Errorf("section %s is left", s.name)
		}
	}
	if klp < 5 {
		t.Errorf("%d sections of livepatch relocations", klp)
	}
	names := map[string]int{}
	for _, y := range after.symbols {
		isKlp := strings.HasPrefix(y.name, ".klp.sym.")
		if isKlp != (y.index == "OS [0xff20]") || isKlp && (y.bind != "GLOBAL" || y.typ != "NOTYPE" || !regexp.MustCompile(`^\.klp\.sym\.vmlinux\.\w+,\d+$`).MatchString(y.name)) {
			t.Errorf("symbol %+v", y)
		}
		if names[y.name]++; isKlp && names[y.name] > 1 {
			t.Errorf("symbol %s: there are two", y.name)
		}
		if regexp.MustCompile(`^livesplice_u\d`).MatchString(y.name) {
			t.Errorf("symbol %s is left", y.name)
		}
	}
	for name, relocs := range after.relocs {
		for _, r := range relocs {
			if strings.HasPrefix(name, ".klp.rela.") != strings.HasPrefix(r.symbol, ".klp.sym.") {
				t.Errorf("section %s: relocation to %s", name, r.symbol)
			}
		}
	}
	if a, b := places(before), places(after); !slices.Equal(a, b) || len(a) < 300 {
		t.Errorf("%d relocations became %d: %v", len(a), len(b), differing(a, b))
	}
}

// places are section, offset and kind of all relocations, whichever section holds them, but for those of debug data.
func places(f elfFile) (out []string) {
	for name, relocs := range f.relocs {
		target := strings.TrimPrefix(strings.TrimPrefix(name, ".klp.rela.vmlinux."), ".rela")
		for _, r := range relocs {
			if !strings.HasPrefix(target, ".debug") {
				out = append(out, fmt.Sprintf("%s+%s %s", target, r.offset, r.typ))
			}
		}
	}
	slices.Sort(out)
	return out
}

func differing(a, b []string) (out []string) {
	for _, x := range a {
		if !slices.Contains(b, x) {
			out = append(out, x)
		}
	}
	return out
}

// sym is a symbol of vmlinux in a plan.
func sym(name string, addr uint64, pos int) link.Symbol {
	return link.Symbol{Binding: match.Binding{Place: vmlinux.Place{Object: vmlinux.Object, Name: name, SymPos: pos, Addr: addr}}, Patched: vmlinux.Object}
}

// TestConvertModule shows that what modules have is resolved with the module whose code refers to it, and what vmlinux has
// with the update.
func TestConvertModule(t *testing.T) {
	ko := objtest.Text(t, `
#include "kernel.h"
extern int own(int), imported(int), exported(int), hidden(int), other(int);
int f(int n) { return own(n) + imported(n) + exported(n) + hidden(n); }
int g(int n) { return other(n); }
`)
	late := func(object, patched string, s link.Symbol) link.Symbol {
		s.Object, s.Patched = object, patched
		return s
	}
	plan := &link.Plan{Symbols: map[string]link.Symbol{
		"own":      late("ext4", "ext4", sym("own", 0x10, 2)),
		"imported": late("jbd2", "ext4", sym("imported", 0x20, 0)),
		"other":    late("jbd2", "jbd2", sym("imported", 0x20, 0)),
		"exported": sym("exported", 0x1000, 0),
		"hidden":   sym("hidden", 0x3000, 0),
	}}
	if err := link.Convert(ko, plan, func(name string) (uint64, bool) { return 0x1000, name == "exported" }); err != nil {
		t.Fatal(err)
	}
	data, err := ko.Write()
	if err != nil {
		t.Fatal(err)
	}
	f := readelf(t, data)
	for section, want := range map[string][]string{
		".klp.rela.ext4..text.f":    {".klp.sym.ext4.own,2 - 4", ".klp.sym.jbd2.imported,0 - 4"},
		".klp.rela.jbd2..text.g":    {".klp.sym.jbd2.imported,0 - 4"},
		".klp.rela.vmlinux..text.f": {".klp.sym.vmlinux.hidden,0 - 4"},
		".rela.text.f":              {"__fentry__ - 4", "exported - 4"},
	} {
		var got []string
		for _, r := range f.relocs[section] {
			got = append(got, r.symbol)
		}
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", section, got, want)
		}
	}
	names := 0
	for _, y := range f.symbols {
		if y.name == ".klp.sym.jbd2.imported,0" {
			names++
		}
	}
	if names != 1 {
		t.Errorf("%d symbols for one place", names)
	}
}

// TestConvertSmall shows which undefined symbols become livepatch symbols.
func TestConvertSmall(t *testing.T) {
	ko := objtest.Text(t, `
#include "kernel.h"
extern int exported(int), guarded(int), hidden(int), hidden_alias(int), moved(int), own(int);
int f(int n) { return exported(n) + guarded(n) + hidden(n) + hidden_alias(n) + moved(n) + own(n) + hidden(n + 1); }
`, "-g")
	plan := &link.Plan{Symbols: map[string]link.Symbol{
		"exported":     sym("exported", 0x1000, 0),
		"guarded":      sym("guarded", 0x2000, 0),
		"hidden":       sym("hidden", 0x3000, 4),
		"hidden_alias": sym("hidden", 0x3000, 4),
		"moved":        sym("moved", 0x4000, 0),
	}}
	exported := func(name string) (uint64, bool) {
		addr, ok := map[string]uint64{"exported": 0x1000, "guarded": 0x2000, "moved": 0x4444}[name]
		return addr, ok && name != "guarded" // guarded is in a namespace
	}
	if err := link.Convert(ko, plan, exported); err != nil {
		t.Fatal(err)
	}
	data, err := ko.Write()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range readelf(t, data).relocs[".klp.rela.vmlinux..text.f"] {
		got = append(got, r.symbol)
	}
	want := []string{".klp.sym.vmlinux.guarded,0 - 4", ".klp.sym.vmlinux.hidden,4 - 4", ".klp.sym.vmlinux.hidden,4 - 4", ".klp.sym.vmlinux.moved,0 - 4", ".klp.sym.vmlinux.hidden,4 - 4"}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	got = nil
	for _, r := range readelf(t, data).relocs[".rela.text.f"] {
		got = append(got, r.symbol)
	}
	if want := []string{"__fentry__ - 4", "exported - 4", "own - 4"}; !slices.Equal(slices.Sorted(slices.Values(got)), want) {
		t.Errorf("got %q, want %q", got, want)
	}

	long := strings.Repeat("x", 128)
	ko = objtest.Text(t, "int "+long+"(void);\nint f(void) { return "+long+"(); }\n")
	err = link.Convert(ko, &link.Plan{Symbols: map[string]link.Symbol{long: sym(long, 0, 0)}}, exported)
	if want := fmt.Sprintf("symbol %q: livepatch cannot resolve names of more than 127 characters", long); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// TestUnsplit undoes what Convert does to relocations.
func TestUnsplit(t *testing.T) {
	ko, err := elfobj.Read(finished(t).ko)
	if err != nil {
		t.Fatal(err)
	}
	link.Unsplit(ko)
	for _, s := range ko.Sections {
		if s.Flags&elfobj.ShfRelaLivepatch != 0 {
			t.Errorf("section %s is left", s.Name)
		}
		if !slices.IsSortedFunc(s.Relocs, func(a, b elfobj.Reloc) int { return int(a.Offset) - int(b.Offset) }) {
			t.Errorf("section %s is not sorted", s.Name)
		}
	}
}

// FuzzVerify damages the finished module anywhere.
func FuzzVerify(f *testing.F) {
	made, err := shippedModule()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(uint32(0), []byte{0x7f})
	f.Add(uint32(0x28), []byte{0, 0, 0, 0})
	for at := 0; at < len(made.ko); at += len(made.ko) / 64 {
		f.Add(uint32(at), []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	}
	f.Fuzz(func(t *testing.T, at uint32, patch []byte) {
		data := slices.Clone(made.ko)
		copy(data[int(at)%len(data):], patch)
		if err := link.Verify(data, made.units, made.k.Kernel); err != nil && err.Error() == "" {
			t.Error("an error without text")
		}
	})
}
