package rebuild

import (
	"errors"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"livesplice/pipeline/cache"
)

// seen is what a compiler sees in a folder: the content of each file, through links.
func seen(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	var walk func(rel string)
	walk = func(rel string) {
		entries, err := os.ReadDir(filepath.Join(dir, rel))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			path := filepath.Join(rel, e.Name())
			st, err := os.Stat(filepath.Join(dir, path))
			if err != nil {
				t.Fatal(err)
			}
			if st.IsDir() {
				all[path] = "folder"
				walk(path)
				continue
			}
			b, err := os.ReadFile(filepath.Join(dir, path))
			if err != nil {
				t.Fatal(err)
			}
			all[path] = string(b)
		}
	}
	walk(".")
	return all
}

func writeTree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for path, content := range files {
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(path)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, path), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func sameTree(t *testing.T, what string, got, want map[string]string) {
	t.Helper()
	if maps.Equal(got, want) {
		return
	}
	for _, path := range slices.Sorted(maps.Keys(want)) {
		if got[path] != want[path] {
			t.Errorf("%s: %s is %q, want %q", what, path, got[path], want[path])
		}
	}
	for path := range got {
		if _, ok := want[path]; !ok {
			t.Errorf("%s: %s is there", what, path)
		}
	}
}

// TestOverlayChange: an overlay that was changed many times looks like one that was made at once, and the tree below stays as
// it was.
func TestOverlayChange(t *testing.T) {
	base := writeTree(t, map[string]string{"Makefile": "m", "fs/a.c": "a", "fs/nfs/b.c": "b", "include/linux/c.h": "c", "include/linux/d.h": "d", "include/linux/sub/e.h": "e"})
	before := seen(t, base)
	paths := []string{"Makefile", "fs/a.c", "fs/nfs/b.c", "include/linux/c.h", "include/linux/d.h", "include/linux/sub/e.h", "fs/new.c", "include/linux/new.h"}
	folders := []string{".", "fs", "fs/nfs", "include", "include/linux", "include/linux/sub"}
	rng := rand.New(rand.NewPCG(1, 2))
	ov, err := newOverlay(base, filepath.Join(t.TempDir(), "src"), nil)
	if err == nil {
		err = ov.makeReal(".")
	}
	if err != nil {
		t.Fatal(err)
	}
	for round := range 300 {
		files, want := map[string][]byte{}, maps.Clone(before)
		for _, path := range paths {
			switch rng.IntN(4) {
			case 0:
				files[path] = nil
				delete(want, path)
			case 1:
				files[path] = []byte("changed " + strconv.Itoa(rng.IntN(3)))
				want[path] = string(files[path])
			case 2:
				files[path] = []byte{}
				want[path] = ""
			}
		}
		if err := ov.change(files); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if err := ov.makeReal(folders[rng.IntN(len(folders))]); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		sameTree(t, "round "+strconv.Itoa(round), seen(t, ov.dir), want)
		if t.Failed() {
			break
		}
	}
	sameTree(t, "the tree below", seen(t, base), before)
}

// TestOverlayOutside: a path that leads out of the tree is refused before anything is written.
func TestOverlayOutside(t *testing.T) {
	base := writeTree(t, map[string]string{"a.c": "a"})
	for _, path := range []string{"../x", "/x", "b/../../x", "", "./a.c"} {
		dir := filepath.Join(t.TempDir(), "src")
		if _, err := newOverlay(base, dir, map[string][]byte{"a.c": []byte("new"), path: []byte("x")}); err == nil || !strings.Contains(err.Error(), "not a path inside the tree") {
			t.Errorf("path %q: error %v", path, err)
		}
		if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("path %q: something was made: %v", path, err)
		}
	}
}

// TestOverlaysShared: compilers one after the other have one overlay, those at the same time one each, under the name that they
// ask for; a folder that only a patch adds is in no later overlay, and Close leaves nothing.
func TestOverlaysShared(t *testing.T) {
	c, err := cache.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	base := writeTree(t, map[string]string{"a.c": "a", "sub/b.c": "b"})
	tree := &Tree{Source: base, cache: c}
	scratch := filepath.Join(c.Root(), "scratch")
	left := func() int {
		entries, err := os.ReadDir(scratch)
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	use := func(name string, files map[string][]byte, want map[string]string) {
		t.Helper()
		err := tree.overlaid(name, files, nil, func(ov *overlay) ([]string, error) {
			if name != "" && ov.dir != filepath.Join(scratch, name, "src") {
				t.Errorf("overlay %q is in %s", name, ov.dir)
			}
			sameTree(t, name, seen(t, ov.dir), want)
			return nil, nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	for i := range 3 {
		use("one", map[string][]byte{"a.c": []byte("1")}, map[string]string{"a.c": "1", "sub": "folder", "sub/b.c": "b"})
		use("", map[string][]byte{"sub/b.c": nil}, map[string]string{"a.c": "a", "sub": "folder"})
		if n := left(); n != 1 {
			t.Errorf("round %d: %d overlays are left, want 1", i, n)
		}
	}
	use("added", map[string][]byte{"new/c.c": []byte("c")}, map[string]string{"a.c": "a", "sub": "folder", "sub/b.c": "b", "new": "folder", "new/c.c": "c"})
	use("then", map[string][]byte{"a.c": []byte("2")}, map[string]string{"a.c": "2", "sub": "folder", "sub/b.c": "b"})
	// That of a compiler that fails is whole.
	failure := errors.New("compiler")
	if err := tree.overlaid("bad", map[string][]byte{"a.c": nil}, nil, func(*overlay) ([]string, error) { return nil, failure }); !errors.Is(err, failure) {
		t.Errorf("a compiler's error comes out as %v", err)
	}
	use("", map[string][]byte{"sub/b.c": []byte("3")}, map[string]string{"a.c": "a", "sub": "folder", "sub/b.c": "3"})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 50 {
				n := strconv.Itoa(i)
				use("w"+n, map[string][]byte{"a.c": []byte(n)}, map[string]string{"a.c": n, "sub": "folder", "sub/b.c": "b"})
			}
		})
	}
	wg.Wait()
	if n := left(); n < 1 || n > 8 {
		t.Errorf("%d overlays are left of 8 compilers", n)
	}
	if err := tree.Close(); err != nil {
		t.Fatal(err)
	}
	if n := left(); n != 0 {
		t.Errorf("%d scratch folders are left after Close", n)
	}
	sameTree(t, "the tree below", seen(t, base), map[string]string{"a.c": "a", "sub": "folder", "sub/b.c": "b"})
}
