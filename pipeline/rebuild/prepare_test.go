package rebuild

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"livesplice/pipeline/process"
	"livesplice/pipeline/source"
	"livesplice/pkgfmt"
)

// TestPrepareRefuses gives Prepare pieces of other kernels: each is named, and none costs a build.
func TestPrepareRefuses(t *testing.T) {
	s := shippedTree(t)
	config := func(old, new string) string {
		b, err := os.ReadFile(s.kernel.Config)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(b), old) {
			t.Fatalf("the shipped .config lacks %q", old)
		}
		path := filepath.Join(t.TempDir(), "config")
		if err := os.WriteFile(path, []byte(strings.Replace(string(b), old, new, 1)), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	compiler := `CONFIG_CC_VERSION_TEXT="` + s.kernel.Compiler + `"`
	for _, tc := range []struct {
		name   string
		source source.Tree
		kernel pkgfmt.Kernel // Config and what differs; the rest is the shipped one's
		cc     string
		want   string
		is     any
	}{
		{name: "source of another version", source: source.Tree{Version: source.Version{Version: 6, Patchlevel: 1, Sublevel: 1}},
			want: "source of Linux 6.1.1, want Linux " + s.source.Version.String(), is: new(*pkgfmt.MismatchError)},
		{name: "source package of another upload", source: source.Tree{PackageVersion: "6.1.1-1"},
			want: "source of version 6.1.1-1, want version " + s.kernel.PackageVersion, is: new(*pkgfmt.MismatchError)},
		{name: "image given unpacked", kernel: pkgfmt.Kernel{Version: "#1 SMP PREEMPT_DYNAMIC Debian 6.1.2-1 (2023-01-01)", PackageVersion: "-"},
			want: "want version 6.1.2-1, that of the shipped kernel's banner", is: new(*pkgfmt.MismatchError)},
		{name: "another compiler", kernel: pkgfmt.Kernel{Config: config(compiler, `CONFIG_CC_VERSION_TEXT="gcc-12 (Debian 12.2.0-1) 12.2.0"`)},
			want: `compiler "gcc-12": is "` + s.kernel.Compiler + `", want the one that built the kernel, "gcc-12 (Debian 12.2.0-1) 12.2.0" (Debian package gcc-12=12.2.0-1)`,
			is:   new(*CompilerError)},
		{name: "compiler that is not installed", kernel: pkgfmt.Kernel{Config: config(compiler, `CONFIG_CC_VERSION_TEXT="gcc-99 (Debian 99.1.0-1) 99.1.0"`)},
			want: `program "gcc-99" is not installed (Debian package gcc-99=99.1.0-1)`, is: new(*process.MissingError)},
		{name: "--cc that is another one", cc: "ld", want: `compiler "ld": is "GNU ld`, is: new(*CompilerError)},
		{name: "clang", kernel: pkgfmt.Kernel{Config: config("CONFIG_CC_IS_GCC=y", "CONFIG_CC_IS_CLANG=y")},
			want: "want the .config of a kernel built by gcc", is: new(*pkgfmt.InputError)},
		{name: "another architecture", kernel: pkgfmt.Kernel{Config: config("# Linux/x86 ", "# Linux/arm64 ")},
			want: "one of architecture arm64", is: new(*pkgfmt.InputError)},
		{name: "no config", kernel: pkgfmt.Kernel{Config: "/nonexistent"}, want: `file "/nonexistent": `, is: new(*pkgfmt.InputError)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			src := *s.source
			if tc.source.Version != (source.Version{}) {
				src.Version = tc.source.Version
			}
			if tc.source.PackageVersion != "" {
				src.PackageVersion = tc.source.PackageVersion
			}
			k := pkgfmt.Kernel{Release: s.kernel.Release, Config: s.kernel.Config, Symvers: s.kernel.Symvers, Headers: s.kernel.Headers,
				HeadersCommon: s.kernel.HeadersCommon, PackageVersion: s.kernel.PackageVersion, Version: s.kernel.Version}
			if tc.kernel.Config != "" {
				k.Config = tc.kernel.Config
			}
			if tc.kernel.PackageVersion != "" {
				k.PackageVersion, k.Version = "", tc.kernel.Version
			}
			_, err := Prepare(t.Context(), s.cache, &src, &k, Options{CC: tc.cc})
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("got  %v\nwant %s", err, tc.want)
			}
			if !errors.As(err, tc.is) {
				t.Errorf("error is a %T, want %T", err, tc.is)
			}
		})
	}
}

func TestCheckConfigured(t *testing.T) {
	full := "#define CONFIG_SMP 1\n#define CONFIG_EXT4_FS_MODULE 1\n#define CONFIG_NR_CPUS 8192\n#define CONFIG_PAHOLE_VERSION 124\n#define CONFIG_DEBUG_INFO_BTF 1\n"
	for _, tc := range []struct {
		name, here, want string // want "": they agree; "FILE" stands for the shipped file
	}{
		{"same", full, ""},
		{"same in another order, with a title", "/* Linux/x86_64 */\n#define CONFIG_NR_CPUS 8192\n" + strings.Replace(full, "#define CONFIG_NR_CPUS 8192\n", "", 1), ""},
		{"no pahole", strings.NewReplacer("VERSION 124", "VERSION 0", "#define CONFIG_DEBUG_INFO_BTF 1\n", "").Replace(full),
			`file "FILE": kbuild arrives at CONFIG_DEBUG_INFO_BTF unset, CONFIG_PAHOLE_VERSION=0 here (probable cause: pahole is missing or too old, package dwarves), want CONFIG_DEBUG_INFO_BTF=1, CONFIG_PAHOLE_VERSION=124`},
		{"other source", full + "#define CONFIG_NEW 1\n",
			`file "FILE": kbuild arrives at CONFIG_NEW=1 here (probable cause: the source is not that of the shipped kernel), want CONFIG_NEW unset`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			obj, headers := t.TempDir(), t.TempDir()
			for dir, text := range map[string]string{obj: tc.here, headers: full} {
				if err := os.MkdirAll(filepath.Join(dir, "include/generated"), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(dir, "include/generated/autoconf.h"), []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want := strings.Replace(tc.want, "FILE", filepath.Join(headers, "include/generated/autoconf.h"), 1)
			err := checkConfigured(obj, &pkgfmt.Kernel{Headers: headers}, &shippedConfig{path: "config"})
			if (err == nil) != (want == "") || err != nil && err.Error() != want {
				t.Errorf("got  %v\nwant %s", err, want)
			}
		})
	}
	t.Run("without headers", func(t *testing.T) {
		obj, shipped := t.TempDir(), filepath.Join(t.TempDir(), "config")
		write := func(path, text string) {
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		write(shipped, "CONFIG_SMP=y\n# CONFIG_X is not set\n")
		write(filepath.Join(obj, ".config"), "CONFIG_SMP=y\nCONFIG_BUILD_SALT=\"\"\n")
		if err := checkConfigured(obj, &pkgfmt.Kernel{Headers: t.TempDir()}, &shippedConfig{path: shipped}); err != nil {
			t.Errorf("a salt that Debian leaves out: %v", err)
		}
		write(filepath.Join(obj, ".config"), "CONFIG_SMP=y\nCONFIG_X=y\n")
		want := fmt.Sprintf("file %q: kbuild arrives at CONFIG_X=y here (probable cause: the source is not that of the shipped kernel), want CONFIG_X unset", shipped)
		if err := checkConfigured(obj, &pkgfmt.Kernel{Headers: t.TempDir()}, &shippedConfig{path: shipped}); err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	})
}

func TestMissingHeaderNamesItsPackage(t *testing.T) {
	for log, want := range map[string]string{
		"tools/objtool/elf.c:1:10: fatal error: gelf.h: No such file or directory\n":                   `header "gelf.h" is not installed (Debian package libelf-dev)`,
		"scripts/sign-file.c:25:10: fatal error: openssl/opensslv.h: No such file or directory\n":      `header "openssl/opensslv.h" is not installed (Debian package libssl-dev)`,
		"fs/x.c:1:10: fatal error: linux/nothing.h: No such file or directory\ncompilation terminated": "",
	} {
		err := missingHeader(log)
		if (err == nil) != (want == "") || err != nil && err.Error() != want {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// TestPackageID holds the tree to the text that Debian's build has in each stack trace: lib/dump_stack.c has it, and would
// not match otherwise.
func TestPackageID(t *testing.T) {
	s := shippedTree(t)
	b, err := os.ReadFile(filepath.Join(s.tree.Object, "include/generated/package.h"))
	if want := "#define LINUX_PACKAGE_ID \" Debian " + s.kernel.PackageVersion + "\"\n"; string(b) != want {
		t.Errorf("package.h is %q (%v), want %q", b, err, want)
	}
	if got := distribution("#1 SMP PREEMPT_DYNAMIC Fri Oct 16 2026"); got != nil {
		t.Errorf("a kernel that is not Debian's gets %q, want nothing", got)
	}
}
