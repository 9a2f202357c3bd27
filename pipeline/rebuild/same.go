package rebuild

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"livesplice/kmod/elfobj"
)

// Same says of what an update cannot replace, the Unit of an Owner of kind Assembly, Separate or Generated in a finished build,
// whether it stays what it is with files in the place of the tree's: it is made twice, and code, data and relocations of objects
// are compared, the constants of assembly that headers are made of, or the text. What no compiler's command makes is never the
// same. Errors: *BuildError.
func (t *Tree) Same(ctx context.Context, unit string, files map[string][]byte) (bool, Cost, error) {
	var cost Cost
	b, ok := t.units.(*build)
	if !ok || unit == "" {
		return false, cost, nil
	}
	r, _, err := b.command(unit)
	if err != nil || filepath.Ext(unit) == ".o" && !slices.Contains(r.Command.Words, "-D__KERNEL__") {
		return false, cost, nil // a script, or a program of the build itself
	}
	var before, after []byte
	if before, err = b.makeOnce(ctx, r, nil, &cost); err != nil {
		return false, cost, err
	}
	if after, err = b.makeOnce(ctx, r, files, &cost); err != nil {
		return false, cost, err
	}
	switch filepath.Ext(unit) {
	case ".o":
		same, err := sameObject(before, after)
		if err != nil {
			return false, cost, fmt.Errorf("object %q: %w", unit, err)
		}
		return same, cost, nil
	case ".s":
		return slices.Equal(constants(string(before)), constants(string(after))), cost, nil
	}
	return bytes.Equal(before, after), cost, nil
}

// makeOnce runs a recorded command once and gives what it made, without debug information.
func (b *build) makeOnce(ctx context.Context, r *record, files map[string][]byte, cost *Cost) ([]byte, error) {
	words, err := b.compiler(ctx, r.Command.Words)
	if err != nil {
		return nil, err
	}
	if filepath.Ext(r.Object) == ".o" {
		words = slices.Insert(slices.Clone(words), len(words)-1, "-g0")
	}
	scratch, err := b.cache.Scratch("same")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(scratch)
	out := filepath.Join(scratch, "out"+filepath.Ext(r.Object))
	if len(files) == 0 {
		_, err = b.run(ctx, r.Object, r.workdir, words, b.Source, out, cost)
	} else {
		err = b.overlaid(files, r.folders(b.Tree), func(ov *overlay) ([]string, error) {
			return b.run(ctx, r.Object, moved(r.workdir, b.Source, ov.dir), ov.words(words), ov.dir, out, cost)
		})
	}
	if err != nil {
		return nil, err
	}
	return os.ReadFile(out)
}

// sameObject compares what two objects put into memory.
func sameObject(a, b []byte) (bool, error) {
	x, err := elfobj.Read(a)
	if err != nil {
		return false, err
	}
	y, err := elfobj.Read(b)
	if err != nil {
		return false, err
	}
	return slices.EqualFunc(inMemory(x), inMemory(y), func(s, t *elfobj.Section) bool {
		if s.Name != t.Name || s.Type != t.Type || s.Flags != t.Flags || s.Size() != t.Size() || !bytes.Equal(s.Data, t.Data) {
			return false
		}
		return slices.EqualFunc(relocs(s), relocs(t), sameReloc)
	}), nil
}

func inMemory(o *elfobj.Object) []*elfobj.Section {
	return slices.DeleteFunc(slices.Clone(o.Sections), func(s *elfobj.Section) bool { return !s.Alloc() })
}

func relocs(s *elfobj.Section) []elfobj.Reloc {
	if s.Rela == nil {
		return nil
	}
	return s.Rela.Relocs
}

func sameReloc(a, b elfobj.Reloc) bool {
	if a.Offset != b.Offset || a.Type != b.Type || a.Addend != b.Addend || a.Sym.Name != b.Sym.Name || a.Sym.Value != b.Sym.Value || a.Sym.Bind != b.Sym.Bind {
		return false
	}
	s, t := a.Sym.Section, b.Sym.Section
	return (s == nil) == (t == nil) && (s == nil || s.Name == t.Name)
}
