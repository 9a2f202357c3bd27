package module

import (
	"debug/elf"
	"slices"
	"testing"

	"livesplice/kmod/elfobj"
	"livesplice/kmod/vmlinux"
)

func withInfo(name, modinfo string) *Image {
	return &Image{Name: name, obj: &elfobj.Object{Sections: []*elfobj.Section{{Name: ".modinfo", Data: []byte(modinfo)}}}}
}

func TestPermission(t *testing.T) {
	im := withInfo("kvm_intel", "license=GPL v2\x00import_ns=CRYPTO_INTERNAL\x00import_ns=DMA_BUF\x00")
	for namespace, want := range map[string]bool{"": true, "CRYPTO_INTERNAL": true, "DMA_BUF": true, "DMA": false, "CRYPTO": false,
		"module:kvm-intel": true, "module:nouveau,kvm-*": true, "module:nouveau": false, "module:kvm": false} {
		if got := im.HasNamespace(namespace); got != want {
			t.Errorf("namespace %q: %v, want %v", namespace, got, want)
		}
	}
	for license, want := range map[string]bool{"GPL": true, "Dual MIT/GPL": true, "GPL v2": true, "Proprietary": false, "": false, "GPL v3": false, "GPL\x00license=Proprietary": false, "GPL\x00license=Dual BSD/GPL": true} {
		if got := withInfo("x", "license="+license+"\x00").GPLCompatible(); got != want {
			t.Errorf("license %q: %v, want %v", license, got, want)
		}
	}
}

// TestHeld: what is imported weakly, defined here or exported by vmlinux holds no other module.
func TestHeld(t *testing.T) {
	im := withInfo("b", "")
	undefined := func(name string, bind elf.SymBind) *elfobj.Symbol { return &elfobj.Symbol{Name: name, Bind: bind} }
	im.obj.Symbols = []*elfobj.Symbol{undefined("of_a", elf.STB_GLOBAL), undefined("also_of_a", elf.STB_GLOBAL), undefined("of_c", elf.STB_WEAK),
		undefined("of_vmlinux", elf.STB_GLOBAL), undefined("of_none", elf.STB_GLOBAL), {Name: "of_d", Bind: elf.STB_GLOBAL, Section: im.obj.Sections[0]}}
	l := &Linked{Image: im, kernel: &vmlinux.Image{}, symvers: vmlinux.Symvers{"of_a": {Module: "x/a"}, "also_of_a": {Module: "x/a"}, "of_c": {Module: "x/c"},
		"of_vmlinux": {Module: "vmlinux"}, "of_d": {Module: "x/d"}}}
	if got, want := l.Held(), []string{"a"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
