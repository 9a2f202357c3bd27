package rebuild

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"livesplice/ci/archive"
	"livesplice/pipeline/cache"
	"livesplice/pipeline/source"
	"livesplice/pkgfmt"
)

// shipped is the newest Debian 12 kernel of the archive with its source, prepared. The tests of this package share it
// and the default cache, so that only the first run on a machine unpacks and prepares.
type shipped struct {
	files  archive.Files
	cache  *cache.Cache
	source *source.Tree
	kernel *pkgfmt.Kernel
	tree   *Tree
}

var (
	shippedOnce sync.Once
	theShipped  shipped
)

func shippedTree(t *testing.T) shipped {
	t.Helper()
	shippedOnce.Do(func() {
		kernels, err := archive.Kernels(t.Context(), "6.1")
		if err != nil {
			t.Fatal(err)
		}
		s := &theShipped
		if s.files, err = kernels[len(kernels)-1].Fetch(t.Context()); err != nil {
			t.Fatal(err)
		}
		if s.cache, err = cache.Open(""); err != nil {
			t.Fatal(err)
		}
		if s.source, err = source.Open(t.Context(), s.cache, s.files.Source); err != nil {
			t.Fatal(err)
		}
		if s.kernel, err = pkgfmt.OpenKernel(t.Context(), s.cache, []string{s.files.Image, s.files.Headers, s.files.HeadersCommon}); err != nil {
			t.Fatal(err)
		}
		if s.tree, err = Prepare(t.Context(), s.cache, s.source, s.kernel, Options{}); err != nil {
			t.Fatal(err)
		}
	})
	if theShipped.tree == nil {
		t.Fatal("the shipped kernel could not be prepared: see the first test's failure")
	}
	return theShipped
}

// read is a file of the source.
func (s shipped) read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(s.source.Dir, path))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// edit is a file of the source with old replaced by new, once.
func (s shipped) edit(t *testing.T, path, old, new string) map[string][]byte {
	t.Helper()
	text := string(s.read(t, path))
	if strings.Count(text, old) == 0 {
		t.Fatalf("file %q has no %q", path, old)
	}
	return map[string][]byte{path: []byte(strings.Replace(text, old, new, 1))}
}
