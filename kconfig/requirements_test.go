package kconfig

import (
	"os"
	"slices"
	"strings"
	"testing"
)

var r61 = Release{Text: "6.1.0-54-amd64", Major: 6, Minor: 1}

// short is an Unmet in one line.
func short(us []Unmet) []string {
	var out []string
	for _, u := range us {
		out = append(out, string(u.Level)+" "+u.Option+" "+u.Want+" "+u.Have)
	}
	return out
}

func TestRequirementsOfDebian(t *testing.T) {
	want := []string{"note CONFIG_LOCK_DOWN_IN_EFI_SECURE_BOOT n y"}
	for _, path := range []string{debian61, debian612} {
		if got := short(Requirements(readSample(t, path), r61)); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}

// Each row changes one or two lines of Debian's config.
func TestRequirements(t *testing.T) {
	b, err := os.ReadFile(debian61)
	if err != nil {
		t.Fatal(err)
	}
	base := strings.ReplaceAll(string(b), "CONFIG_LOCK_DOWN_IN_EFI_SECURE_BOOT=y\n", "")
	off := func(names ...string) string {
		s := base
		for _, n := range names {
			if !strings.Contains(s, "CONFIG_"+n+"=y\n") {
				t.Fatalf("the sample has no CONFIG_%s=y", n)
			}
			s = strings.ReplaceAll(s, "CONFIG_"+n+"=y\n", "# CONFIG_"+n+" is not set\n")
		}
		return s
	}
	for _, tt := range []struct {
		name, config string
		want         []string
	}{
		{"as it is", base, nil},
		{"another architecture", off("X86_64"), []string{"refused CONFIG_X86_64 y n"}},
		{"no modules", off("MODULES"), []string{"refused CONFIG_MODULES y n"}},
		{"no livepatch", off("LIVEPATCH"), []string{"refused CONFIG_LIVEPATCH y n"}},
		{"ftrace with args alone", off("DYNAMIC_FTRACE_WITH_REGS"), nil},
		{"ftrace with regs alone", off("DYNAMIC_FTRACE_WITH_ARGS"), nil},
		{"ftrace with neither", off("DYNAMIC_FTRACE_WITH_REGS", "DYNAMIC_FTRACE_WITH_ARGS"), []string{"refused CONFIG_DYNAMIC_FTRACE_WITH_REGS or CONFIG_DYNAMIC_FTRACE_WITH_ARGS y n"}},
		{"no sysfs", off("SYSFS"), []string{"refused CONFIG_SYSFS y n"}},
		{"functions alone in kallsyms", off("KALLSYMS_ALL"), []string{"refused CONFIG_KALLSYMS_ALL y n"}},
		{"no kallsyms", off("KALLSYMS", "KALLSYMS_ALL"), []string{"refused CONFIG_KALLSYMS y n", "refused CONFIG_KALLSYMS_ALL y n"}},
		{"trimmed exports", base + "CONFIG_TRIM_UNUSED_KSYMS=y\n", []string{"refused CONFIG_TRIM_UNUSED_KSYMS n y"}},
		{"randomised structures", base + "CONFIG_RANDSTRUCT=y\nCONFIG_RANDSTRUCT_FULL=y\n", []string{"refused CONFIG_RANDSTRUCT n y"}},
		{"randomised structures before 5.19", base + "CONFIG_GCC_PLUGIN_RANDSTRUCT=y\n", []string{"refused CONFIG_GCC_PLUGIN_RANDSTRUCT n y"}},
		{"latent entropy", base + "CONFIG_GCC_PLUGIN_LATENT_ENTROPY=y\n", []string{"refused CONFIG_GCC_PLUGIN_LATENT_ENTROPY n y"}},
		{"another plugin", base + "CONFIG_GCC_PLUGIN_STACKLEAK=y\n", []string{"refused CONFIG_GCC_PLUGIN_STACKLEAK n y"}},
		{"plugins allowed, none used", base + "CONFIG_GCC_PLUGINS=y\n", nil},
		{"link time optimisation", base + "CONFIG_LTO_CLANG=y\nCONFIG_LTO_CLANG_THIN=y\n", []string{"refused CONFIG_LTO_CLANG n y"}},
		{"control flow integrity", base + "CONFIG_CFI_CLANG=y\n", []string{"refused CONFIG_CFI_CLANG n y"}},
		{"modules stay loaded", off("MODULE_UNLOAD"), []string{"note CONFIG_MODULE_UNLOAD y n"}},
		{"no unwinder", off("UNWINDER_ORC"), []string{"note CONFIG_UNWINDER_ORC or CONFIG_UNWINDER_FRAME_POINTER y n"}},
		{"signatures enforced", base + "CONFIG_MODULE_SIG_FORCE=y\n", []string{"note CONFIG_MODULE_SIG_FORCE n y"}},
		{"locked down", base + "CONFIG_LOCK_DOWN_KERNEL_FORCE_INTEGRITY=y\n", []string{"note CONFIG_LOCK_DOWN_KERNEL_FORCE_INTEGRITY n y"}},
		{"refusals come first", off("MODULE_UNLOAD", "LIVEPATCH"), []string{"refused CONFIG_LIVEPATCH y n", "note CONFIG_MODULE_UNLOAD y n"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := Parse([]byte(tt.config))
			if err != nil {
				t.Fatal(err)
			}
			unmet := Requirements(c, r61)
			if got := short(unmet); !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			for _, u := range unmet {
				if u.Why == "" || u.Remedy == "" {
					t.Errorf("%s: why %q, remedy %q", u.Option, u.Why, u.Remedy)
				}
			}
		})
	}
}

func TestOldKernel(t *testing.T) {
	got := short(Requirements(readSample(t, debian61), Release{Text: "5.4.0-150-generic", Major: 5, Minor: 4}))
	want := []string{"refused release 5.10 or later 5.4.0-150-generic", "note CONFIG_LOCK_DOWN_IN_EFI_SECURE_BOOT n y"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestRemedy(t *testing.T) {
	c, err := Parse([]byte("CONFIG_X86_64=y\nCONFIG_MODULES=y\nCONFIG_DYNAMIC_FTRACE_WITH_ARGS=y\nCONFIG_SYSFS=y\nCONFIG_KALLSYMS=y\nCONFIG_KALLSYMS_ALL=y\nCONFIG_MODULE_UNLOAD=y\nCONFIG_UNWINDER_ORC=y\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := []Unmet{{
		Option: "CONFIG_LIVEPATCH", Want: "y", Have: "n", Level: Refused,
		Why:    "the kernel switches to the new functions by livepatch",
		Remedy: "build the kernel with CONFIG_LIVEPATCH=y",
	}}
	if got := Requirements(c, r61); !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
