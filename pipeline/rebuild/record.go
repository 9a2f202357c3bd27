package rebuild

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"livesplice/pipeline/process"
	"livesplice/pkgfmt"
)

// record is what kbuild did for one unit, kept in the cache folder of the unit.
type record struct {
	Object  string     // as kbuild names it, relative to the build folder: "fs/namei.o"
	Command invocation // paths are absolute or relative to the build folder
	Deps    []string   // the files that the compiler read, as it named them

	// Made are files that kbuild made for this unit before it compiled it (lib/crc32table.h): Command runs in a copy of
	// the build folder that has them as well.
	Made []string

	workdir string // where Command runs
	key     string // names all that the object depends on, as a key for the cache
	built   string // the object as kbuild left it, objtool's work included

	// Of a finished build, whose key names the content of no more than the files that kbuild has noted for the unit: these, by
	// absolute path.
	build *build
	known map[string]bool
}

// Record lets kbuild build units (objects as kbuild names them, "fs/namei.o") and keeps their commands. One run of make
// does for all that the cache does not have; Compile calls it for a unit that is not there yet. Units that do not
// compile give a *BuildError.
func (t *Tree) Record(ctx context.Context, units ...string) (Cost, error) {
	return t.units.record(ctx, units)
}

func (t *prepared) record(ctx context.Context, units []string) (Cost, error) {
	var todo []string
	for _, u := range units {
		if err := checkUnit(u); err != nil {
			return Cost{}, err
		}
		if !t.cache.Has("unit", t.unitKey(u)) {
			todo = append(todo, u)
		}
	}
	if len(todo) == 0 {
		return Cost{}, nil
	}
	scratch, err := t.cache.Scratch("record")
	if err != nil {
		return Cost{}, err
	}
	defer os.RemoveAll(scratch)
	obj := filepath.Join(scratch, "obj")
	if err := t.copyObject(ctx, obj); err != nil {
		return Cost{}, err
	}
	cost, err := t.makeUnits(ctx, obj, todo)
	if err != nil {
		return cost, err
	}
	for _, u := range todo {
		_, err := t.cache.Dir(ctx, "unit", t.unitKey(u), func(ctx context.Context, dir string) error {
			return t.keep(u, obj, dir)
		})
		if err != nil {
			return cost, err
		}
	}
	return cost, nil
}

// checkUnit guards make's command line.
func checkUnit(u string) error {
	if !strings.HasSuffix(u, ".o") || filepath.IsAbs(u) || strings.HasPrefix(u, "-") || strings.ContainsAny(u, " \t\n=$'\"\\;:") {
		return fmt.Errorf("unit %q: want an object as kbuild names it, such as fs/namei.o", u)
	}
	return nil
}

func (t *prepared) unitKey(unit string) string { return t.Key + "-" + shortHash(unit) }

func shortHash(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d %s\n", len(p), p)
	}
	return hex.EncodeToString(h.Sum(nil))[:32]
}

// copyObject copies the build folder for kbuild to work in, times included. The build of tools/ knows its files by
// absolute names and would make all of them anew in another folder, so these are changed.
func (t *prepared) copyObject(ctx context.Context, to string) error {
	if _, err := process.Run(ctx, process.Cmd{Path: "cp", Args: []string{"-a", "--reflink=auto", "--", t.Object, to}}); err != nil {
		return err
	}
	b, err := os.ReadFile(filepath.Join(t.entry, "facts.json"))
	if err != nil {
		return err
	}
	var f facts
	if err := json.Unmarshal(b, &f); err != nil {
		return fmt.Errorf("file %q: %w", filepath.Join(t.entry, "facts.json"), err)
	}
	return filepath.WalkDir(filepath.Join(to, "tools"), func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && path == filepath.Join(to, "tools") {
			return nil
		}
		if err != nil || !d.Type().IsRegular() || !strings.HasSuffix(path, ".cmd") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return rewrite(path, strings.ReplaceAll(string(text), f.Built, to))
	})
}

// rewrite replaces a file's content and keeps its times.
func rewrite(path, text string) error {
	st, err := os.Stat(path)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path, []byte(text), st.Mode().Perm()); err != nil {
		return err
	}
	return os.Chtimes(path, st.ModTime(), st.ModTime())
}

// keep fills the cache folder of a unit from the scratch folder in which kbuild made it.
func (t *prepared) keep(unit, obj, dir string) error {
	cmdFile := filepath.Join(obj, filepath.Dir(unit), "."+filepath.Base(unit)+".cmd")
	text, err := os.ReadFile(cmdFile)
	if err != nil {
		return fmt.Errorf("unit %q: kbuild left no command: %w", unit, err)
	}
	words, err := savedCommand(string(text), unit)
	if err != nil {
		return err
	}
	r := record{Object: unit, Deps: savedDeps(string(text), unit)}
	for i, w := range words {
		words[i] = strings.ReplaceAll(w, obj, t.Object)
	}
	if r.Command, err = newInvocation(words, unit); err != nil {
		return err
	}
	if r.Made, err = t.made(r, obj); err != nil {
		return err
	}
	if len(r.Made) > 0 {
		files := map[string][]byte{}
		for _, m := range r.Made {
			if files[m], err = os.ReadFile(filepath.Join(obj, m)); err != nil {
				return err
			}
		}
		if _, err := newOverlay(t.Object, filepath.Join(dir, "obj"), files); err != nil {
			return err
		}
	}
	if err := copyFile(filepath.Join(obj, unit), filepath.Join(dir, "built.o")); err != nil {
		return err
	}
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "record.json"), b, 0o644)
}

// made lists the files that the unit read in the build folder and that preparing had not made.
func (t *prepared) made(r record, obj string) ([]string, error) {
	var made []string
	for _, d := range append([]string{r.Command.Input}, r.Deps...) {
		rel := filepath.Clean(strings.TrimPrefix(d, obj+"/"))
		if filepath.IsAbs(rel) || strings.HasPrefix(rel, "../") {
			continue
		}
		if _, err := os.Lstat(filepath.Join(t.Object, rel)); errors.Is(err, fs.ErrNotExist) {
			if _, err := os.Lstat(filepath.Join(obj, rel)); err == nil {
				made = append(made, rel)
			}
		} else if err != nil {
			return nil, err
		}
	}
	return made, nil
}

// savedSource is the file that an object was made from, by its .cmd file; "" if that does not say.
func savedSource(text, object string) string {
	for _, line := range strings.Split(text, "\n") {
		if source, ok := strings.CutPrefix(line, "source_"+object+" := "); ok {
			return source
		}
	}
	return ""
}

// savedDeps reads the files that a unit depends on from its .cmd file. fixdep writes each on a line of its own, after
// `deps_<object> := \`; options of the configuration stand there as $(wildcard include/config/...).
func savedDeps(text, object string) []string {
	var deps []string
	if source := savedSource(text, object); source != "" {
		deps = append(deps, source)
	}
	inside := false
	for _, line := range strings.Split(text, "\n") {
		switch {
		case strings.HasPrefix(line, "deps_"+object+" := "):
			inside = true
		case inside && strings.HasPrefix(line, "  "):
			if d := strings.TrimSpace(strings.TrimSuffix(line, "\\")); d != "" && !strings.HasPrefix(d, "$") {
				deps = append(deps, d)
			}
		default:
			inside = false
		}
	}
	return deps
}

// load reads the record of a unit, which is made first if the cache does not have it.
func (t *prepared) load(ctx context.Context, unit string) (*record, Cost, error) {
	cost, err := t.Record(ctx, unit)
	if err != nil {
		return nil, cost, err
	}
	dir, err := t.cache.Dir(ctx, "unit", t.unitKey(unit), func(context.Context, string) error {
		return fmt.Errorf("unit %q: its cache folder vanished", unit)
	})
	if err != nil {
		return nil, cost, err
	}
	b, err := os.ReadFile(filepath.Join(dir, "record.json"))
	if err != nil {
		return nil, cost, err
	}
	r := &record{workdir: t.Object, key: t.unitKey(unit), built: filepath.Join(dir, "built.o")}
	if err := json.Unmarshal(b, r); err != nil {
		return nil, cost, &pkgfmt.InputError{Path: filepath.Join(dir, "record.json"), Want: "a record of a unit", Err: err}
	}
	if len(r.Made) > 0 {
		r.workdir = filepath.Join(dir, "obj")
	}
	return r, cost, nil
}
