package rebuild

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Reading is what the compiler's front end says of a unit.
type Reading struct {
	// Files of the source tree that it read, by path relative to the tree, sorted.
	Files []string
	// Prototypes are those of the functions that are not static, by name and without const: "int kill_pid (struct pid *,
	// int, int)". Parameters have names only where nothing but the definition declares the function.
	Prototypes map[string]string
}

// Read runs the compiler's front end alone over a unit, with files in the place of the tree's as in Compile. It takes a
// third of the time. What only the optimizer sees, such as BUILD_BUG_ON, it does not report. gcc only.
// Errors: *BuildError.
func (t *Tree) Read(ctx context.Context, unit string, files map[string][]byte) (*Reading, error) {
	r, _, err := t.units.load(ctx, unit)
	if err != nil {
		return nil, err
	}
	scratch, err := t.cache.Scratch("read")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(scratch)
	out, aux := filepath.Join(scratch, "out.o"), filepath.Join(scratch, "prototypes")
	run := func(root string, words []string) ([]string, error) {
		words = slices.Insert(slices.Clone(words), len(words)-1, "-fsyntax-only", "-aux-info", aux)
		return t.run(ctx, unit, moved(r.workdir, t.Source, root), words, root, out, new(Cost))
	}
	root := t.Source
	var deps []string
	if len(files) == 0 {
		deps, err = run(root, r.Command.Words)
	} else {
		err = t.overlaid("", files, r.folders(t), func(ov *overlay) ([]string, error) {
			root = ov.dir
			deps, err = run(root, ov.words(r.Command.Words))
			return deps, err
		})
	}
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(aux)
	if err != nil {
		return nil, fmt.Errorf("unit %q: the compiler left no prototypes: %w", unit, err)
	}
	reading := &Reading{Prototypes: parsePrototypes(string(text))}
	for _, d := range deps {
		if rel, ok := strings.CutPrefix(filepath.Clean(d), root+"/"); ok {
			reading.Files = append(reading.Files, rel)
		}
	}
	slices.Sort(reading.Files)
	reading.Files = slices.Compact(reading.Files)
	return reading, nil
}

// prototype matches a line of gcc's -aux-info, `/* file:line:NC */ extern int f (int);`: N for a prototype with types, C
// for a declaration or F for a definition.
//
// Source: gcc/c/c-aux-info.c, gen_aux_info_record, GCC 12.
var prototype = regexp.MustCompile(`(?m)^/\* .*:\d+:N([CF]) \*/ extern (.*?);`)

// functionName is the name in a prototype: `int *f (...)`, or `void (*f (int)) (int)` of a function that returns a pointer
// to a function.
var functionName = regexp.MustCompile(`^[^(]*\(\*+(\w+) \(|^[^(]*?(\w+) \(`)

var constWord = regexp.MustCompile(`\bconst\b ?`)

// parsePrototypes prefers declarations: definitions have their parameters' names in them.
func parsePrototypes(text string) map[string]string {
	all, declared := map[string]string{}, map[string]bool{}
	for _, m := range prototype.FindAllStringSubmatch(text, -1) {
		kind, decl := m[1], constWord.ReplaceAllString(m[2], "")
		n := functionName.FindStringSubmatch(decl)
		if n == nil {
			continue
		}
		name := n[1] + n[2]
		if kind == "C" || !declared[name] {
			all[name] = decl
		}
		declared[name] = declared[name] || kind == "C"
	}
	return all
}
