package rebuild

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strings"

	"livesplice/kconfig"
	"livesplice/pkgfmt"
)

// shippedConfig is what Prepare takes from the shipped .config.
type shippedConfig struct {
	*kconfig.Config
	path    string
	arch    string // ARCH as make was given it: "x86", "x86_64"
	version string // of the kernel that it configures: "6.1.190"; "" if the file does not say
}

// configTitle matches the third line that kconfig writes.
// Source: conf_write_heading, scripts/kconfig/confdata.c, v6.1.
var configTitle = regexp.MustCompile(`(?m)^# Linux/(\S+) (\S+) Kernel Configuration$`)

func readConfig(path string) (*shippedConfig, error) {
	fail := func(got string, err error) (*shippedConfig, error) {
		return nil, &pkgfmt.InputError{Path: path, Want: "the whole .config of an x86-64 kernel, 5.10 or newer", Got: got, Err: err}
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return fail("", err)
	}
	options, err := kconfig.Parse(data)
	if err != nil {
		return fail("", err)
	}
	c := &shippedConfig{Config: options, path: path, arch: "x86_64"}
	if m := configTitle.FindSubmatch(data); m != nil {
		c.arch, c.version = string(m[1]), string(m[2])
	}
	switch {
	case c.arch != "x86" && c.arch != "x86_64":
		return fail("one of architecture "+c.arch, nil)
	case !c.Enabled("X86_64"):
		return fail("one without CONFIG_X86_64=y", nil)
	case c.compilerText() == "":
		return fail("one without CONFIG_CC_VERSION_TEXT", nil)
	}
	return c, nil
}

// compilerText is the first line of the compiler's --version: "gcc-12 (Debian 12.2.0-14+deb12u1) 12.2.0".
func (c *shippedConfig) compilerText() string { return c.Get("CC_VERSION_TEXT") }

// checkConfigured compares the configuration that kbuild arrived at with the shipped one: the same source, compiler,
// linker and pahole give the same, byte for byte. Any difference means that one of them is another, and that objects
// would differ too.
func checkConfigured(obj, headers string, shipped *shippedConfig) error {
	const autoconf, dot = "include/generated/autoconf.h", ".config"
	name, path, line := autoconf, filepath.Join(headers, autoconf), autoconfLine
	if _, err := os.Stat(path); os.IsNotExist(err) {
		name, path, line = dot, shipped.path, dotConfigLine
	}
	want, err := readOptions(path, line)
	if err != nil {
		return &pkgfmt.InputError{Path: path, Want: "the configuration of the shipped kernel", Err: err}
	}
	got, err := readOptions(filepath.Join(obj, name), line)
	if err != nil {
		return err
	}
	diffs := diffOptions(want, got)
	if path == shipped.path {
		diffs = slices.DeleteFunc(diffs, func(o string) bool { return slices.Contains(keptBack, o) })
	}
	if len(diffs) == 0 {
		return nil
	}
	var wants, gots []string
	for _, d := range diffs[:min(len(diffs), 4)] {
		wants = append(wants, assignment(d, want))
		gots = append(gots, assignment(d, got))
	}
	if n := len(diffs) - len(wants); n > 0 {
		gots = append(gots, fmt.Sprintf("and %d more", n))
	}
	return &pkgfmt.MismatchError{Path: path, Want: strings.Join(wants, ", "),
		Got: fmt.Sprintf("kbuild arrives at %s here (%s)", strings.Join(gots, ", "), probableCause(diffs))}
}

// keptBack are options that Debian takes out of the .config in /boot. They name keys and a salt, and change no code.
// Source: debian/rules.real, linux 6.1.
var keptBack = []string{"BUILD_SALT", "MODULE_SIG_ALL", "MODULE_SIG_KEY", "SYSTEM_TRUSTED_KEYS"}

func assignment(option string, options map[string]string) string {
	v, ok := options[option]
	if !ok {
		return "CONFIG_" + option + " unset"
	}
	return "CONFIG_" + option + "=" + v
}

// diffOptions lists the options that differ, those that tell the cause first.
func diffOptions(want, got map[string]string) []string {
	var diffs []string
	for k, v := range want {
		if g, ok := got[k]; !ok || g != v {
			diffs = append(diffs, k)
		}
	}
	for k := range got {
		if _, ok := want[k]; !ok {
			diffs = append(diffs, k)
		}
	}
	sort.Slice(diffs, func(i, j int) bool {
		if a, b := cause(diffs[i]) != "", cause(diffs[j]) != ""; a != b {
			return a
		}
		return diffs[i] < diffs[j]
	})
	return diffs
}

// causes tell what an option depends on besides the configuration.
var causes = []struct{ option, cause string }{
	{"CC_VERSION_TEXT", "another compiler"}, {"GCC_VERSION", "another compiler"}, {"CLANG_VERSION", "another compiler"},
	{"LD_VERSION", "another linker, package binutils"}, {"AS_VERSION", "another assembler, package binutils"},
	{"PAHOLE_VERSION", "another pahole or none, package dwarves"}, {"DEBUG_INFO_BTF", "pahole is missing or too old, package dwarves"},
	{"PAHOLE_HAS_SPLIT_BTF", "pahole is missing or too old, package dwarves"},
	{"RUSTC_VERSION", "another rustc"}, {"RUST_IS_AVAILABLE", "rust is installed here or was there"},
	{"GCC_PLUGINS", "gcc's plugin headers, package gcc-<version>-plugin-dev"},
}

func cause(option string) string {
	for _, c := range causes {
		if c.option == option {
			return c.cause
		}
	}
	if strings.HasPrefix(option, "CC_HAS_") || strings.HasPrefix(option, "AS_HAS_") || strings.HasPrefix(option, "LD_") {
		return "another compiler or binutils"
	}
	return ""
}

func probableCause(diffs []string) string {
	if c := cause(diffs[0]); c != "" {
		return "probable cause: " + c
	}
	return "probable cause: the source is not that of the shipped kernel"
}

// The forms of an option's line in include/generated/autoconf.h, where a module's option ends in _MODULE, and in .config.
var (
	autoconfLine  = regexp.MustCompile(`(?m)^#define CONFIG_(\w+) (.*)$`)
	dotConfigLine = regexp.MustCompile(`(?m)^CONFIG_(\w+)=(.*)$`)
)

// readOptions reads options as they are written, by name without CONFIG_.
func readOptions(path string, line *regexp.Regexp) (map[string]string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	options := map[string]string{}
	for _, m := range line.FindAllSubmatch(data, -1) {
		options[string(m[1])] = string(m[2])
	}
	if len(options) == 0 {
		return nil, fmt.Errorf("file %q: no option in it", path)
	}
	return options, nil
}
