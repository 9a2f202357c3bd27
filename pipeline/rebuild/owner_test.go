package rebuild

import (
	"bufio"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"livesplice/pkgfmt"
)

func TestOwner(t *testing.T) {
	s := shippedTree(t)
	for _, tc := range []struct {
		file string
		want []Owner // without File
	}{
		{"fs/namei.c", []Owner{{Kind: BuiltIn, Unit: "fs/namei.o", Source: "fs/namei.c", Target: "vmlinux"}}},
		{"arch/x86/kernel/head64.c", []Owner{{Kind: BuiltIn, Unit: "arch/x86/kernel/head64.o", Source: "arch/x86/kernel/head64.c", Target: "vmlinux"}}},
		{"arch/x86/entry/vdso/vma.c", []Owner{{Kind: BuiltIn, Unit: "arch/x86/entry/vdso/vma.o", Source: "arch/x86/entry/vdso/vma.c", Target: "vmlinux"}}},
		{"lib/string.c", []Owner{{Kind: Library, Unit: "lib/string.o", Source: "lib/string.c", Target: "vmlinux"}}},
		// Included by another unit.
		{"kernel/sched/rt.c", []Owner{{Kind: BuiltIn, Unit: "kernel/sched/build_policy.o", Source: "kernel/sched/build_policy.c", Target: "vmlinux"}}},
		{"mm/percpu-vm.c", []Owner{{Kind: BuiltIn, Unit: "mm/percpu.o", Source: "mm/percpu.c", Target: "vmlinux"}}},
		// A unit, and included by a header; a unit that includes itself.
		{"lib/zstd/common/debug.c", []Owner{{Kind: BuiltIn, Unit: "lib/zstd/common/debug.o", Source: "lib/zstd/common/debug.c", Target: "vmlinux"}, {Kind: Header}}},
		{"kernel/locking/qspinlock.c", []Owner{{Kind: BuiltIn, Unit: "kernel/locking/qspinlock.o", Source: "kernel/locking/qspinlock.c", Target: "vmlinux"}}},
		// Modules: composite, of one object under another name, from folders without a Makefile of their own.
		{"fs/ext4/mballoc.c", []Owner{{Kind: InModule, Unit: "fs/ext4/mballoc.o", Source: "fs/ext4/mballoc.c", Target: "ext4", Module: "fs/ext4/ext4.ko"}}},
		{"sound/pci/hda/hda_intel.c", []Owner{{Kind: InModule, Unit: "sound/pci/hda/hda_intel.o", Source: "sound/pci/hda/hda_intel.c", Target: "snd_hda_intel", Module: "sound/pci/hda/snd-hda-intel.ko"}}},
		{"fs/xfs/libxfs/xfs_alloc.c", []Owner{{Kind: InModule, Unit: "fs/xfs/libxfs/xfs_alloc.o", Source: "fs/xfs/libxfs/xfs_alloc.c", Target: "xfs", Module: "fs/xfs/xfs.ko"}}},
		{"virt/kvm/kvm_main.c", []Owner{{Kind: InModule, Unit: "arch/x86/kvm/../../../virt/kvm/kvm_main.o", Source: "virt/kvm/kvm_main.c", Target: "kvm", Module: "arch/x86/kvm/kvm.ko"}}},
		// Programs of their own.
		{"arch/x86/boot/string.c", []Owner{{Kind: Separate}}},
		{"arch/x86/entry/vdso/vclock_gettime.c", []Owner{{Kind: Separate}}},
		{"lib/vdso/gettimeofday.c", []Owner{{Kind: Separate}}},
		{"drivers/firmware/efi/libstub/x86-stub.c", []Owner{{Kind: Separate}}},
		{"arch/x86/realmode/rm/wakemain.c", []Owner{{Kind: Separate}}},
		{"arch/x86/purgatory/purgatory.c", []Owner{{Kind: Separate}}},
		{"scripts/mod/modpost.c", []Owner{{Kind: Separate}}},
		{"kernel/bounds.c", []Owner{{Kind: NotBuilt}}},
		// Not built: another architecture, an option that is off, no such file.
		{"arch/arm/kernel/setup.c", []Owner{{Kind: NotBuilt}}},
		{"mm/nommu.c", []Owner{{Kind: NotBuilt}}},
		{"nowhere/x.c", []Owner{{Kind: NotBuilt}}},
		{"arch/arm/kernel/entry-common.S", []Owner{{Kind: NotBuilt}}},
		// No C source.
		{"include/linux/fs.h", []Owner{{Kind: Header}}},
		{"arch/x86/entry/entry_64.S", []Owner{{Kind: Assembly}}},
		{"fs/Kconfig", []Owner{{Kind: Kconfig}}},
		{"fs/Makefile", []Owner{{Kind: Makefile}}},
		{"scripts/Makefile.build", []Owner{{Kind: Makefile}}},
		{"Documentation/filesystems/vfs.rst", []Owner{{Kind: Documentation}}},
		{"MAINTAINERS", []Owner{{Kind: Documentation}}},
		// What a finished build tells more of.
		{"arch/x86/kernel/vmlinux.lds.S", []Owner{{Kind: Generated, Source: "arch/x86/kernel/Makefile"}}},
		{"arch/x86/entry/syscalls/syscall_64.tbl", []Owner{{Kind: Generated, Source: "arch/x86/entry/syscalls/Makefile"}}},
		{"arch/x86/lib/x86-opcode-map.txt", []Owner{{Kind: Generated, Source: "arch/x86/lib/Makefile"}}},
		{"lib/raid6/int.uc", []Owner{{Kind: Generated, Source: "lib/raid6/Makefile"}}},
		{"arch/arm/tools/syscall.tbl", []Owner{{Kind: Other}}},
		{"drivers/of/unittest-data/testcases.dts", []Owner{{Kind: Other}}},
		{"arch/x86/configs/x86_64_defconfig", []Owner{{Kind: Other}}},
		{"kernel/configs/tiny.config", []Owner{{Kind: Other}}},
		// A diff of two folders in which kernels were built.
		{".config", []Owner{{Kind: Kconfig}}},
		{"include/generated/autoconf.h", []Owner{{Kind: Kconfig}}},
		{"arch/x86/include/generated/asm/rwonce.h", []Owner{{Kind: Kconfig}}},
	} {
		t.Run(tc.file, func(t *testing.T) {
			got, err := s.tree.Owner(t.Context(), []string{tc.file})
			if err != nil {
				t.Fatal(err)
			}
			for i := range tc.want {
				tc.want[i].File = tc.file
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("got  %+v\nwant %+v", got, tc.want)
			}
		})
	}
	if _, err := s.tree.Owner(t.Context(), []string{"../etc/passwd"}); err == nil {
		t.Error("a path outside the tree has an owner")
	}
}

// TestEveryUnit holds the list against what is asked for one by one.
func TestEveryUnit(t *testing.T) {
	s := shippedTree(t)
	units, err := s.tree.EveryUnit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[Kind]int{}
	for i, u := range units {
		kinds[u.Kind]++
		if u.Unit == "" || u.Target == "" || (u.Module == "") != (u.Target == "vmlinux") {
			t.Errorf("%+v is not a unit", u)
		}
		if i%1000 == 0 {
			owners, err := s.tree.Owner(t.Context(), []string{u.File})
			if err != nil || !slices.Contains(owners, u) {
				t.Errorf("%+v is not among its file's owners %+v (%v)", u, owners, err)
			}
		}
	}
	if kinds[BuiltIn] < 2000 || kinds[Library] < 50 || kinds[InModule] < 8000 || len(kinds) != 3 {
		t.Errorf("units by kind: %v", kinds)
	}
	for _, want := range []Owner{
		{File: "fs/namei.c", Kind: BuiltIn, Unit: "fs/namei.o", Source: "fs/namei.c", Target: "vmlinux"},
		{File: "lib/string.c", Kind: Library, Unit: "lib/string.o", Source: "lib/string.c", Target: "vmlinux"},
		{File: "virt/kvm/kvm_main.c", Kind: InModule, Unit: "arch/x86/kvm/../../../virt/kvm/kvm_main.o", Source: "virt/kvm/kvm_main.c", Target: "kvm", Module: "arch/x86/kvm/kvm.ko"},
	} {
		if !slices.Contains(units, want) {
			t.Errorf("%+v is not in the list", want)
		}
	}
}

// TestOwnersAgainstShippedModules compares the modules that the index knows with those that Debian ships, and with
// the list of what is built in.
func TestOwnersAgainstShippedModules(t *testing.T) {
	s := shippedTree(t)
	ix, err := s.tree.units.(*prepared).owners(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	known, builtin := map[string]bool{}, map[string]bool{}
	for stem, list := range ix {
		for _, l := range list {
			switch l.Kind {
			case InModule:
				known[l.Module] = true
			case BuiltIn, Library:
				builtin[stem] = true
			}
		}
	}
	ours := len(known)
	p, err := pkgfmt.Open(s.files.Image)
	if err != nil {
		t.Fatal(err)
	}
	prefix := "lib/modules/" + s.kernel.Release + "/"
	shippedCount, builtinCount := 0, 0
	err = p.Walk(t.Context(), func(e pkgfmt.Entry, r io.Reader) error {
		if ko, ok := strings.CutPrefix(e.Name, prefix+"kernel/"); ok && strings.HasSuffix(ko, ".ko") {
			shippedCount++
			if !known[ko] {
				t.Errorf("module %s is shipped, but the index does not have it", ko)
			}
			delete(known, ko)
		}
		if e.Name == prefix+"modules.builtin" {
			for in := bufio.NewScanner(r); in.Scan(); {
				builtinCount++
				stem := strings.TrimSuffix(strings.TrimPrefix(in.Text(), "kernel/"), ".ko")
				// A composite module has no source file of its own name.
				_, serr := os.Stat(filepath.Join(s.source.Dir, stem+".c"))
				if serr == nil && !builtin[stem] {
					t.Errorf("%s is built in, but the index does not have it", stem)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for ko := range known {
		t.Errorf("module %s is in the index, but not shipped", ko)
	}
	if shippedCount < 3000 || builtinCount < 100 {
		t.Errorf("compared with %d shipped modules and %d built in: too few to mean anything", shippedCount, builtinCount)
	}
	t.Logf("%d modules known, %d shipped, %d lines of modules.builtin", ours, shippedCount, builtinCount)
}
