package rebuild

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Module is a linked kernel module.
type Module struct {
	KO   []byte // the .ko
	Log  string // what kbuild said, with all commands
	Cost Cost
}

var moduleName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,54}$`)

// BuildModule has the tree's kbuild link a module out of C sources and finished objects: files are by name, without
// folders; .c is compiled, .o is linked as it is, anything else (.h) lies beside. objtool runs over the linked whole
// and modpost adds the module's own record, with the shipped kernel's vermagic and CRCs; undefined symbols are a
// warning in Log only, since a livepatch module has some on purpose. vars are variables for make ("KCFLAGS=..."). The
// same files give the same bytes in any folder. Errors: *BuildError.
func (t *Tree) BuildModule(ctx context.Context, name string, files map[string][]byte, vars ...string) (*Module, error) {
	if !moduleName.MatchString(name) {
		return nil, fmt.Errorf("module name %q: want at most 55 letters, digits and _", name)
	}
	dir, err := t.cache.Scratch("module")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	parts, err := writeModule(dir, name, files)
	if err != nil {
		return nil, err
	}
	// Without the maps the folder's name would be in the debug information and in __FILE__, and so in the bytes.
	flags := fmt.Sprintf("KCFLAGS=-ffile-prefix-map=%s/= -ffile-prefix-map=%s=. -fdebug-prefix-map=%s=. -fdebug-prefix-map=%s=.",
		dir, dir, t.Object, t.kernel)
	args := []string{"-C", t.kernel, "O=" + t.Object, "M=" + dir, "V=1", "modules",
		// objtool is to see the module as a whole: the objects of vmlinux that went into it were compiled by us, without it.
		// The command line wins over what scripts/Makefile.lib sets. Source: rule_ld_multi_m, scripts/Makefile.build, v6.1.
		"delay-objtool=y",
		"KBUILD_MODPOST_WARN=1",
		// A livepatch module refers to what is exported in a namespace by livepatch's relocations, and needs no import of it.
		// Source: scripts/Makefile.modpost, v5.10 to v6.12.
		"CONFIG_MODULE_ALLOW_MISSING_NAMESPACE_IMPORTS=y",
		// Where vmlinux is at hand pahole would have to make BTF of a module without debug information.
		"CONFIG_DEBUG_INFO_BTF_MODULES=",
	}
	for _, v := range vars {
		if extra, ok := strings.CutPrefix(v, "KCFLAGS="); ok {
			flags += " " + extra
			continue
		}
		args = append(args, v)
	}
	res, err := t.make(ctx, nil, append(args, flags)...)
	m := &Module{Log: strings.ReplaceAll(string(res.Stdout)+string(res.Stderr), dir+"/", "")}
	m.Cost.add(res)
	if err != nil {
		return nil, t.buildError("module "+name+".ko", dir, res, err)
	}
	if err := t.checkObjtool(name, m.Log, parts); err != nil {
		return nil, err
	}
	m.KO, err = os.ReadFile(filepath.Join(dir, name+".ko"))
	return m, err
}

// precompiled is the rule for an object that was compiled before. Up to 5.18 kbuild has objtool look at each object as it is
// compiled, and not at the linked module: cmd_objtool is that step, and the same then for our objects. Since 5.15 it
// begins with a semicolon, being part of another command; since 5.19, and earlier with LTO, it is empty here.
//
// Source: cmd_objtool, scripts/Makefile.build, v5.10, v5.15, v6.1, v6.12 and v7.0.
const precompiled = "$(obj)/%s: $(src)/%s\n\tcat $< >$@\n\t$(patsubst ;%%,%%,$(strip $(cmd_objtool)))\n"

// writeModule writes a module's folder; parts are the objects that the module is linked of.
func writeModule(dir, name string, files map[string][]byte) (parts []string, err error) {
	rules := ""
	for _, f := range slices.Sorted(maps.Keys(files)) {
		if f == "" || f != filepath.Base(f) || strings.HasPrefix(f, ".") {
			return nil, fmt.Errorf("file %q of module %q: want a name without a folder", f, name)
		}
		base, ext := strings.TrimSuffix(f, filepath.Ext(f)), filepath.Ext(f)
		if base == name && (ext == ".c" || ext == ".o") {
			return nil, fmt.Errorf("file %q of module %q: bears the module's own name", f, name)
		}
		to := f
		switch ext {
		case ".c":
			parts = append(parts, base+".o")
		case ".o":
			parts = append(parts, f)
			// kbuild's own rule for finished files does not work in the top folder of a module: there its pattern is `%`, which
			// make takes for no file whose name fits `%.o`. Seen in v7.2.
			to = f + "_shipped"
			rules += fmt.Sprintf(precompiled, f, to)
			// modpost reads the commands of all objects for their CRCs; that of a copied one is not written.
			cmd := fmt.Sprintf("savedcmd_%s := true\n", filepath.Join(dir, f))
			if err := os.WriteFile(filepath.Join(dir, "."+f+".cmd"), []byte(cmd), 0o644); err != nil {
				return nil, err
			}
		}
		if err := os.WriteFile(filepath.Join(dir, to), files[f], 0o644); err != nil {
			return nil, err
		}
	}
	if len(parts) < 2 {
		// A module of one object takes another road through kbuild, one without objtool at the link.
		return nil, fmt.Errorf("module %q: want at least two objects", name)
	}
	kbuild := fmt.Sprintf("obj-m := %s.o\n%s-y := %s\n", name, name, strings.Join(parts, " ")) + rules
	return parts, os.WriteFile(filepath.Join(dir, "Kbuild"), []byte(kbuild), 0o644)
}

// checkObjtool makes sure by the log that objtool ran over the linked module or over each of its parts, where this kernel
// has objtool at all.
func (t *Tree) checkObjtool(name, log string, parts []string) error {
	auto, err := readOptions(filepath.Join(t.Object, "include/generated/autoconf.h"), autoconfLine)
	if err != nil {
		return err
	}
	if auto["OBJTOOL"] != "1" && auto["STACK_VALIDATION"] != "1" {
		return nil
	}
	seen := map[string]bool{}
	for _, line := range strings.Split(log, "\n") {
		for {
			_, after, ok := strings.Cut(line, "objtool/objtool ")
			if !ok {
				break
			}
			line = after
			args, _, _ := strings.Cut(after, ";")
			for _, arg := range strings.Fields(args) {
				seen[filepath.Base(arg)] = true
			}
		}
	}
	if seen[name+".o"] {
		return nil
	}
	for _, part := range parts {
		if !seen[part] {
			return &BuildError{Unit: "module " + name + ".ko", Command: "make modules", Log: log,
				FirstError: fmt.Sprintf("objtool ran neither over %s.o nor over its part %s: this kernel's kbuild does it in another way", name, part)}
		}
	}
	return nil
}
