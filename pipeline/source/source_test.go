package source

import (
	"archive/tar"
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"livesplice/ci/archive"
	"livesplice/pipeline/cache"
	"livesplice/pipeline/process"
	"livesplice/pkgfmt"
)

const makefile = "# SPDX-License-Identifier: GPL-2.0\nVERSION = 6\nPATCHLEVEL = 1\nSUBLEVEL = 190\nEXTRAVERSION =\nNAME = Curry Ramen\n"

// tree is a kernel source as small as it gets, by path.
func tree(top string) map[string]string {
	return map[string]string{top + "Makefile": makefile, top + "Kconfig": "", top + "Kbuild": "", top + "scripts/Makefile.build": "", top + "fs/a.c": "int a;\n"}
}

func writeTree(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func tarOf(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for name, text := range files {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(text))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func testCache(t *testing.T) *cache.Cache {
	t.Helper()
	c, err := cache.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestTar(t *testing.T) {
	plain := tarOf(t, tree("linux-6.1/"))
	for name, filter := range map[string][]string{"tar": {"cat"}, "tar.xz": {"xz", "-c"}, "tar.gz": {"gzip", "-c"}, "tar.zst": {"zstd", "-qc"}, "tar.bz2": {"bzip2", "-c"}} {
		t.Run(name, func(t *testing.T) {
			c := testCache(t)
			res, err := process.Run(t.Context(), process.Cmd{Path: filter[0], Args: filter[1:], Stdin: bytes.NewReader(plain)})
			if err != nil {
				t.Fatal(err)
			}
			// The name says nothing: the content decides.
			path := filepath.Join(t.TempDir(), "source")
			if err := os.WriteFile(path, res.Stdout, 0o644); err != nil {
				t.Fatal(err)
			}
			tr, err := Open(t.Context(), c, path)
			if err != nil {
				t.Fatal(err)
			}
			if b, err := os.ReadFile(filepath.Join(tr.Dir, "fs/a.c")); err != nil || string(b) != "int a;\n" {
				t.Errorf("fs/a.c: %q, %v", b, err)
			}
			if tr.Version.String() != "6.1.190" || tr.PackageVersion != "" || !strings.HasPrefix(tr.Dir, c.Root()) || len(tr.ID) != 64 {
				t.Errorf("tree %+v", tr)
			}
		})
	}
}

func TestBadInput(t *testing.T) {
	plain := tarOf(t, tree("linux-6.1/"))
	res, err := process.Run(t.Context(), process.Cmd{Path: "xz", Args: []string{"-c"}, Stdin: bytes.NewReader(plain)})
	if err != nil {
		t.Fatal(err)
	}
	packed := res.Stdout
	flipped := bytes.Clone(packed)
	flipped[len(flipped)/2] ^= 0x40
	for _, tc := range []struct {
		name string
		data []byte
		want string
	}{
		{"empty", nil, "an empty file"},
		{"text", []byte("hello\n"), "a file of another kind"},
		{"not an rpm", []byte("\xed\xab\xee\xdb\x03\x00"), "file \""},
		{"truncated xz", packed[:len(packed)/2], "want a whole, undamaged archive: "},
		{"corrupt xz", flipped, "want a whole, undamaged archive: "},
		{"truncated tar", plain[:len(plain)/2+100], "want a whole, undamaged archive: "},
		{"no kernel", tarOf(t, map[string]string{"a": "b"}), "an archive without a kernel's Makefile"},
		{"not a deb", []byte("!<arch>\nnothing"), "file \""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := testCache(t)
			path := filepath.Join(t.TempDir(), "source.tar.xz")
			if err := os.WriteFile(path, tc.data, 0o644); err != nil {
				t.Fatal(err)
			}
			_, err := Open(t.Context(), c, path)
			var input *pkgfmt.InputError
			if !errors.As(err, &input) || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("got %v, want *pkgfmt.InputError with %q", err, tc.want)
			}
			if left, err := filepath.Glob(filepath.Join(c.Root(), "source", "[^.]*")); err != nil || len(left) != 0 {
				t.Errorf("left in the cache: %q, %v", left, err)
			}
		})
	}
}

func TestFolder(t *testing.T) {
	dir := t.TempDir()
	writeTree(t, dir, tree(""))
	c := testCache(t)
	id := func() string {
		t.Helper()
		tr, err := Open(t.Context(), c, dir)
		if err != nil {
			t.Fatal(err)
		}
		if tr.Version != (Version{Version: 6, Patchlevel: 1, Sublevel: 190}) {
			t.Errorf("version %+v", tr.Version)
		}
		return tr.ID
	}
	first := id()
	if again := id(); again != first {
		t.Errorf("another ID without a change: %s, %s", first, again)
	}
	writeTree(t, dir, map[string]string{".git/index": "x"})
	if again := id(); again != first {
		t.Error("git's own files change the ID")
	}
	// The same size, and the old mtime put back.
	st, err := os.Stat(filepath.Join(dir, "fs/a.c"))
	if err != nil {
		t.Fatal(err)
	}
	writeTree(t, dir, map[string]string{"fs/a.c": "int b;\n"})
	if err := os.Chtimes(filepath.Join(dir, "fs/a.c"), st.ModTime(), st.ModTime()); err != nil {
		t.Fatal(err)
	}
	if again := id(); again == first {
		t.Error("a change of content leaves the ID")
	}
}

func TestFolderRefusals(t *testing.T) {
	for _, tc := range []struct {
		name, dir string
		files     map[string]string
		want      string
	}{
		{"no kernel", "x", map[string]string{"a": ""}, "a folder without a kernel's Makefile"},
		{"configured", "x", map[string]string{".config": ""}, "a folder in which a kernel was configured or built (.config is there)"},
		{"built", "x", map[string]string{"include/config/auto.conf": ""}, "(include/config is there)"},
		{"space in the path", "a b", nil, "a folder whose path has a character in it that kbuild cannot take"},
		{"no version", "x", map[string]string{"Makefile": "all:\n"}, "a file without "},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), tc.dir)
			if tc.name != "no kernel" {
				writeTree(t, dir, tree(""))
			}
			writeTree(t, dir, tc.files)
			_, err := Open(t.Context(), testCache(t), dir)
			var input *pkgfmt.InputError
			if !errors.As(err, &input) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want *pkgfmt.InputError with %q", err, tc.want)
			}
		})
	}
	t.Run("link that leads out", func(t *testing.T) {
		dir := t.TempDir()
		writeTree(t, dir, tree(""))
		for link, target := range map[string]string{"fs/b.c": "a.c", "fs/nothing": "nowhere", "mm": "/usr"} {
			if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
				t.Fatal(err)
			}
		}
		_, err := Open(t.Context(), testCache(t), dir)
		var input *pkgfmt.InputError
		if want := "a folder with a symbolic link out of it, mm -> /usr"; !errors.As(err, &input) || input.Got != want {
			t.Errorf("got %v, want *pkgfmt.InputError with %q", err, want)
		}
		if err := os.Remove(filepath.Join(dir, "mm")); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(t.Context(), testCache(t), dir); err != nil {
			t.Errorf("links within: %v", err)
		}
	})
	if _, err := Open(t.Context(), testCache(t), "/nonexistent"); err == nil {
		t.Error("a path that is not there opens")
	}
}

// TestLinuxSourceDeb opens Debian's package in the default cache, which other tests use as well.
func TestLinuxSourceDeb(t *testing.T) {
	kernels, err := archive.Kernels(t.Context(), "6.1")
	if err != nil {
		t.Fatal(err)
	}
	k := kernels[len(kernels)-1]
	files, err := k.Fetch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c, err := cache.Open("")
	if err != nil {
		t.Fatal(err)
	}
	tr, err := Open(t.Context(), c, files.Source)
	if err != nil {
		t.Fatal(err)
	}
	if tr.PackageVersion != k.Version || !strings.HasPrefix(k.Version, tr.Version.String()+"-") {
		t.Errorf("version %s, package %q; the archive says %s", tr.Version, tr.PackageVersion, k.Version)
	}
	if _, err := os.Stat(filepath.Join(tr.Dir, "fs/namei.c")); err != nil {
		t.Error(err)
	}
	_, err = Open(t.Context(), c, files.Headers)
	var input *pkgfmt.InputError
	if !errors.As(err, &input) || !strings.Contains(err.Error(), "want a linux-source package") {
		t.Errorf("a headers package: %v", err)
	}
	cut := filepath.Join(t.TempDir(), "cut.deb")
	whole, err := os.ReadFile(files.Headers)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(cut, whole[:len(whole)/2], 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err = Open(t.Context(), testCache(t), cut); !errors.As(err, &input) {
		t.Errorf("a package cut in half: %v", err)
	}
}

func FuzzReadVersion(f *testing.F) {
	f.Add([]byte(makefile))
	f.Add([]byte("VERSION=1\nPATCHLEVEL=\nSUBLEVEL=x\n"))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(filepath.Join(dir, "Makefile"), data, 0o644); err != nil {
			t.Fatal(err)
		}
		v, err := ReadVersion(dir)
		var input *pkgfmt.InputError
		if err != nil && !errors.As(err, &input) {
			t.Fatalf("error %T: %v", err, err)
		}
		if err == nil && (v.Version < 0 || strings.Count(v.String(), ".") < 2) {
			t.Fatalf("version %q", v)
		}
	})
}
