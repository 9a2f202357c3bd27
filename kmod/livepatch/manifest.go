// Package livepatch is the patched machine's side: it reads the manifests of
// updates, loads their modules, follows livepatch transitions and undoes them.
//
// It uses the standard library and golang.org/x/sys/unix only, since splicectl
// is built from it. Everything that it reads or changes lies below Host.Root.
package livepatch

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
)

// ManifestFormat is the version of the manifest that this package reads and writes.
const ManifestFormat = 1

// ManifestName is the file that holds the manifest in an update's folder.
const ManifestName = "manifest.json"

// VMLinux is the name of the object that is the kernel image itself.
const VMLinux = "vmlinux"

// EngineLivepatch redirects calls by the kernel's own livepatch: ftrace, with
// per-task consistency.
const EngineLivepatch = "livepatch"

// ModulePrefix begins the name of each module that livesplice makes; the
// update's ID follows.
const ModulePrefix = "livesplice_"

// maxManifest is the largest manifest read, in bytes: about forty thousand functions.
const maxManifest = 16 << 20

// Manifest says what one update is. `livesplice create` writes it beside the
// module, splicectl reads it. A manifest that ParseManifest returned is valid:
// see Validate.
type Manifest struct {
	// Format is ManifestFormat.
	Format int `json:"format"`
	// ID is eight lower-case hexadecimal digits, a hash over the update's inputs.
	ID string `json:"id"`
	// Module is the kernel's name of the module: ModulePrefix and the ID. It
	// is empty for an update without any object: see Empty.
	Module string `json:"module,omitempty"`
	// ModuleFile is the module's file, in the folder of the manifest.
	ModuleFile string `json:"module_file,omitempty"`
	// ModuleSHA256 is the hash of that file in lower-case hexadecimal digits.
	ModuleSHA256 string `json:"module_sha256,omitempty"`
	// Release is the kernel's `uname -r`.
	Release string `json:"release"`
	// BuildID is the GNU build-id of the shipped kernel in lower-case
	// hexadecimal digits: /sys/kernel/notes of the machine to be patched.
	BuildID string `json:"build_id"`
	// Arch is the architecture as Go and Debian name it: amd64.
	Arch string `json:"arch"`
	// Revision orders the cumulative updates of one kernel: the highest wins.
	Revision int `json:"revision"`
	// Description is one or several lines of plain text.
	Description string `json:"description,omitempty"`
	// Fixes names what the update fixes: CVE-2026-12345.
	Fixes []string `json:"fixes,omitempty"`
	// NeedsReboot names what concerns this kernel and no update carries, by
	// the word of whoever made the update: only a fixed kernel helps.
	NeedsReboot []string `json:"needs_reboot,omitempty"`
	// Patches are the source patches, in the order in which they were applied.
	Patches []Patch `json:"patches,omitempty"`
	// Engine is EngineLivepatch.
	Engine string `json:"engine"`
	// Replace says that the update is cumulative: its module replaces every
	// livepatch that is loaded, in one transition. Source:
	// Documentation/livepatch/cumulative-patches.rst, v6.1.
	Replace bool `json:"replace"`
	// Objects are the kernel image and modules that the update changes.
	Objects []Object `json:"objects"`
	// Units are the source files that were compiled anew, in the order in
	// which the update was made of them. They serve people, nothing depends
	// on them.
	Units []Unit `json:"units,omitempty"`
	// Warnings are what the update's makers were told to look at before it
	// is applied. Nothing depends on them.
	Warnings []Warning `json:"warnings,omitempty"`
	// Unload says whether the module may be unloaded once nothing calls it any
	// more: see MayUnload.
	Unload *Unload `json:"unload,omitempty"`
	// Toolchain says what built the update.
	Toolchain Toolchain `json:"toolchain"`
}

// Patch is one source patch of an update.
type Patch struct {
	// Name is the patch's file, in the folder of the manifest.
	Name string `json:"name"`
	// SHA256 is the hash of that file in lower-case hexadecimal digits.
	SHA256 string `json:"sha256"`
}

// Object is the kernel image or a module, with the functions replaced in it.
type Object struct {
	// Name is VMLinux or a module's name as in /sys/module, at most 55
	// characters without dots: the bound of the kernel's klp relocations.
	Name string `json:"name"`
	// BuildID is the object's GNU build-id in lower-case hexadecimal digits.
	BuildID string `json:"build_id"`
	// Functions are those replaced; none in a module to which the update
	// only adds code, which other code of the update calls.
	Functions []Function `json:"functions"`
}

// Function is one function replaced: a splice.
type Function struct {
	Name string `json:"name"`
	// SymPos is the 1-based rank among same-named symbols of the object; 0
	// means unique.
	SymPos int `json:"sympos"`
	// Address is where the shipped object has the function, before any
	// address space randomisation: "0xffffffff81345670"; in a module, where
	// livesplice laid it out.
	Address string `json:"address"`
	// Size is the number of bytes replaced.
	Size int `json:"size"`
	// New is the symbol of the replacement in the update's module.
	New string `json:"new"`
	// SHA256 is the hash of the bytes replaced, as shipped.
	SHA256 string `json:"sha256"`
	// Unit is the source file, relative to the tree: one of Manifest.Units.
	// This and what follows serves people.
	Unit string `json:"unit,omitempty"`
	// Proof says how the place was found: "strict" (by its bytes) or
	// "instruction"; By what singled it out: "name", "reference", "position".
	Proof string `json:"proof,omitempty"`
	By    string `json:"by,omitempty"`
	// Why is the first reason for which the function is replaced.
	Why string `json:"why,omitempty"`
}

// Unit is one source file that was compiled anew, and how its functions were
// found in the shipped object.
type Unit struct {
	Source string `json:"source"` // relative to the tree: fs/namei.c
	Object string `json:"object"` // VMLinux or a module's name
	// Functions are those of the unit, Strict and ByInsn those proven by their
	// bytes and by instruction, Unmatched those that were not located, which
	// the update neither replaces nor refers to.
	Functions int `json:"functions"`
	Strict    int `json:"strict"`
	ByInsn    int `json:"instruction"`
	Unmatched int `json:"unmatched"`
	// Carried are functions that the update brings beside those replaced: new
	// ones, and copies that replaced ones call.
	Carried []string `json:"carried,omitempty"`
}

// Warning is one thing that deserves a look, though it is no reason not to
// apply the update. docs/refusals.md describes the codes.
type Warning struct {
	Code string `json:"code"` // lock-added
	// Unit is the source file, relative to the kernel's tree.
	Unit string `json:"unit"`
	// Subject is the function or datum.
	Subject string `json:"subject"`
	// Source is the subject's file:line, when known.
	Source string `json:"source,omitempty"`
	Reason string `json:"reason"`
	Remedy string `json:"remedy"`
}

// Unload says whether an update's module may be unloaded after its transition
// to disabled, or has to stay loaded since something may hold an address in it:
// a callback, a text handed out, a datum.
type Unload struct {
	Allowed bool `json:"allowed"`
	// Reasons are what may hold the module's memory: none if Allowed, at least
	// one if not.
	Reasons []UnloadReason `json:"reasons"`
}

// UnloadReason is one thing for which an update stays loaded.
type UnloadReason struct {
	// Subject is the function or datum of the update.
	Subject string `json:"subject"`
	Reason  string `json:"reason"`
	// Source is the subject's file:line, empty when not known.
	Source string `json:"source"`
}

// Toolchain says what built an update. It serves people, nothing depends on it.
type Toolchain struct {
	Compiler   string `json:"compiler"`
	Linker     string `json:"linker"`
	Livesplice string `json:"livesplice"`
}

// Empty says that the update changes nothing: the revision 0 that ships with a
// kernel as a subscription has no module.
func (m *Manifest) Empty() bool { return len(m.Objects) == 0 }

// MayUnload says that nothing of the update's module is held once the update is
// disabled and no task runs in it. A manifest that does not say so is one of an
// older or another maker: then the module has to stay.
func (m *Manifest) MayUnload() bool { return m.Unload != nil && m.Unload.Allowed }

// Encode returns the manifest as the JSON that ParseManifest reads: indented,
// the same bytes for the same manifest. It does not validate.
func (m *Manifest) Encode() ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(m); err != nil {
		return nil, fmt.Errorf("manifest of %q: %w", m.ID, err)
	}
	return buf.Bytes(), nil
}

// ParseManifest reads a manifest and validates it. Members that it does not
// know are ignored, so that a later livesplice may add some within one format.
func ParseManifest(data []byte) (*Manifest, error) {
	if len(data) > maxManifest {
		return nil, fmt.Errorf("manifest: %d bytes, at most %d are read", len(data), maxManifest)
	}
	m := new(Manifest)
	dec := json.NewDecoder(bytes.NewReader(data))
	if err := dec.Decode(m); err != nil {
		return nil, fmt.Errorf("manifest: expected a JSON object: %w", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, fmt.Errorf("manifest: more follows the JSON object")
	}
	if err := m.Validate(); err != nil {
		return nil, err
	}
	return m, nil
}

// ReadManifest reads and validates the manifest in the file path. It does not
// ask who owns the file: on a machine to be patched, Host does that.
func ReadManifest(path string) (*Manifest, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxManifest+1))
	if err != nil {
		return nil, fmt.Errorf("file %q: %w", path, err)
	}
	m, err := ParseManifest(data)
	if err != nil {
		return nil, fmt.Errorf("file %q: %w", path, err)
	}
	return m, nil
}
