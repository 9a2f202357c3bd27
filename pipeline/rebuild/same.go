package rebuild

import (
	"bytes"
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
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
		err = b.overlaid("", files, r.folders(b.Tree), func(ov *overlay) ([]string, error) {
			return b.run(ctx, r.Object, moved(r.workdir, b.Source, ov.dir), ov.words(words), ov.dir, out, cost)
		})
	}
	if err != nil {
		return nil, err
	}
	return os.ReadFile(out)
}

// sameObject compares what two objects of 64 or 32 bits put into memory: sections, the relocations of these as they are in the
// file, and the symbols that they name.
func sameObject(a, b []byte) (same bool, err error) {
	defer func() {
		if r := recover(); r != nil {
			same, err = false, fmt.Errorf("damaged: %v", r)
		}
	}()
	x, err := inMemory(a)
	if err != nil {
		return false, err
	}
	y, err := inMemory(b)
	if err != nil {
		return false, err
	}
	return slices.Equal(x, y), nil
}

// inMemory describes an object, one line for each section and symbol.
func inMemory(object []byte) ([]string, error) {
	f, err := elf.NewFile(bytes.NewReader(object))
	if err != nil {
		return nil, err
	}
	var lines []string
	for _, s := range f.Sections {
		applies := s.Type == elf.SHT_REL || s.Type == elf.SHT_RELA
		if s.Flags&elf.SHF_ALLOC == 0 && !(applies && int(s.Info) < len(f.Sections) && f.Sections[s.Info].Flags&elf.SHF_ALLOC != 0) {
			continue
		}
		var data []byte
		if s.Type != elf.SHT_NOBITS {
			if data, err = s.Data(); err != nil {
				return nil, fmt.Errorf("section %q: %w", s.Name, err)
			}
		}
		lines = append(lines, fmt.Sprintf("section %s %v %v %d %x", s.Name, s.Type, s.Flags, s.Size, data))
	}
	symbols, err := f.Symbols()
	if err != nil && !errors.Is(err, elf.ErrNoSymbols) {
		return nil, err
	}
	for i, y := range symbols {
		where := y.Section.String()
		if int(y.Section) < len(f.Sections) {
			where = f.Sections[y.Section].Name
		}
		if elf.ST_TYPE(y.Info) != elf.STT_FILE {
			lines = append(lines, fmt.Sprintf("symbol %d %s %s %d %d %d", i, y.Name, where, y.Value, y.Size, y.Info))
		}
	}
	return lines, nil
}
