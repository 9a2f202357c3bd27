package rebuild

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strings"

	"livesplice/pkgfmt"
)

// shippedConfig is what Prepare takes from the shipped .config.
type shippedConfig struct {
	path    string
	options map[string]string // without "CONFIG_"; strings keep their quotes
	arch    string            // ARCH as make was given it: "x86", "x86_64"
	version string            // of the kernel that it configures: "6.1.190"
}

// configTitle matches the third line that kconfig writes.
// Source: conf_write_heading, scripts/kconfig/confdata.c, v6.1.
var configTitle = regexp.MustCompile(`^# Linux/(\S+) (\S+) Kernel Configuration$`)

func readConfig(path string) (*shippedConfig, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, &pkgfmt.InputError{Path: path, Want: "the kernel's .config", Err: err}
	}
	c := &shippedConfig{path: path, options: map[string]string{}, arch: "x86_64"}
	in := bufio.NewScanner(bytes.NewReader(data))
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		line := in.Text()
		if m := configTitle.FindStringSubmatch(line); m != nil {
			c.arch, c.version = m[1], m[2]
		} else if rest, ok := strings.CutPrefix(line, "CONFIG_"); ok {
			if k, v, ok := strings.Cut(rest, "="); ok {
				c.options[k] = v
			}
		}
	}
	if err := in.Err(); err != nil {
		return nil, &pkgfmt.InputError{Path: path, Want: "the kernel's .config", Err: err}
	}
	switch {
	case c.arch != "x86" && c.arch != "x86_64" || c.options["X86_64"] != "y":
		return nil, &pkgfmt.InputError{Path: path, Want: "the .config of an x86-64 kernel", Got: "one of architecture " + c.arch}
	case c.options["CC_VERSION_TEXT"] == "":
		return nil, &pkgfmt.InputError{Path: path, Want: "the whole .config of a built kernel (5.10 or newer)", Got: "a file without CONFIG_CC_VERSION_TEXT"}
	}
	return c, nil
}

// compilerText is CONFIG_CC_VERSION_TEXT.
func (c *shippedConfig) compilerText() string { return strings.Trim(c.options["CC_VERSION_TEXT"], `"`) }

func (c *shippedConfig) on(option string) bool { return c.options[option] == "y" }

// checkConfigured compares the configuration that kbuild arrived at with the shipped one: the same source, compiler,
// linker and pahole give the same, byte for byte. Any difference means that one of them is another, and that objects
// would differ too.
func checkConfigured(obj, headers string, shipped *shippedConfig) error {
	name := "include/generated/autoconf.h"
	want, err := readAutoconf(filepath.Join(headers, name))
	path := filepath.Join(headers, name)
	switch {
	case err == nil:
	case os.IsNotExist(err):
		want, path = autoconfOf(shipped.options), shipped.path
	default:
		return &pkgfmt.InputError{Path: path, Want: "the headers' generated configuration", Err: err}
	}
	got, err := readAutoconf(filepath.Join(obj, name))
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

// readAutoconf reads include/generated/autoconf.h: option to value; `1` for y, an option with _MODULE for m.
func readAutoconf(path string) (map[string]string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	options := map[string]string{}
	for _, line := range strings.Split(string(data), "\n") {
		rest, ok := strings.CutPrefix(line, "#define CONFIG_")
		if !ok {
			continue
		}
		k, v, _ := strings.Cut(rest, " ")
		options[k] = v
	}
	if len(options) == 0 {
		return nil, &pkgfmt.InputError{Path: path, Want: "#define lines of a kernel configuration", Got: "none"}
	}
	return options, nil
}

// autoconfOf is what kconfig makes of .config's values in autoconf.h.
// Source: print_symbol_for_c, scripts/kconfig/confdata.c, v6.1.
func autoconfOf(options map[string]string) map[string]string {
	out := map[string]string{}
	for k, v := range options {
		switch v {
		case "y":
			out[k] = "1"
		case "m":
			out[k+"_MODULE"] = "1"
		default:
			out[k] = v
		}
	}
	return out
}
