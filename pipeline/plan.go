package pipeline

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"livesplice/kmod/diff"
	"livesplice/pipeline/patch"
	"livesplice/pipeline/rebuild"
)

// Plan is what patches ask for: the units to be rebuilt and the files that they find changed.
type Plan struct {
	Patches []PlannedPatch `json:"patches"`
	Units   []PlannedUnit  `json:"units"`
	// Fixed are other things that a finished build made from touched files, which no update can replace: they must come out as
	// they are.
	Fixed []PlannedFixed `json:"fixed,omitempty"`
	// Ignored are touched files that this kernel is not built from, with the reason.
	Ignored []Ignored `json:"ignored,omitempty"`

	files map[string][]byte // new content of each touched file; nil for one that is gone
}

// PlannedPatch is one patch file.
type PlannedPatch struct {
	Name  string   `json:"name"`
	Files []string `json:"files"` // touched, relative to the source tree
	data  []byte
}

// PlannedUnit is one unit to be rebuilt.
type PlannedUnit struct {
	Object string   `json:"object"` // as kbuild names it: "fs/namei.o"
	Source string   `json:"source"` // "fs/namei.c"
	Target string   `json:"target"` // "vmlinux" or a module's name
	Files  []string `json:"files"`  // the touched files that it is made from
}

// readsOnly says that the patch touches nothing of the unit but headers that it reads.
func (u PlannedUnit) readsOnly() bool {
	return !slices.ContainsFunc(u.Files, func(f string) bool { return filepath.Ext(f) != ".h" })
}

// PlannedFixed is one thing beside units that is made from touched files.
type PlannedFixed struct {
	Target string   `json:"target"` // as kbuild names it: "arch/x86/entry/entry_64.o", "kernel/bounds.s"
	Files  []string `json:"files"`  // the touched files that it is made from
	kind   rebuild.Kind
}

// Ignored is a touched file that does not matter.
type Ignored struct {
	File   string `json:"file"`
	Reason string `json:"reason"`
}

// Codes of refusals that the plan gives; see docs/refusals.md.
const (
	codeHeader    diff.Code = "header-changed"
	codeConfig    diff.Code = "config-changed"
	codeAssembly  diff.Code = "assembly-changed"
	codeSeparate  diff.Code = "separate-program"
	codeGenerated diff.Code = "generated-file"
	codeConfigRq  diff.Code = "kernel-config"
	codeLayout    diff.Code = "layout-changed"
	codeEnum      diff.Code = "enum-changed"
	codePrototype diff.Code = "prototype-changed"
)

// readPatches parses the patch files.
func readPatches(files []string) ([]*patch.Patch, []PlannedPatch, error) {
	var parsed []*patch.Patch
	var planned []PlannedPatch
	for _, f := range files {
		data, err := readPatch(f)
		if err != nil {
			return nil, nil, err
		}
		p, pp, err := parsePatch(f, data)
		if err != nil {
			return nil, nil, err
		}
		parsed, planned = append(parsed, p), append(planned, pp)
	}
	return parsed, planned, nil
}

// parsePatch parses one patch.
func parsePatch(name string, data []byte) (*patch.Patch, PlannedPatch, error) {
	p, err := patch.Parse(name, data)
	if err != nil {
		return nil, PlannedPatch{}, err
	}
	pp := PlannedPatch{Name: filepath.Base(name), data: data}
	for _, c := range p.Files() {
		pp.Files = append(pp.Files, c.Path)
		if c.OldPath != "" && c.OldPath != c.Path {
			pp.Files = append(pp.Files, c.OldPath)
		}
	}
	slices.Sort(pp.Files)
	pp.Files = slices.Compact(pp.Files)
	return p, pp, nil
}

// maxPatch bounds a patch file, in bytes. The largest of a stable kernel's point releases has some 5 MB.
const maxPatch = 64 << 20

// readPatch reads a patch from a file, or from the pipe that a shell's <(...) is.
func readPatch(name string) ([]byte, error) {
	fail := func(reason string, err error) ([]byte, error) {
		var pe *fs.PathError
		if errors.As(err, &pe) {
			err = pe.Err
		}
		return nil, &patch.Error{Patch: name, Reason: reason, Err: err}
	}
	f, err := os.Open(name)
	if err != nil {
		return fail("cannot be read", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxPatch+1))
	switch {
	case err != nil:
		return fail("cannot be read", err)
	case len(data) > maxPatch:
		return fail(fmt.Sprintf("more than %d MiB, want a unified diff (diff -u, git diff)", maxPatch>>20), nil)
	case len(data) == 0:
		return fail("the file is empty, want a unified diff (diff -u, git diff)", nil)
	case bytes.IndexByte(data, 0) >= 0:
		return fail("a compressed or another binary file, want a unified diff (diff -u, git diff)", nil)
	}
	return data, nil
}

// newPlan applies the patches in memory and asks kbuild what each touched file is part of. Files that an update cannot
// carry are refusals, which come beside the plan: other stages have more of them.
func newPlan(ctx context.Context, tree *rebuild.Tree, parsed []*patch.Patch, planned []PlannedPatch) (*Plan, diff.Refusals, error) {
	files, err := patch.Apply(parsed, func(path string) ([]byte, error) { return os.ReadFile(filepath.Join(tree.Source, path)) })
	if err != nil {
		return nil, nil, err
	}
	p := &Plan{Patches: planned, files: files}
	owners, err := tree.Owner(ctx, slices.Sorted(maps.Keys(files)))
	if err != nil {
		return nil, nil, err
	}
	var refused diff.Refusals
	units, fixed := map[string]*PlannedUnit{}, map[string]*PlannedFixed{}
	for _, o := range owners {
		switch ownerKind(tree, o) {
		case rebuild.BuiltIn, rebuild.Library, rebuild.InModule:
			if o.Source == o.File && files[o.File] == nil {
				refused = append(refused, diff.Refusal{Code: codeConfig, Unit: o.File, Subject: "build",
					Reason: "the patch removes or renames a file that the kernel is built from", Remedy: "keep the file under its name, and change its functions"})
				continue
			}
			key := o.Unit + " " + o.Target // one object can be part of several modules
			u := units[key]
			if u == nil {
				u = &PlannedUnit{Object: o.Unit, Source: o.Source, Target: o.Target}
				units[key] = u
			}
			u.Files = append(u.Files, o.File)
		case rebuild.NotBuilt, rebuild.Documentation, rebuild.Other:
			p.Ignored = append(p.Ignored, Ignored{File: o.File, Reason: o.Kind.String()})
		case rebuild.Header:
			reason, r, err := header(ctx, tree, o.File, files)
			if err != nil {
				return nil, nil, err
			}
			if reason == "" {
				refused = append(refused, r)
				continue
			}
			p.Ignored = append(p.Ignored, Ignored{File: o.File, Reason: reason})
		default:
			if o.Unit == "" {
				refused = append(refused, refuseFile(o))
				continue
			}
			if fixed[o.Unit] == nil {
				fixed[o.Unit] = &PlannedFixed{Target: o.Unit, kind: o.Kind}
			}
			fixed[o.Unit].Files = append(fixed[o.Unit].Files, o.File)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(fixed)) {
		p.Fixed = append(p.Fixed, *fixed[name])
	}
	for _, name := range slices.Sorted(maps.Keys(units)) {
		p.Units = append(p.Units, *units[name])
	}
	return p, refused, nil
}

// ownerKind is an owner's kind; Header for one that is new to the source of out-of-tree modules, of which nothing was built yet.
func ownerKind(tree *rebuild.Tree, o rebuild.Owner) rebuild.Kind {
	if o.Kind == rebuild.NotBuilt && filepath.Ext(o.File) == ".h" && len(tree.Modules()) > 0 {
		if _, err := os.Stat(filepath.Join(tree.Source, o.File)); errors.Is(err, fs.ErrNotExist) {
			return rebuild.Header
		}
	}
	return o.Kind
}

// Why a header that the patch touches does not matter by itself.
const (
	newHeader    = "new, and read by nothing but what the patch changes"
	onlyComments = "only comments change"
)

// header says why a header whose users are not known need not be carried beyond the units that the patch touches; "" if it must
// be, with the refusal.
func header(ctx context.Context, tree *rebuild.Tree, file string, files map[string][]byte) (reason string, r diff.Refusal, err error) {
	r = refuseFile(rebuild.Owner{File: file, Kind: rebuild.Header})
	old, err := os.ReadFile(filepath.Join(tree.Source, file))
	switch {
	case errors.Is(err, fs.ErrNotExist) && filepath.Ext(file) == ".h" && files[file] != nil:
		reader, err := tree.ReaderOfNew(ctx, file, files)
		if err != nil || reader == "" {
			return newHeader, r, err
		}
		r.Reason = "it is new, and " + reader + " includes one of its name, which it may take the place of; " + r.Reason
		r.Remedy = "give the header another name, or the finished build by --build-tree"
		return "", r, nil
	case errors.Is(err, fs.ErrNotExist):
		return "", r, nil
	case err != nil:
		return "", r, err
	case filepath.Ext(file) == ".h" && files[file] != nil && !slices.Contains(readForComments, file) && sameButComments(old, files[file]):
		return onlyComments, r, nil
	}
	return "", r, nil
}

// refuseFile says why an update cannot carry a change to a file, and what to do.
func refuseFile(o rebuild.Owner) diff.Refusal {
	r := diff.Refusal{Unit: o.File}
	switch o.Kind {
	case rebuild.Header:
		r.Code, r.Subject, r.Reason = codeHeader, "header", "which units a header changes is known only from a finished build"
		r.Remedy = "give the finished build by --build-tree, or move the change into the .c files that need it"
	case rebuild.Generated:
		r.Code, r.Subject = codeGenerated, "generated file"
		r.Reason = fmt.Sprintf("by %s, the build makes other files from it, and which of them change is not known", o.Source)
		r.Remedy = "take the file out of the patch; it takes effect with the next kernel"
	case rebuild.Kconfig, rebuild.Makefile:
		r.Code, r.Subject, r.Reason = codeConfig, "build", "the configuration or the build itself changes, and the shipped kernel was built without that"
		r.Remedy = "take the file out of the patch; it takes effect with the next kernel"
	case rebuild.Assembly:
		r.Code, r.Subject, r.Reason = codeAssembly, "assembly", "assembly code cannot be replaced function by function"
		r.Remedy = "change its callers in C instead, or reboot into a fixed kernel"
	default:
		r.Code, r.Subject = codeSeparate, "separate program"
		r.Reason = "the file is part of a program of its own (vDSO, boot code, a tool), not of the running kernel's code"
		r.Remedy = "take the file out of the patch; it takes effect with the next kernel or package"
	}
	return r
}

// refuseFixed says why an update cannot carry what changes beside units.
func refuseFixed(f PlannedFixed) diff.Refusal {
	r := diff.Refusal{Unit: f.Files[0], Subject: f.Target}
	switch f.kind {
	case rebuild.Assembly:
		r.Code, r.Reason = codeAssembly, "the object comes out otherwise, and assembly code cannot be replaced function by function"
		r.Remedy = "change its callers in C instead, or reboot into a fixed kernel"
	case rebuild.Separate:
		r.Code, r.Reason = codeSeparate, "the object comes out otherwise, and it is part of a program of its own (vDSO, boot code), not of the running kernel's code"
		r.Remedy = "keep what it reads of the file as it is, or reboot into a fixed kernel"
	default:
		r.Code, r.Reason = codeGenerated, "it comes out otherwise, or may; the kernel was linked by it, or other files were compiled with what the build makes from it"
		r.Remedy = "keep what it reads of the file as it is, or reboot into a fixed kernel"
	}
	return r
}
