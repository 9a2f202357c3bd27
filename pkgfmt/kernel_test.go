package pkgfmt

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"livesplice/pipeline/cache"
)

const (
	sampleRelease  = "6.1.0-54-amd64"
	sampleCompiler = "gcc-12 (Debian 12.2.0-14+deb12u1) 12.2.0"
	sampleLinker   = "GNU ld (GNU Binutils for Debian) 2.40"
	sampleVersion  = "#1 SMP PREEMPT_DYNAMIC Debian 6.1.190-1 (2026-10-16)"
	sampleBanner   = "Linux version " + sampleRelease + " (debian-kernel@lists.debian.org) (" + sampleCompiler + ", " + sampleLinker + ") " + sampleVersion
)

// kernelParts are the files of a kernel in three packages, as Debian lays them out.
type kernelParts struct{ image, headers, common map[string]string }

func sampleKernel(t testing.TB) kernelParts {
	t.Helper()
	vmlinux, err := os.ReadFile(linkImage(t, sampleBanner, "sha1"))
	if err != nil {
		t.Fatal(err)
	}
	config := "CONFIG_CC_VERSION_TEXT=\"" + sampleCompiler + "\"\nCONFIG_X86_64=y\n"
	h := "usr/src/linux-headers-" + sampleRelease + "/"
	return kernelParts{
		image: map[string]string{
			"boot/vmlinuz-" + sampleRelease:                                    string(makeBzImage(packLight(t, "xz", vmlinux))),
			"boot/config-" + sampleRelease:                                     config,
			"lib/modules/" + sampleRelease + "/kernel/fs/xfs/xfs.ko":           "\x7fELF the module xfs",
			"lib/modules/" + sampleRelease + "/kernel/sound/snd-hda-intel.ko":  "\x7fELF the module snd_hda_intel",
			"lib/modules/" + sampleRelease + "/kernel/net/packed.ko.xz":        string(tool(t, []byte("\x7fELF the module packed"), "xz", "--check=crc32")),
			"lib/modules/" + sampleRelease + "/kernel/net/packed-zst.ko.zst":   string(tool(t, []byte("\x7fELF the module packed_zst"), "zstd")),
			"lib/modules/" + sampleRelease + "/kernel/net/broken.ko.xz":        "\xfd7zXZ\x00 and no more",
			"lib/modules/" + sampleRelease + "/modules.builtin":                "kernel/fs/ext4/ext4.ko\n",
			"usr/share/doc/linux-image-" + sampleRelease + "/changelog.Debian": "text\n",
		},
		headers: map[string]string{
			h + ".config":                        config + "CONFIG_BUILD_SALT=\"x\"\n",
			h + "Makefile":                       "include /usr/src/linux-headers-6.1.0-54-common/Makefile\n",
			h + "Module.symvers":                 "0x00000000\tprintk\tvmlinux\tEXPORT_SYMBOL\t\n",
			h + "include/generated/utsrelease.h": "#define UTS_RELEASE \"" + sampleRelease + "\"\n",
			h + "include/generated/utsversion.h": "#define UTS_VERSION \"" + sampleVersion + "\"\n",
			h + "scripts":                        "-> ../../lib/linux-kbuild-6.1/scripts",
		},
		common: map[string]string{
			"usr/src/linux-headers-6.1.0-54-common/Makefile":               "VERSION = 6\n",
			"usr/src/linux-headers-6.1.0-54-common/include/linux/printk.h": "\n",
		},
	}
}

func (k kernelParts) debs(t testing.TB) []string {
	return []string{
		makeDeb(t, writeFiles(t, k.image), "linux-image-"+sampleRelease, "6.1.190-1", "xz"),
		makeDeb(t, writeFiles(t, k.headers), "linux-headers-"+sampleRelease, "6.1.190-1", "xz"),
		makeDeb(t, writeFiles(t, k.common), "linux-headers-6.1.0-54-common", "6.1.190-1", "xz"),
	}
}

func openCache(t testing.TB) *cache.Cache {
	t.Helper()
	c, err := cache.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// checkKernel compares all facts and the contents behind the paths.
func checkKernel(t *testing.T, k *Kernel, parts kernelParts) {
	t.Helper()
	got := []string{k.Release, k.Arch, k.Banner, k.Version, k.Compiler, k.Linker}
	want := []string{sampleRelease, "x86_64", sampleBanner, sampleVersion, sampleCompiler, sampleLinker}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	h := "usr/src/linux-headers-" + sampleRelease + "/"
	vmlinuz := parts.image["boot/vmlinuz-"+sampleRelease]
	vmlinux, err := Vmlinux([]byte(vmlinuz))
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		k.Vmlinuz: vmlinuz,
		k.Vmlinux: string(vmlinux),
		k.Config:  parts.headers[h+".config"],
		k.Symvers: parts.headers[h+"Module.symvers"],
		k.Headers + "/include/generated/utsrelease.h": parts.headers[h+"include/generated/utsrelease.h"],
		k.HeadersCommon + "/include/linux/printk.h":   "\n",
	} {
		if b, err := os.ReadFile(path); err != nil || string(b) != want {
			t.Errorf("%s: %d bytes, %v, want %d", path, len(b), err, len(want))
		}
		if !filepath.IsAbs(path) {
			t.Errorf("%s is not absolute", path)
		}
	}
	if out := string(tool(t, nil, "readelf", "-n", k.Vmlinux)); len(k.BuildID) != 20 || !strings.Contains(out, "Build ID: "+k.BuildID.String()) {
		t.Errorf("build ID %s, readelf says\n%s", k.BuildID, out)
	}
	checkModuleOf(t, k, "xfs")
	checkModuleOf(t, k, "snd_hda_intel")
	checkModuleOf(t, k, "packed")
	checkModuleOf(t, k, "packed_zst")
	for _, name := range []string{"none", "fs", "broken"} {
		var input *InputError
		if path, err := k.Module(t.Context(), name); !errors.As(err, &input) {
			t.Errorf("module %s: %s, %v, want an *InputError", name, path, err)
		}
	}
	checkEveryModule(t, k)
	builtin, err := k.ModulesBuiltin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(builtin); err != nil || string(b) != "kernel/fs/ext4/ext4.ko\n" {
		t.Errorf("%s: %q, %v", builtin, b, err)
	}
}

// checkEveryModule goes through the modules up to the one that is broken, and to the first.
func checkEveryModule(t *testing.T, k *Kernel) {
	t.Helper()
	seen := map[string]string{}
	err := k.EveryModule(t.Context(), func(name, path string, image []byte) error {
		if string(image) != "\x7fELF the module "+name {
			t.Errorf("module %s: %q", name, image)
		}
		seen[name] = path
		return nil
	})
	var input *InputError
	if !errors.As(err, &input) || !strings.Contains(err.Error(), "broken.ko.xz") {
		t.Errorf("a broken module: %v", err)
	}
	if want := "lib/modules/" + sampleRelease + "/kernel/fs/xfs/xfs.ko"; seen["xfs"] != want {
		t.Errorf("paths by name %q, want %q among them", seen, want)
	}
	calls := 0
	err = k.EveryModule(t.Context(), func(string, string, []byte) error {
		calls++
		return ErrStop
	})
	if err != nil || calls != 1 {
		t.Errorf("ended by ErrStop: %d calls, %v", calls, err)
	}
}

func checkModuleOf(t *testing.T, k *Kernel, name string) {
	t.Helper()
	path, err := k.Module(t.Context(), name)
	if err != nil {
		t.Error(err)
		return
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "\x7fELF the module "+name {
		t.Errorf("module %s: %q, %v", name, b, err)
	}
}

// TestModulePrecedence takes of modules of one name the one that modprobe takes, wherever it is given.
func TestModulePrecedence(t *testing.T) {
	parts := sampleKernel(t)
	lib := "lib/modules/" + sampleRelease + "/"
	parts.image[lib+"kernel/net/twice.ko"] = "the kernel's own"
	parts.image[lib+"extra/thrice.ko"] = "\x7fELF the module thrice"
	parts.image[lib+"kernel/net/thrice.ko"] = "the kernel's own"
	updates := writeFiles(t, map[string]string{
		lib + "updates/dkms/twice.ko.xz": string(tool(t, []byte("\x7fELF the module twice"), "xz", "--check=crc32")),
	})
	debs := parts.debs(t)
	for _, paths := range [][]string{append(debs, updates), append([]string{updates}, debs...)} {
		k, err := OpenKernel(t.Context(), openCache(t), paths)
		if err != nil {
			t.Fatal(err)
		}
		checkModuleOf(t, k, "twice")
		checkModuleOf(t, k, "thrice")
		checkModuleOf(t, k, "xfs")
	}
}

func TestOpenKernelFromDebs(t *testing.T) {
	parts := sampleKernel(t)
	debs := parts.debs(t)
	c := openCache(t)
	for _, order := range [][]int{{0, 1, 2}, {2, 1, 0}, {1, 2, 0}} {
		var paths []string
		for _, i := range order {
			paths = append(paths, debs[i])
		}
		k, err := OpenKernel(t.Context(), c, paths)
		if err != nil {
			t.Fatal(err)
		}
		checkKernel(t, k, parts)
		if k.PackageName != "linux-image-"+sampleRelease || k.PackageVersion != "6.1.190-1" {
			t.Errorf("package %q %q", k.PackageName, k.PackageVersion)
		}
	}
}

// countingStore counts what is made anew.
type countingStore struct {
	*cache.Cache
	fills int
}

func (s *countingStore) Dir(ctx context.Context, kind, key string, fill func(ctx context.Context, dir string) error) (string, error) {
	return s.Cache.Dir(ctx, kind, key, func(ctx context.Context, dir string) error {
		s.fills++
		return fill(ctx, dir)
	})
}

// A warm run unpacks nothing, wherever the packages lie.
func TestOpenKernelWarm(t *testing.T) {
	debs := sampleKernel(t).debs(t)
	c := openCache(t)
	if _, err := OpenKernel(t.Context(), c, debs); err != nil {
		t.Fatal(err)
	}
	moved := make([]string, len(debs))
	for i, deb := range debs {
		moved[i] = filepath.Join(t.TempDir(), "moved")
		if err := os.Rename(deb, moved[i]); err != nil {
			t.Fatal(err)
		}
	}
	s := &countingStore{Cache: c}
	k, err := OpenKernel(t.Context(), s, moved)
	if err != nil || s.fills != 0 {
		t.Fatalf("%d folders filled, %v", s.fills, err)
	}
	checkModuleOf(t, k, "xfs") // read from where the package is now
}

func TestOpenKernelFromFolders(t *testing.T) {
	parts := sampleKernel(t)
	all := maps.Clone(parts.image)
	maps.Copy(all, parts.headers)
	maps.Copy(all, parts.common)
	one := writeFiles(t, all)
	for _, paths := range [][]string{
		{one},
		{writeFiles(t, parts.headers), writeFiles(t, parts.image), writeFiles(t, parts.common)},
		{parts.debs(t)[0], writeFiles(t, parts.headers), writeFiles(t, parts.common)},
	} {
		k, err := OpenKernel(t.Context(), openCache(t), paths)
		if err != nil {
			t.Fatal(err)
		}
		checkKernel(t, k, parts)
	}
	t.Chdir(filepath.Dir(one)) // relative paths become absolute
	k, err := OpenKernel(t.Context(), openCache(t), []string{filepath.Base(one)})
	if err != nil {
		t.Fatal(err)
	}
	checkKernel(t, k, parts)
}

// Fedora and RHEL keep image, config and modules below /lib/modules, headers below /usr/src/kernels.
func TestOpenKernelFromRPMs(t *testing.T) {
	parts := sampleKernel(t)
	core, modules, devel := map[string]string{}, map[string]string{}, map[string]string{}
	lib := "lib/modules/" + sampleRelease + "/"
	for name, content := range parts.image {
		switch {
		case strings.HasPrefix(name, lib+"kernel/"):
			modules[name] = content
		case strings.HasPrefix(name, "boot/"):
			core[lib+strings.TrimSuffix(strings.TrimPrefix(name, "boot/"), "-"+sampleRelease)] = content
		case strings.HasPrefix(name, lib):
			core[name] = content
		}
	}
	for name, content := range parts.headers {
		devel[strings.Replace(name, "linux-headers-", "kernels/", 1)] = content
	}
	rpms := []string{
		makeRPM(t, writeFiles(t, devel), "kernel-devel", "6.1.0", "w1.zstdio"),
		makeRPM(t, writeFiles(t, core), "kernel-core", "6.1.0", "w1.xzdio"),
		makeRPM(t, writeFiles(t, modules), "kernel-modules-core", "6.1.0", "w1.gzdio"),
	}
	k, err := OpenKernel(t.Context(), openCache(t), rpms)
	if err != nil {
		t.Fatal(err)
	}
	if k.HeadersCommon != "" || !strings.HasSuffix(k.Headers, "usr/src/kernels/"+sampleRelease) {
		t.Errorf("headers %q, common %q", k.Headers, k.HeadersCommon)
	}
	checkModuleOf(t, k, "xfs")
	checkModuleOf(t, k, "packed")
	if builtin, err := k.ModulesBuiltin(t.Context()); err != nil || !isFile(builtin) {
		t.Errorf("modules.builtin %q, %v", builtin, err)
	}
	_, err = OpenKernel(t.Context(), openCache(t), rpms[1:])
	checkInputError(t, err, rpms[1], `file "`+rpms[1]+`": no kernel headers in it or in the others given, want also the package kernel-devel-`+sampleRelease)
	_, err = OpenKernel(t.Context(), openCache(t), rpms[:1])
	checkInputError(t, err, rpms[0], `file "`+rpms[0]+`": no kernel image (vmlinuz) in it, want also the package kernel-core-`+sampleRelease)
}

func TestOpenImageNeedsNoHeaders(t *testing.T) {
	debs := sampleKernel(t).debs(t)
	k, err := OpenImage(t.Context(), openCache(t), debs[:1])
	if err != nil {
		t.Fatal(err)
	}
	if k.Release != sampleRelease || k.Headers != "" || k.Symvers != "" || filepath.Base(k.Config) != "config-"+sampleRelease {
		t.Errorf("got %+v", k)
	}
}

func TestOpenKernelMissingPieces(t *testing.T) {
	parts := sampleKernel(t)
	debs := parts.debs(t)
	other := makeDeb(t, writeFiles(t, map[string]string{"usr/bin/x": ""}), "hello", "1", "xz")
	second := makeDeb(t, writeFiles(t, parts.image), "linux-image-"+sampleRelease, "6.1.190-2", "xz")
	empty := t.TempDir()
	for _, tt := range []struct {
		name, path, want string
		paths            []string
	}{
		{"no image", debs[1], "no kernel image (vmlinuz) in it or in the others given, want also the package linux-image-" + sampleRelease, debs[1:]},
		{"no headers", debs[0], "no kernel headers in it, want also the package linux-headers-" + sampleRelease, debs[:1]},
		{"common headers alone", debs[0], "no kernel headers in it or in the others given, want also the package linux-headers-" + sampleRelease, []string{debs[0], debs[2]}},
		{"two images", second, "a second kernel image, vmlinuz-" + sampleRelease + " after vmlinuz-" + sampleRelease + ", want one kernel at a time", []string{debs[0], second, debs[1]}},
		{"another package", other, "no part of a kernel in it (deb package hello), want a kernel's image, headers or modules", []string{debs[0], debs[1], other}},
		{"empty folder", empty, "no part of a kernel in it, want a kernel's image, headers or modules", []string{empty}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := OpenKernel(t.Context(), openCache(t), tt.paths)
			checkInputError(t, err, tt.path, `file "`+tt.path+`": `+tt.want)
		})
	}
	if _, err := OpenKernel(t.Context(), openCache(t), append(debs, debs...)); err != nil {
		t.Errorf("each package given twice: %v", err)
	}
	if _, err := OpenKernel(t.Context(), openCache(t), nil); err == nil {
		t.Error("no error without packages")
	}
}

// Each row changes one thing of a kernel whose parts belong together.
func TestOpenKernelMismatch(t *testing.T) {
	h := "usr/src/linux-headers-" + sampleRelease + "/"
	rename := func(m map[string]string, old, new string) {
		for name, content := range maps.Clone(m) {
			delete(m, name)
			m[strings.ReplaceAll(name, old, new)] = content
		}
	}
	for _, tt := range []struct {
		name   string
		change func(k kernelParts)
		part   int // which package the error names
		want   string
	}{
		{"headers of another release", func(k kernelParts) {
			k.headers[h+"include/generated/utsrelease.h"] = "#define UTS_RELEASE \"6.1.0-53-amd64\"\n"
		}, 1, "headers of release 6.1.0-53-amd64, want release 6.1.0-54-amd64 as of IMAGE"},
		{"headers of another build of that release", func(k kernelParts) {
			k.headers[h+"include/generated/utsversion.h"] = "#define UTS_VERSION \"#1 SMP PREEMPT_DYNAMIC Debian 6.1.190-2 (2026-10-20)\"\n"
		}, 1, "headers of the build #1 SMP PREEMPT_DYNAMIC Debian 6.1.190-2 (2026-10-20), want " + sampleVersion + " as of IMAGE"},
		{"the same before Linux 6.0", func(k kernelParts) {
			delete(k.headers, h+"include/generated/utsversion.h")
			k.headers[h+"include/generated/compile.h"] = "#define UTS_MACHINE \"x86_64\"\n#define UTS_VERSION \"#2\"\n"
		}, 1, "headers of the build #2, want " + sampleVersion + " as of IMAGE"},
		{"config of another compiler", func(k kernelParts) {
			k.headers[h+".config"] = "CONFIG_CC_VERSION_TEXT=\"gcc-14 (Debian 14.2.0-19) 14.2.0\"\n"
		}, 1, "config for the compiler gcc-14 (Debian 14.2.0-19) 14.2.0, want that for " + sampleCompiler + " as of IMAGE"},
		{"image under another name", func(k kernelParts) { rename(k.image, "vmlinuz-"+sampleRelease, "vmlinuz-6.1.0-53-amd64") },
			0, "vmlinuz-6.1.0-53-amd64 is of release 6.1.0-54-amd64, want release 6.1.0-53-amd64 as its name says"},
		{"config of another release", func(k kernelParts) { rename(k.image, "config-"+sampleRelease, "config-6.1.0-53-amd64") },
			0, "config of release 6.1.0-53-amd64, want release 6.1.0-54-amd64 as of IMAGE"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			parts := sampleKernel(t)
			tt.change(parts)
			debs := parts.debs(t)
			_, err := OpenKernel(t.Context(), openCache(t), debs)
			var mismatch *MismatchError
			want := `file "` + debs[tt.part] + `": ` + strings.ReplaceAll(tt.want, "IMAGE", debs[0])
			if !errors.As(err, &mismatch) || err.Error() != want {
				t.Errorf("error %v\nwant  %s", err, want)
			}
		})
	}
	parts := sampleKernel(t)
	debs := parts.debs(t)
	var mismatch *MismatchError
	newer := makeDeb(t, writeFiles(t, parts.common), "linux-headers-6.1.0-54-common", "6.1.190-2", "xz")
	if _, err := OpenKernel(t.Context(), openCache(t), []string{debs[0], debs[1], newer}); !errors.As(err, &mismatch) || mismatch.Path != newer {
		t.Errorf("error %v for common headers of another version", err)
	}
	modules := makeDeb(t, writeFiles(t, map[string]string{"lib/modules/6.1.0-53-amd64/kernel/fs/xfs/xfs.ko": "\x7fELF"}), "linux-modules", "1", "xz")
	if _, err := OpenKernel(t.Context(), openCache(t), append(debs, modules)); !errors.As(err, &mismatch) || mismatch.Path != modules {
		t.Errorf("error %v for modules of another release", err)
	}
}

// A damaged piece is named, and leaves nothing in the store that a later run would take for whole.
func TestOpenKernelDamaged(t *testing.T) {
	parts := sampleKernel(t)
	name := "boot/vmlinuz-" + sampleRelease
	parts.image[name] = parts.image[name][:3000]
	debs := parts.debs(t)
	c := openCache(t)
	for range 2 {
		_, err := OpenKernel(t.Context(), c, debs)
		checkInputError(t, err, debs[0], "")
		if err != nil && !strings.Contains(err.Error(), "vmlinuz-"+sampleRelease+" is not usable, want a whole 64-bit x86 kernel image: kernel image is cut off") {
			t.Errorf("error %v", err)
		}
	}
	b, err := os.ReadFile(debs[1])
	if err != nil {
		t.Fatal(err)
	}
	cut := filepath.Join(t.TempDir(), "cut.deb")
	if err := os.WriteFile(cut, b[:len(b)-300], 0o644); err != nil {
		t.Fatal(err)
	}
	_, err = OpenKernel(t.Context(), c, []string{debs[0], cut})
	checkInputError(t, err, cut, "")
	bad := sampleKernel(t)
	bad.headers["usr/src/linux-headers-"+sampleRelease+"/.config"] = "CONFIG_A=y\ngarbage\n"
	folder := writeFiles(t, bad.headers)
	_, err = OpenKernel(t.Context(), c, []string{sampleKernel(t).debs(t)[0], folder})
	config := filepath.Join(folder, "usr/src/linux-headers-"+sampleRelease+"/.config")
	checkInputError(t, err, config, `file "`+config+`": want a kernel's .config: line 2: want CONFIG_NAME=value or a comment, got "garbage"`)
}
