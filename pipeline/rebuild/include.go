package rebuild

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"sync"

	"golang.org/x/sync/errgroup"
)

// includeOfC matches an include of a .c file: kernel/sched/build_policy.c has `#include "rt.c"`.
var includeOfC = regexp.MustCompile(`(?m)^[ \t]*#[ \t]*include[ \t]+["<]([^">\n]+\.c)[">]`)

// includers lists the .c and .h files that include a .c file, also through others, sorted.
func (t *prepared) includers(ctx context.Context, file string) ([]string, error) {
	by, err := t.includesOfC(ctx)
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{file: true}
	var files []string
	for todo := []string{file}; len(todo) > 0; todo = todo[1:] {
		for _, by := range by[todo[0]] {
			if !seen[by] {
				seen[by] = true
				todo = append(todo, by)
				files = append(files, by)
			}
		}
	}
	sort.Strings(files)
	return files, nil
}

// includesOfC maps each included .c file to the files that include it. The whole source is read for it, once per tree.
func (t *prepared) includesOfC(ctx context.Context) (map[string][]string, error) {
	t.indexMu.Lock()
	defer t.indexMu.Unlock()
	if t.included != nil {
		return t.included, nil
	}
	dir, err := t.cache.Dir(ctx, "includes", t.Key, func(ctx context.Context, dir string) error {
		by, err := scanIncludes(ctx, t.Source, t.jobs)
		if err != nil {
			return err
		}
		b, err := json.Marshal(by)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, "includes.json"), b, 0o644)
	})
	if err != nil {
		return nil, err
	}
	b, err := os.ReadFile(filepath.Join(dir, "includes.json"))
	if err != nil {
		return nil, err
	}
	return t.included, json.Unmarshal(b, &t.included)
}

func scanIncludes(ctx context.Context, source string, jobs int) (map[string][]string, error) {
	var (
		mu sync.Mutex
		by = map[string][]string{}
	)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(jobs)
	err := filepath.WalkDir(source, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		rel, err := filepath.Rel(source, name)
		if err != nil {
			return err
		}
		if d.IsDir() {
			if rel == ".git" || rel == "tools" || rel == "Documentation" || rel == "scripts" {
				return fs.SkipDir
			}
			return nil
		}
		if ext := path.Ext(rel); !d.Type().IsRegular() || ext != ".c" && ext != ".h" {
			return nil
		}
		g.Go(func() error {
			data, err := os.ReadFile(name)
			if err != nil || !bytes.Contains(data, []byte(`.c"`)) && !bytes.Contains(data, []byte(`.c>`)) {
				return err
			}
			for _, m := range includeOfC.FindAllSubmatch(data, -1) {
				if target := resolveInclude(source, rel, string(m[1])); target != "" {
					mu.Lock()
					by[target] = append(by[target], rel)
					mu.Unlock()
				}
			}
			return nil
		})
		return nil
	})
	if err := errors.Join(err, g.Wait()); err != nil {
		return nil, err
	}
	for target, list := range by {
		slices.Sort(list)
		by[target] = slices.Compact(list)
	}
	return by, nil
}

// resolveInclude is the file that an include names, relative to the source tree; "" if it is none of the tree's.
func resolveInclude(source, by, name string) string {
	for _, dir := range []string{path.Dir(by), "include", "arch/x86/include", "."} {
		rel := path.Join(dir, name)
		if !filepath.IsLocal(rel) {
			continue
		}
		if st, err := os.Stat(filepath.Join(source, rel)); err == nil && st.Mode().IsRegular() {
			return rel
		}
	}
	return ""
}
