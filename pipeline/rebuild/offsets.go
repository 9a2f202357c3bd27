package rebuild

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// offsetUnits are compiled to assembly for the constants in it, of which kbuild makes headers: asm-offsets.h, bounds.h.
// The prepared tree has these headers as of the source as shipped.
// Source: Kbuild, v6.1.
var offsetUnits = []string{"arch/x86/kernel/asm-offsets.s", "kernel/bounds.s"}

// checkGenerated refuses changed files that change one of these constants: a *Refusal. A file that no such unit reads
// cannot; for others the unit is compiled again and its constants compared.
func (t *prepared) checkGenerated(ctx context.Context, files map[string][]byte) error {
	for _, unit := range offsetUnits {
		cmdFile := filepath.Join(t.Object, filepath.Dir(unit), "."+filepath.Base(unit)+".cmd")
		text, err := os.ReadFile(cmdFile)
		if err != nil {
			return fmt.Errorf("file %q: %w", cmdFile, err)
		}
		touched := t.touchedBy(savedDeps(string(text), unit), files)
		if touched == "" {
			continue
		}
		words, err := savedCommand(string(text), unit)
		if err != nil {
			return err
		}
		inv, err := newInvocation(words, unit)
		if err != nil {
			return err
		}
		same, err := t.sameOffsets(ctx, unit, inv, files)
		if err != nil {
			return err
		}
		if !same {
			return &Refusal{File: touched, Reason: "it changes constants that kbuild generates for assembly code (" + unit + ")",
				Remedy: "keep the layout of the structures that assembly code uses"}
		}
	}
	return nil
}

// touchedBy is the first changed file among dependencies, "" if there is none.
func (t *Tree) touchedBy(deps []string, files map[string][]byte) string {
	for _, d := range deps {
		if rel, ok := strings.CutPrefix(d, t.Source+"/"); ok {
			if _, touched := files[filepath.Clean(rel)]; touched {
				return filepath.Clean(rel)
			}
		}
	}
	return ""
}

func (t *Tree) sameOffsets(ctx context.Context, unit string, inv invocation, files map[string][]byte) (bool, error) {
	before, err := os.ReadFile(filepath.Join(t.Object, unit))
	if err != nil {
		return false, err
	}
	scratch, err := t.cache.Scratch("offsets")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(scratch)
	out := filepath.Join(scratch, "out.s")
	err = t.overlaid("", files, nil, func(ov *overlay) ([]string, error) {
		return t.run(ctx, unit, t.Object, ov.words(inv.Words), ov.dir, out, new(Cost))
	})
	if err != nil {
		return false, err
	}
	after, err := os.ReadFile(out)
	return err == nil && slices.Equal(constants(string(before)), constants(string(after))), err
}

// constants are the lines `.ascii "->NAME $VALUE ..."` of such a unit.
// Source: sed-offsets, scripts/Makefile.lib, v6.1.
func constants(assembly string) []string {
	var lines []string
	for _, l := range strings.Split(assembly, "\n") {
		if strings.Contains(l, `.ascii "->`) {
			lines = append(lines, strings.TrimSpace(l))
		}
	}
	return lines
}
