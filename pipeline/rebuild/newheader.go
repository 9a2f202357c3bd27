package rebuild

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
)

// ReaderOfNew names a file of the tree, none of those that are patched, that may read a header which is not there yet: one that
// asks for a file of its name which the compiler finds elsewhere now, or not at all. It is "" if there is none, so that the
// header changes nothing but what the patch itself makes read it.
func (t *Tree) ReaderOfNew(ctx context.Context, header string, patched map[string][]byte) (string, error) {
	readers, err := t.readersOfNew(ctx, header)
	for _, r := range readers {
		if _, own := patched[r]; !own {
			return r, err
		}
	}
	return "", err
}

// readersOfNew lists all such files, sorted. The whole source is read for it, once for each header.
func (t *Tree) readersOfNew(ctx context.Context, header string) ([]string, error) {
	if _, kept := t.units.(*prepared); !kept { // a source that may change
		return t.findReaders(ctx, header)
	}
	key := fmt.Sprintf("%x", sha256.Sum256([]byte(t.Key+"\n"+header)))[:32]
	dir, err := t.cache.Dir(ctx, "new-header", key, func(ctx context.Context, dir string) error {
		readers, err := t.findReaders(ctx, header)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, "readers"), []byte(strings.Join(readers, "\n")), 0o644)
	})
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(dir, "readers"))
	return strings.Fields(string(text)), err
}

func (t *Tree) findReaders(ctx context.Context, header string) ([]string, error) {
	var (
		mu    sync.Mutex
		found []string
	)
	w := newWanted(header)
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(max(t.jobs, 1))
	visit := func(top, rel string) {
		g.Go(func() error {
			data, err := os.ReadFile(filepath.Join(top, rel))
			if err != nil {
				return err
			}
			exists := func(name string) bool { return isFile(filepath.Join(top, name)) }
			if w.readBy(rel, data, exists) {
				mu.Lock()
				found = append(found, rel)
				mu.Unlock()
			}
			return nil
		})
	}
	err := eachSource(gctx, t.Source, visit)
	for _, dir := range []string{"include/generated", "arch/x86/include/generated"} {
		err = errors.Join(err, eachSource(gctx, filepath.Join(t.Object, dir), func(_, rel string) { visit(t.Object, path.Join(dir, rel)) }))
	}
	err = errors.Join(err, g.Wait())
	slices.Sort(found)
	return found, err
}

// eachSource visits the files of a folder from which the kernel can be made: C, assembly and Makefiles, of this architecture.
func eachSource(ctx context.Context, top string, visit func(top, rel string)) error {
	err := filepath.WalkDir(top, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		rel, err := filepath.Rel(top, name)
		if err != nil {
			return err
		}
		if d.IsDir() {
			if dir, arch := strings.CutPrefix(rel, "arch/"); arch && dir != "x86" && !strings.HasPrefix(dir, "x86/") || rel == ".git" || rel == "tools" || rel == "Documentation" || rel == "samples" {
				return fs.SkipDir
			}
			return nil
		}
		base := path.Base(rel)
		if d.Type().IsRegular() && (slices.Contains([]string{".c", ".h", ".S", ".inc", ".def"}, path.Ext(base)) || strings.HasPrefix(base, "Makefile") || strings.HasPrefix(base, "Kbuild")) {
			visit(top, rel)
		}
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// wanted is a header that is not there yet.
type wanted struct {
	file   string // relative to the source tree
	base   []byte
	ask    *regexp.Regexp // a name in quotes or angle brackets that ends in the header's
	traced *regexp.Regexp // the name as trace events are given it
}

func newWanted(header string) *wanted {
	base := path.Base(header)
	return &wanted{file: header, base: []byte(strings.TrimSuffix(base, ".h")),
		ask:    regexp.MustCompile(`(["<])((?:[^"<>\n]*/)?` + regexp.QuoteMeta(base) + `)[">]`),
		traced: regexp.MustCompile(`TRACE_INCLUDE_FILE[ \t]+` + regexp.QuoteMeta(strings.TrimSuffix(base, ".h")) + `\b`)}
}

// readBy says whether the compiler may find the header where a file asks for one of its name. exists says whether a path
// from the top is a file now.
func (w *wanted) readBy(file string, data []byte, exists func(string) bool) bool {
	if !bytes.Contains(data, w.base) {
		return false
	}
	if base := path.Base(file); strings.HasPrefix(base, "Makefile") || strings.HasPrefix(base, "Kbuild") {
		return bytes.Contains(data, []byte(path.Base(w.file))) // as an -include, or what something is made from
	}
	if w.traced.Match(data) {
		return true
	}
	for _, m := range w.ask.FindAllSubmatch(data, -1) {
		name := string(m[2])
		beside := path.Join(path.Dir(file), name)
		switch {
		case m[1][0] == '"' && beside == w.file:
			return true
		case m[1][0] == '"' && exists(beside):
			// found beside the file that asks, before any folder of -I
		case strings.Contains(name, ".."), w.file == name, strings.HasSuffix(w.file, "/"+name):
			return true // some folder of -I may lead there
		}
	}
	return false
}
