package rebuild

import (
	"errors"
	"fmt"
	"io/fs"
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
	origin  string // path as the user knows it
	arch    string // ARCH as make was given it: "x86", "x86_64"
	version string // of the kernel that it configures: "6.1.190"; "" if the file does not say
}

// configTitle matches the third line that kconfig writes.
// Source: conf_write_heading, scripts/kconfig/confdata.c, v6.1.
var configTitle = regexp.MustCompile(`(?m)^# Linux/(\S+) (\S+) Kernel Configuration$`)

func readConfig(path, origin string) (*shippedConfig, error) {
	fail := func(got string, err error) (*shippedConfig, error) {
		return nil, &pkgfmt.InputError{Path: origin, Want: "the whole .config of an x86-64 kernel, 5.10 or newer", Got: got, Err: err}
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return fail("", err)
	}
	options, err := kconfig.Parse(data)
	if err != nil {
		return fail("", err)
	}
	c := &shippedConfig{Config: options, path: path, origin: origin, arch: "x86_64"}
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

// compilerText is the first line of the compiler's --version: "gcc-12 (Debian 12.2.0-14+deb12u1) 12.2.0"; "" if the file does
// not name it.
func (c *shippedConfig) compilerText() string {
	text, _ := c.Lookup("CC_VERSION_TEXT")
	return text
}

const autoconf, dotConfig = "include/generated/autoconf.h", ".config"

// CheckConfig compares the shipped .config with the shipped autoconf.h, of which one made the other. That takes
// milliseconds and tells a damaged or edited file before kbuild works for nothing. Errors: *pkgfmt.InputError,
// *pkgfmt.MismatchError.
func CheckConfig(k *pkgfmt.Kernel) error {
	config, err := readConfig(k.Config, k.Origin(k.Config))
	if err != nil {
		return err
	}
	path := filepath.Join(k.Headers, autoconf)
	return checkAutoconf(config, path, k.Origin(path))
}

// checkAutoconf compares a .config with an autoconf.h; origin is the latter's path as the user knows it. One that is not there
// says nothing.
func checkAutoconf(config *shippedConfig, path, origin string) error {
	made, err := readOptions(path, autoconfLine)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return &pkgfmt.InputError{Path: origin, Want: "the configuration of the shipped kernel", Err: err}
	}
	options, err := readOptions(config.path, dotConfigLine)
	if err != nil {
		return &pkgfmt.InputError{Path: config.origin, Want: "the configuration of the shipped kernel", Err: err}
	}
	got := asAutoconf(options, made)
	diffs := diffOptions(made, got)
	if len(diffs) == 0 {
		return nil
	}
	wants, gots := assignments(diffs, made, got)
	return &pkgfmt.MismatchError{Path: config.origin, Got: "one with " + gots, Want: wants + " as of " + origin}
}

// asAutoconf writes options of a .config as autoconf.h does. made is an autoconf.h, which tells what is a hexadecimal
// number: these get a 0x there. Source: print_symbol_for_c, scripts/kconfig/confdata.c, v6.1.
func asAutoconf(options, made map[string]string) map[string]string {
	out := map[string]string{}
	for name, v := range options {
		switch {
		case v == "y":
			out[name] = "1"
		case v == "m":
			out[name+"_MODULE"] = "1"
		case made[name] == "0x"+v:
			out[name] = made[name]
		default:
			out[name] = v
		}
	}
	return out
}

// checkConfigured compares the configuration that kbuild arrived at with the shipped one: the same source, compiler,
// linker and pahole give the same, byte for byte. Any difference means that one of them is another, and that objects
// would differ too.
func checkConfigured(obj string, k *pkgfmt.Kernel, shipped *shippedConfig) error {
	name, path, line := autoconf, filepath.Join(k.Headers, autoconf), autoconfLine
	if _, err := os.Stat(path); os.IsNotExist(err) {
		name, path, line = dotConfig, shipped.path, dotConfigLine
	}
	want, err := readOptions(path, line)
	if err != nil {
		return &pkgfmt.InputError{Path: k.Origin(path), Want: "the configuration of the shipped kernel", Err: err}
	}
	got, err := readOptions(filepath.Join(obj, name), line)
	if err != nil {
		return err
	}
	diffs := diffOptions(want, got)
	if len(diffs) == 0 {
		return nil
	}
	wants, gots := assignments(diffs, want, got)
	return &pkgfmt.MismatchError{Path: k.Origin(path), Want: wants,
		Got: fmt.Sprintf("kbuild arrives at %s here (%s)", gots, probableCause(diffs))}
}

// assignments prints the first few of the options that differ, as the shipped file and the other one have them.
func assignments(diffs []string, want, got map[string]string) (wants, gots string) {
	var w, g []string
	for _, d := range diffs[:min(len(diffs), 4)] {
		w = append(w, assignment(d, want))
		g = append(g, assignment(d, got))
	}
	if n := len(diffs) - len(w); n > 0 {
		g = append(g, fmt.Sprintf("and %d more", n))
	}
	return strings.Join(w, ", "), strings.Join(g, ", ")
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
	diffs = slices.DeleteFunc(diffs, func(o string) bool { return slices.Contains(keptBack, o) })
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
	{"OPENSSL_SUPPORTS_ML_DSA", "openssl is missing or another one, package openssl"},
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
