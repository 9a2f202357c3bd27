package rebuild

import (
	"os/exec"
	"strings"
	"testing"

	"livesplice/kconfig"
	"livesplice/pipeline/cache"
)

func rustConfig(t *testing.T, text string) *shippedConfig {
	t.Helper()
	c, err := kconfig.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return &shippedConfig{Config: c, origin: "config"}
}

// TestRustAnswers asks the script as Kconfig and scripts/rust_is_available.sh do.
func TestRustAnswers(t *testing.T) {
	store, err := cache.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	config := rustConfig(t, "CONFIG_RUST=y\nCONFIG_RUSTC_VERSION_TEXT=\"rustc 1.97.1 (8bab26f4f 2026-07-14) (built from a source tarball)\"\n"+
		"CONFIG_BINDGEN_VERSION_TEXT=\"bindgen 0.72.1\"\nCONFIG_RUSTC_LLVM_VERSION=220108\n")
	vars, err := rustVars(t.Context(), store, config)
	if err != nil || len(vars) != 3 || vars[2] != "CONFIG_RUST=" {
		t.Fatalf("%q, %v", vars, err)
	}
	rustc, bindgen := strings.TrimPrefix(vars[0], "RUSTC="), strings.TrimPrefix(vars[1], "BINDGEN=")
	dir := strings.TrimSuffix(rustc, "/rustc")
	for _, tc := range []struct{ command, want string }{
		{rustc + " --version", "rustc 1.97.1 (8bab26f4f 2026-07-14) (built from a source tarball)"},
		{rustc + " --version --verbose | grep LLVM", "LLVM version: 22.1.8"},
		{rustc + " --print sysroot", dir},
		{"ls $(" + rustc + " --print sysroot)/lib/rustlib/src/rust/library/core/src/lib.rs", dir + "/lib/rustlib/src/rust/library/core/src/lib.rs"},
		{bindgen + " --version", "bindgen 0.72.1"},
		{bindgen + " ./scripts/rust_is_available_bindgen_libclang.h 2>&1 >/dev/null", "clang version 22.1.8"},
		{rustc + " -O x.rs 2>&1 || echo code $?", "livesplice compiles no Rust\ncode 1"},
	} {
		out, err := exec.Command("sh", "-c", tc.command).Output()
		if got := strings.TrimSpace(string(out)); err != nil || got != tc.want {
			t.Errorf("%s: %q, %v; want %q", tc.command, got, err, tc.want)
		}
	}
}

func TestRustVersionsThatAreNone(t *testing.T) {
	for _, text := range []string{
		"CONFIG_RUST=y\nCONFIG_BINDGEN_VERSION_TEXT=\"bindgen 0.72.1\"\n",
		"CONFIG_RUST=y\nCONFIG_RUSTC_VERSION_TEXT=\"rustc 1.97.1'; reboot; '\"\nCONFIG_BINDGEN_VERSION_TEXT=\"bindgen 0.72.1\"\n",
		"CONFIG_RUST=y\nCONFIG_RUSTC_VERSION_TEXT=\"rustc 1.97.1\"\nCONFIG_BINDGEN_VERSION_TEXT=\"0.72.1\"\n",
	} {
		if _, err := rustConfig(t, text).rustAnswers(); err == nil || !strings.Contains(err.Error(), "want CONFIG_RUSTC_VERSION_TEXT and") {
			t.Errorf("%s: %v", text, err)
		}
	}
	if vars, err := rustVars(t.Context(), nil, rustConfig(t, "CONFIG_SMP=y\n")); vars != nil || err != nil {
		t.Errorf("a kernel without Rust: %q, %v", vars, err)
	}
}

func TestCompilersPackage(t *testing.T) {
	for text, want := range map[string]string{
		"x86_64-linux-gnu-gcc-14 (Debian 14.2.0-19) 14.2.0": "gcc-14=14.2.0-19",
		"gcc-12 (Debian 12.2.0-14+deb12u1) 12.2.0":          "gcc-12=12.2.0-14+deb12u1",
		"gcc (GCC) 11.4.1": "gcc",
	} {
		if got := packageOf(text); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}
