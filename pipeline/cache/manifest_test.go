package cache

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// filler makes an entry with a file of so many bytes, a link, and a folder with a file. It is the same every time but for
// the files' times.
func filler(size int, fills *int) func(context.Context, string) error {
	return func(_ context.Context, dir string) error {
		*fills++
		return errors.Join(os.WriteFile(filepath.Join(dir, "object.o"), bytes.Repeat([]byte("x"), size), 0o644),
			os.Symlink("object.o", filepath.Join(dir, "link")), os.Mkdir(filepath.Join(dir, "sub"), 0o755),
			os.WriteFile(filepath.Join(dir, "sub", "record.json"), []byte("{}"), 0o644))
	}
}

// rewrite changes a file's bytes and leaves its size and time as they were.
func rewrite(t *testing.T, path string, at int) {
	t.Helper()
	st, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[at] ^= 1
	if err := errors.Join(os.WriteFile(path, data, 0o644), os.Chtimes(path, st.ModTime(), st.ModTime())); err != nil {
		t.Fatal(err)
	}
}

func TestDamageIsFound(t *testing.T) {
	for _, tc := range []struct {
		name   string
		size   int // of the entry's largest file
		damage func(t *testing.T, dir string) error
		want   string // in the note
	}{
		{"cut off", 1000, func(_ *testing.T, dir string) error { return os.Truncate(filepath.Join(dir, "object.o"), 500) }, `was file 644 1000 .*, is file 644 500 .*"object.o"`},
		{"emptied", 1000, func(_ *testing.T, dir string) error { return os.Truncate(filepath.Join(dir, "sub/record.json"), 0) }, `was file 644 2 .*, is file 644 0 .*"sub/record.json"`},
		{"altered, same time", 1000, func(t *testing.T, dir string) error { rewrite(t, filepath.Join(dir, "object.o"), 500); return nil }, `"object.o"`},
		{"altered, large", hashedSize + 1, func(_ *testing.T, dir string) error {
			later := time.Now().Add(time.Second)
			return errors.Join(os.WriteFile(filepath.Join(dir, "object.o"), bytes.Repeat([]byte("y"), hashedSize+1), 0o644), os.Chtimes(filepath.Join(dir, "object.o"), later, later))
		}, `"object.o"`},
		{"gone", 1000, func(_ *testing.T, dir string) error { return os.Remove(filepath.Join(dir, "object.o")) }, `was file 644 1000 `},
		{"last one gone", 1000, func(_ *testing.T, dir string) error { return os.Remove(filepath.Join(dir, "sub/record.json")) }, `sub/record.json`},
		{"another one", 1000, func(_ *testing.T, dir string) error { return os.WriteFile(filepath.Join(dir, "z"), nil, 0o644) }, `"z"`},
		{"not executable", 1000, func(_ *testing.T, dir string) error { return os.Chmod(filepath.Join(dir, "object.o"), 0o600) }, `is file 600 `},
		{"link elsewhere", 1000, func(_ *testing.T, dir string) error {
			return errors.Join(os.Remove(filepath.Join(dir, "link")), os.Symlink("/etc/passwd", filepath.Join(dir, "link")))
		}, `was link "object.o" "link", is link "/etc/passwd" "link"`},
		{"all gone", 1000, func(_ *testing.T, dir string) error {
			return errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o755))
		}, `damaged: was link "object.o" "link", is nothing`},
		{"manifest emptied", 1000, func(_ *testing.T, dir string) error {
			return os.Truncate(filepath.Join(filepath.Dir(dir), ".a.files"), 0)
		}, `damaged`},
		{"manifest altered", 1000, func(t *testing.T, dir string) error {
			rewrite(t, filepath.Join(filepath.Dir(dir), ".a.files"), 60)
			return nil
		}, `damaged`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			root, fills := t.TempDir(), 0
			use := func(note func(string, ...any)) string {
				c, err := Open(root)
				if err != nil {
					t.Fatal(err)
				}
				c.Note = note
				before := fills
				if has := c.Has("k", "a"); has != (note == nil && before > 0) {
					t.Errorf("Has says %v", has)
				}
				dir, err := c.Dir(t.Context(), "k", "a", filler(tc.size, &fills))
				if err != nil {
					t.Fatal(err)
				}
				return dir
			}
			dir := use(nil)
			if use(nil); fills != 1 {
				t.Fatalf("filled %d times, want once", fills)
			}
			if err := tc.damage(t, dir); err != nil {
				t.Fatal(err)
			}
			var notes []string
			use(func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) })
			if fills != 2 {
				t.Errorf("filled %d times, want twice", fills)
			}
			if len(notes) != 1 || !strings.HasPrefix(notes[0], `cache entry "`+dir+`": damaged: `) || !strings.HasSuffix(notes[0], "; it is made again") || !matches(tc.want, notes[0]) {
				t.Errorf("notes %q, want one with %q", notes, tc.want)
			}
			if b, err := os.ReadFile(filepath.Join(dir, "sub/record.json")); err != nil || string(b) != "{}" {
				t.Errorf("content %q, %v", b, err)
			}
			if use(nil); fills != 2 {
				t.Errorf("filled %d times, want twice", fills)
			}
			if left := temporary(t, &Cache{root: root}); len(left) != 0 {
				t.Errorf("left behind: %q", left)
			}
		})
	}
}

// TestLargeIsNotRead: what is larger is not read when it is used, so a changed byte shows by the file's time alone.
func TestLargeIsNotRead(t *testing.T) {
	c, fills := open(t), 0
	dir, err := c.Dir(t.Context(), "k", "a", filler(hashedSize+1, &fills))
	if err != nil {
		t.Fatal(err)
	}
	rewrite(t, filepath.Join(dir, "object.o"), 500)
	again, err := Open(c.Root())
	if err != nil || !again.Has("k", "a") {
		t.Errorf("Has says no, %v", err)
	}
	touched := time.Now().Add(time.Second)
	if err := os.Chtimes(filepath.Join(dir, "object.o"), touched, touched); err != nil {
		t.Fatal(err)
	}
	if again, err = Open(c.Root()); err != nil || again.Has("k", "a") {
		t.Errorf("Has says yes, %v", err)
	}
}

// TestWithoutManifest: what somebody else put there is taken as it is, and watched from then on.
func TestWithoutManifest(t *testing.T) {
	c, fills := open(t), 0
	dir := filepath.Join(c.Root(), "k", "a")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := filler(10, &fills)(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	if !c.Has("k", "a") {
		t.Error("Has says no")
	}
	if _, err := c.Dir(t.Context(), "k", "a", filler(10, &fills)); err != nil || fills != 1 {
		t.Errorf("filled, %v", err)
	}
	rewrite(t, filepath.Join(dir, "object.o"), 5)
	if again, err := Open(c.Root()); err != nil || again.Has("k", "a") {
		t.Errorf("Has says yes, %v", err)
	}
}

// TestFromArchive: a cache that was packed and unpacked has the times of its files in whole seconds.
func TestFromArchive(t *testing.T) {
	for name, size := range map[string]int{"hashed": 10, "by time": hashedSize + 1} {
		t.Run(name, func(t *testing.T) {
			c, fills := open(t), 0
			dir, err := c.Dir(t.Context(), "k", "a", filler(size, &fills))
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, "object.o")
			st, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			whole := st.ModTime().Truncate(time.Second)
			if err := os.Chtimes(path, whole, whole); err != nil {
				t.Fatal(err)
			}
			if again, err := Open(c.Root()); err != nil || !again.Has("k", "a") {
				t.Errorf("Has says no, %v", err)
			}
		})
	}
}

func TestRecent(t *testing.T) {
	now := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	for _, tc := range []struct {
		name          string
		checked, boot time.Duration // before now
		want          bool
	}{
		{"an hour ago", time.Hour, 48 * time.Hour, true},
		{"a day ago", 24 * time.Hour, 48 * time.Hour, false},
		{"before the machine was started", time.Hour, time.Minute, false},
		{"in the future", -time.Second, time.Hour, false},
	} {
		if got := recent(now.Add(-tc.checked), now, now.Add(-tc.boot)); got != tc.want {
			t.Errorf("%s: %v", tc.name, got)
		}
	}
	if up := time.Since(booted()); up < time.Second || up > 10*365*24*time.Hour {
		t.Errorf("the machine runs for %v", up)
	}
}

// TestCheck: all entries are looked through at once, large ones too, and damaged ones go even if they are in use.
func TestCheck(t *testing.T) {
	c, fills := open(t), 0
	for key, size := range map[string]int{"a": 10, "b": 10, "large": hashedSize + 1} {
		if _, err := c.Dir(t.Context(), "k", key, filler(size, &fills)); err != nil {
			t.Fatal(err)
		}
	}
	if checked, damaged, err := c.Check(t.Context()); checked != 3 || len(damaged) != 0 || err != nil {
		t.Fatalf("%d checked, %v, %v", checked, damaged, err)
	}
	rewrite(t, filepath.Join(c.Root(), "k/b/object.o"), 5)
	if err := os.Truncate(filepath.Join(c.Root(), "k/large/object.o"), 5); err != nil {
		t.Fatal(err)
	}
	checked, damaged, err := c.Check(t.Context())
	if checked != 3 || len(damaged) != 2 || err != nil || !strings.Contains(damaged[0].Error(), "k/b") || !strings.Contains(damaged[1].Error(), "is file 644 5 ") {
		t.Fatalf("%d checked, %v, %v", checked, damaged, err)
	}
	if keys(t, c.Root()) != "a" {
		t.Errorf("left %s, want a", keys(t, c.Root()))
	}
	if _, err := c.Dir(t.Context(), "k", "b", filler(10, &fills)); err != nil || fills != 4 {
		t.Errorf("filled %d times, %v", fills, err)
	}
}

// TestUnchanged: files that were read are held against a manifest that was not looked at today.
func TestUnchanged(t *testing.T) {
	c := open(t)
	for key, count := range map[string]int{"many": manyNames + 1, "few": 3} {
		_, err := c.Dir(t.Context(), "k", key, func(_ context.Context, dir string) error {
			if err := os.Mkdir(filepath.Join(dir, "sub"), 0o755); err != nil {
				return err
			}
			for i := range count {
				if err := os.WriteFile(filepath.Join(dir, "sub", fmt.Sprint(i)), []byte("text"), 0o644); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	file := func(rel string) string { return filepath.Join(c.Root(), "k", rel) }
	elsewhere := filepath.Join(t.TempDir(), "k/many/sub/7")
	whole := []string{file("many/sub/1"), file("many/sub/../sub/2"), file("many/new"), file("few/sub/1"), file("none/sub/1"), elsewhere, "relative", "/"}
	if err := c.Unchanged(whole); err != nil {
		t.Fatal(err)
	}
	rewrite(t, file("many/sub/7"), 2)
	rewrite(t, file("few/sub/2"), 2)
	if err := c.Unchanged([]string{file("many/sub/6"), file("few/sub/2")}); err != nil {
		t.Errorf("files that are the same, and an entry that is looked at as a whole: %v", err)
	}
	err := c.Unchanged([]string{file("many/sub/8"), file("many/sub/7")})
	if err == nil || !matches(`^cache entry ".*/k/many": damaged: was file 644 4 [0-9a-f]{64} "sub/7", is file 644 4 [0-9a-f]{64} "sub/7"; it is made again when livesplice is started again$`, err.Error()) {
		t.Errorf("error %v", err)
	}
	if again, err := Open(c.Root()); err != nil || again.Has("k", "many") {
		t.Errorf("the next process takes it for whole, %v", err)
	}
	if err := os.Remove(file("many/sub/9")); err != nil {
		t.Fatal(err)
	}
	if err := c.Unchanged([]string{file("many/sub/9")}); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("a file that is gone: %v", err)
	}
	if err := c.Unchanged(whole); err != nil {
		t.Errorf("files that were looked at before: %v", err)
	}
}

// TestMany: an entry of many names is looked through once a day.
func TestMany(t *testing.T) {
	root := t.TempDir()
	fill := func(_ context.Context, dir string) error {
		for i := range manyNames + 1 {
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), nil, 0o644); err != nil {
				return err
			}
		}
		return nil
	}
	has := func() bool {
		c, err := Open(root)
		if err != nil {
			t.Fatal(err)
		}
		return c.Has("k", "a")
	}
	c, err := Open(root)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := c.Dir(t.Context(), "k", "a", fill)
	if err != nil {
		t.Fatal(err)
	}
	manifest := filepath.Join(root, "k", ".a.files")
	old := time.Now().Add(-checkAge - time.Minute)
	if err := os.Chtimes(manifest, old, old); err != nil {
		t.Fatal(err)
	}
	if !has() {
		t.Error("Has says no of a whole one")
	}
	if st, err := os.Stat(manifest); err != nil || time.Since(st.ModTime()) > time.Minute {
		t.Errorf("that it was looked through is not noted: %v, %v", st.ModTime(), err)
	}
	if err := os.Truncate(filepath.Join(dir, "7"), 1); err != nil {
		t.Fatal(err)
	}
	if !has() {
		t.Error("it is looked through again")
	}
	if err := os.Chtimes(manifest, old, old); err != nil {
		t.Fatal(err)
	}
	if has() {
		t.Error("Has says yes of a damaged one")
	}
}

// FuzzHead: nothing that stands in a manifest makes an entry count for less than nothing.
func FuzzHead(f *testing.F) {
	f.Add([]byte("livesplice cache entry 1, 4 names, 28672 bytes\nfile 644"))
	f.Add([]byte("livesplice cache entry 1, -4 names, 99999999999999999999 bytes\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		file := filepath.Join(t.TempDir(), "m")
		if err := os.WriteFile(file, text, 0o644); err != nil {
			t.Fatal(err)
		}
		names, size := readHead(file)
		if names < 0 || size < 0 || (names > 0 || size > 0) && !bytes.HasPrefix(text, []byte("livesplice cache entry 1, ")) {
			t.Errorf("%d names, %d bytes", names, size)
		}
	})
}

// TestHead reads what Trim counts from a manifest: a block for each name, and the blocks of each file.
func TestHead(t *testing.T) {
	c, fills := open(t), 0
	if _, err := c.Dir(t.Context(), "k", "a", filler(5000, &fills)); err != nil {
		t.Fatal(err)
	}
	manifest := filepath.Join(c.Root(), "k", ".a.files")
	if names, size := readHead(manifest); names != 4 || size != (4+2+1)*4096 {
		t.Errorf("%d names, %d bytes", names, size)
	}
	for _, text := range []string{"", "livesplice cache entry 1, ", "livesplice cache entry 2, 1 names, 5 bytes\n", "livesplice cache entry 1, 1 names, -5 bytes\n",
		"livesplice cache entry 1, 1 names, 99999999999999999999 bytes\n"} {
		if err := os.WriteFile(manifest, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if names, size := readHead(manifest); names != 0 || size != 0 {
			t.Errorf("%q: %d names, %d bytes", text, names, size)
		}
	}
}
