package livepatch

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of a manifest: far above what an update needs, low enough that a file
// made to harm costs little memory.
const (
	maxDescription = 4096
	maxFixes       = 4096
	maxPatches     = 4096
	maxObjects     = 1024
	maxFunctions   = 65536 // in all objects together
	maxFuncSize    = 16 << 20
	maxRevision    = 1 << 30
	maxToolchain   = 256
	maxUnits       = 16384
	maxWarnings    = 65536
	maxWarning     = 4096 // bytes of one text
)

var (
	idPattern      = regexp.MustCompile(`^[0-9a-f]{8}$`)
	sha256Pattern  = regexp.MustCompile(`^[0-9a-f]{64}$`)
	buildIDPattern = regexp.MustCompile(`^([0-9a-f]{2}){8,64}$`)
	// __NEW_UTS_LEN is 64 (include/uapi/linux/utsname.h, v6.1).
	releasePattern = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z._+~-]{0,63}$`)
	archPattern    = regexp.MustCompile(`^[a-z0-9_]{2,16}$`)
	fixPattern     = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z._:#+-]{0,63}$`)
	filePattern    = regexp.MustCompile(`^[0-9A-Za-z_][0-9A-Za-z._+~@,=-]{0,199}$`)
	// MODULE_NAME_LEN is 56 on 64-bit machines (include/linux/module.h, v6.1).
	objectPattern = regexp.MustCompile(`^[0-9A-Za-z_-]{1,55}$`)
	// KSYM_NAME_LEN is 512 with the final NUL (include/linux/kallsyms.h, v6.1).
	symbolPattern  = regexp.MustCompile(`^[A-Za-z_.$][0-9A-Za-z_.$]{0,510}$`)
	addressPattern = regexp.MustCompile(`^0x[0-9a-f]{1,16}$`)
)

// ModuleName returns the name of the module of the update id.
func ModuleName(id string) string { return ModulePrefix + id }

// moduleID returns the ID of the update whose module is named module, and
// whether the name is that of a livesplice module at all.
func moduleID(module string) (string, bool) {
	id, ok := strings.CutPrefix(module, ModulePrefix)
	return id, ok && idPattern.MatchString(id)
}

// Validate returns the first member of m that is not as documented: names that
// hold a path separator or a character that has no place in them, hashes of
// another length, lists beyond their bounds.
func (m *Manifest) Validate() error {
	if m.Format != ManifestFormat {
		return fmt.Errorf("manifest: format %d, this program reads format %d", m.Format, ManifestFormat)
	}
	err := firstError(
		match("id", m.ID, idPattern),
		match("release", m.Release, releasePattern),
		match("build_id", m.BuildID, buildIDPattern),
		match("arch", m.Arch, archPattern),
		between("revision", m.Revision, 0, maxRevision),
		plainText("description", m.Description, maxDescription),
		plainText("toolchain.compiler", m.Toolchain.Compiler, maxToolchain),
		plainText("toolchain.linker", m.Toolchain.Linker, maxToolchain),
		plainText("toolchain.livesplice", m.Toolchain.Livesplice, maxToolchain),
		between("number of fixes", len(m.Fixes), 0, maxFixes),
		between("number of needs_reboot", len(m.NeedsReboot), 0, maxFixes),
		between("number of units", len(m.Units), 0, maxUnits),
		between("number of patches", len(m.Patches), 0, maxPatches),
		between("number of warnings", len(m.Warnings), 0, maxWarnings),
		between("number of objects", len(m.Objects), 0, maxObjects),
		m.validateModule(),
	)
	if err != nil {
		return err
	}
	for _, fix := range m.Fixes {
		if err := match("fixes", fix, fixPattern); err != nil {
			return err
		}
	}
	for _, fix := range m.NeedsReboot {
		if err := match("needs_reboot", fix, fixPattern); err != nil {
			return err
		}
	}
	for _, u := range m.Units {
		if err := u.validate(); err != nil {
			return err
		}
	}
	for _, p := range m.Patches {
		if err := firstError(match("patches.name", p.Name, filePattern), match("patches.sha256", p.SHA256, sha256Pattern)); err != nil {
			return err
		}
	}
	for _, w := range m.Warnings {
		err := firstError(
			plainText("warnings.code", w.Code, maxWarning), plainText("warnings.unit", w.Unit, maxWarning), plainText("warnings.subject", w.Subject, maxWarning),
			plainText("warnings.source", w.Source, maxWarning), plainText("warnings.reason", w.Reason, maxWarning), plainText("warnings.remedy", w.Remedy, maxWarning))
		if err != nil {
			return err
		}
	}
	if err := m.Unload.validate(); err != nil {
		return err
	}
	return m.validateObjects()
}

// validate wants a reason for each update that stays loaded, and none for one
// that need not. Nil is valid: the manifest does not say.
func (u *Unload) validate() error {
	if u == nil {
		return nil
	}
	if u.Allowed != (len(u.Reasons) == 0) {
		return fmt.Errorf("manifest: unload.allowed is %t with %d reasons", u.Allowed, len(u.Reasons))
	}
	if err := between("number of unload.reasons", len(u.Reasons), 0, maxWarnings); err != nil {
		return err
	}
	for _, r := range u.Reasons {
		err := firstError(
			plainText("unload.reasons.subject", r.Subject, maxWarning),
			plainText("unload.reasons.reason", r.Reason, maxWarning),
			plainText("unload.reasons.source", r.Source, maxWarning))
		if err != nil {
			return err
		}
	}
	return nil
}

// validateModule checks the members that an update with objects has and an
// empty one has not.
func (m *Manifest) validateModule() error {
	if m.Empty() {
		if m.Module != "" || m.ModuleFile != "" || m.ModuleSHA256 != "" {
			return fmt.Errorf("manifest: a module but no objects")
		}
		return nil
	}
	if m.Engine != EngineLivepatch {
		return fmt.Errorf("manifest: engine %q, this program knows %q", m.Engine, EngineLivepatch)
	}
	if m.Module != ModuleName(m.ID) {
		return fmt.Errorf("manifest: module %q, expected %q", m.Module, ModuleName(m.ID))
	}
	if m.ModuleFile == ManifestName {
		return fmt.Errorf("manifest: module_file is the manifest itself")
	}
	return firstError(match("module_file", m.ModuleFile, filePattern), match("module_sha256", m.ModuleSHA256, sha256Pattern))
}

func (m *Manifest) validateObjects() error {
	seen := make(map[string]bool, len(m.Objects))
	functions := 0
	for _, o := range m.Objects {
		if err := firstError(match("objects.name", o.Name, objectPattern), match("objects.build_id", o.BuildID, buildIDPattern)); err != nil {
			return err
		}
		if seen[o.Name] {
			return fmt.Errorf("manifest: object %q twice", o.Name)
		}
		seen[o.Name] = true
		if o.Name == VMLinux && o.BuildID != m.BuildID {
			return fmt.Errorf("manifest: object %q has build-id %s, the update is for %s", o.Name, o.BuildID, m.BuildID)
		}
		if functions += len(o.Functions); functions > maxFunctions {
			return fmt.Errorf("manifest: more than %d functions", maxFunctions)
		}
		for _, f := range o.Functions {
			if err := f.validate(); err != nil {
				return fmt.Errorf("%w (object %q, function %q)", err, o.Name, f.Name)
			}
		}
	}
	return nil
}

func (f *Function) validate() error {
	return firstError(
		match("functions.name", f.Name, symbolPattern),
		match("functions.new", f.New, symbolPattern),
		match("functions.address", f.Address, addressPattern),
		match("functions.sha256", f.SHA256, sha256Pattern),
		between("functions.size", f.Size, 1, maxFuncSize),
		between("functions.sympos", f.SymPos, 0, maxFunctions),
		plainText("functions.unit", f.Unit, maxWarning),
		plainText("functions.proof", f.Proof, maxWarning),
		plainText("functions.by", f.By, maxWarning),
		plainText("functions.why", f.Why, maxWarning),
	)
}

func (u *Unit) validate() error {
	err := firstError(
		plainText("units.source", u.Source, maxWarning),
		match("units.object", u.Object, objectPattern),
		between("units.functions", u.Functions, 0, maxFunctions),
		between("units.strict", u.Strict, 0, maxFunctions),
		between("units.instruction", u.ByInsn, 0, maxFunctions),
		between("units.unmatched", u.Unmatched, 0, maxFunctions),
		between("number of units.carried", len(u.Carried), 0, maxFunctions),
	)
	for _, name := range u.Carried {
		err = firstError(err, match("units.carried", name, symbolPattern))
	}
	return err
}

func match(member, value string, pattern *regexp.Regexp) error {
	if pattern.MatchString(value) {
		return nil
	}
	if len(value) > 80 {
		value = value[:80] + "..."
	}
	return fmt.Errorf("manifest: %s is %q, expected %s", member, value, pattern)
}

func between(member string, value, low, high int) error {
	if value < low || value > high {
		return fmt.Errorf("manifest: %s is %d, expected %d to %d", member, value, low, high)
	}
	return nil
}

// plainText wants printable UTF-8 and line ends: what splicectl prints must not
// steer a terminal.
func plainText(member, value string, limit int) error {
	if len(value) > limit {
		return fmt.Errorf("manifest: %s has %d bytes, at most %d are allowed", member, len(value), limit)
	}
	if !utf8.ValidString(value) {
		return fmt.Errorf("manifest: %s is not UTF-8", member)
	}
	for _, r := range value {
		if r != '\n' && !unicode.IsPrint(r) {
			return fmt.Errorf("manifest: %s holds the character %U, which is not printable", member, r)
		}
	}
	return nil
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
