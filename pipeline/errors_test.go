package pipeline

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"livesplice/kconfig"
	"livesplice/kmod/diff"
	"livesplice/kmod/elfobj"
	"livesplice/kmod/match"
	"livesplice/kmod/unit"
	"livesplice/pipeline/patch"
	"livesplice/pipeline/process"
	"livesplice/pipeline/rebuild"
	"livesplice/pipeline/verify"
	"livesplice/pkgfmt"
)

// kinds are all exported error types of the packages below Create, as package.Type, with their exit codes.
var kinds = map[string]struct {
	err  error
	code int
}{
	"kconfig.UsageError":    {&kconfig.UsageError{Thing: "flag", Reason: "x"}, 2},
	"pkgfmt.InputError":     {&pkgfmt.InputError{Path: "x"}, 2},
	"patch.Error":           {&patch.Error{Patch: "x"}, 2},
	"diff.Refusals":         {diff.Refusals{{Code: diff.InitCode}}, 4},
	"rebuild.Refusal":       {&rebuild.Refusal{File: "x"}, 4},
	"match.Mismatch":        {&match.Mismatch{}, 5},
	"pkgfmt.MismatchError":  {&pkgfmt.MismatchError{Path: "x"}, 5},
	"rebuild.CompilerError": {&rebuild.CompilerError{Path: "gcc"}, 5},
	"rebuild.BuildError":    {&rebuild.BuildError{Unit: "x"}, 6},
	"elfobj.Error":          {&elfobj.Error{}, 1},                                      // of an object that we made; one that the user gave is a pkgfmt.InputError
	"unit.TableError":       {&unit.TableError{Section: "x", Err: errors.New("x")}, 1}, // the same; the differ refuses such a section
	"process.ExitError":     {&process.ExitError{Command: "x", Code: 2}, 1},
	"verify.Failed":         {&verify.Failed{Package: "x"}, 4},
	"process.MissingError":  {&process.MissingError{Program: "x"}, 1},
}

type severalErrors int

func (severalErrors) Error() string   { return "several" }
func (e severalErrors) ExitCode() int { return int(e) }

func TestExitCode(t *testing.T) {
	type row struct {
		name string
		err  error
		code int
	}
	rows := []row{
		{"no error", nil, 0},
		{"no change", ErrNoChange, 3},
		{"not built", ErrNotBuilt, 3},
		{"another error", errors.New("x"), 1},
		{"interrupted", context.Canceled, 1},
		{"several", severalErrors(5), 5},
		{"the machine's", &fs.PathError{Op: "open", Path: "x", Err: fs.ErrPermission}, 1},
	}
	for name, k := range kinds {
		rows = append(rows, row{name, k.err, k.code})
	}
	for _, r := range rows {
		if got := ExitCode(r.err); got != r.code {
			t.Errorf("%s: exit code %d, want %d", r.name, got, r.code)
		}
		if r.err == nil {
			continue
		}
		if got := ExitCode(fmt.Errorf("stage: %w", r.err)); got != r.code {
			t.Errorf("%s, wrapped: exit code %d, want %d", r.name, got, r.code)
		}
		if got := ExitCode(errors.Join(r.err, errors.New("x"))); got != r.code {
			t.Errorf("%s, with another error: exit code %d, want %d", r.name, got, r.code)
		}
	}
}

// TestEveryErrorKindHasAnExitCode reads the source for types that are errors, so that a new one cannot be forgotten.
func TestEveryErrorKindHasAnExitCode(t *testing.T) {
	found := map[string]bool{}
	for _, dir := range []string{".", "../kconfig", "../kmod", "../pkgfmt"} {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.IsDir() && d.Name() == "livepatch": // splicectl's
				return fs.SkipDir
			case d.IsDir() && d.Name() == "matrix": // its error has the code in it
				return fs.SkipDir
			case !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
				return nil
			}
			return errorTypes(path, found)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if got, want := slices.Sorted(maps.Keys(found)), slices.Sorted(maps.Keys(kinds)); !slices.Equal(got, want) {
		t.Errorf("error types in the source: %q\nwith an exit code in this test: %q", got, want)
	}
}

// errorTypes adds the exported types of a file that have a method Error.
func errorTypes(path string, found map[string]bool) error {
	src, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	file, err := parser.ParseFile(token.NewFileSet(), path, src, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	for _, d := range file.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || fn.Recv == nil || fn.Name.Name != "Error" {
			continue
		}
		recv := fn.Recv.List[0].Type
		if star, ok := recv.(*ast.StarExpr); ok {
			recv = star.X
		}
		if id, ok := recv.(*ast.Ident); ok && id.IsExported() {
			found[file.Name.Name+"."+id.Name] = true
		}
	}
	return nil
}
