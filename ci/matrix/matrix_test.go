package main

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"livesplice/ci/archive"
	"livesplice/pipeline/matrix"
)

func TestChoose(t *testing.T) {
	all := []archive.Kernel{{Version: "1"}, {Version: "2"}, {Version: "3"}, {Version: "4"}}
	for _, tc := range []struct{ name, versions, later, want, fails string }{
		{"named", "1,2", "3", "1 2 3", ""},
		{"by default", "", "", "1 3 4", ""},
		{"one", "2", "", "2 4", ""},
		{"not there", "5", "", "", `version "5": the archive has ["1" "2" "3" "4"]`},
		{"the later one is not there", "1", "5", "", `version "5": the archive has`},
		{"to itself", "1,4", "", "", `version "4": it cannot be updated to itself`},
	} {
		before, after, err := choose(all, tc.versions, tc.later)
		var got []string
		for _, k := range append(before, after) {
			got = append(got, k.Version)
		}
		switch {
		case tc.fails != "" && (err == nil || !strings.Contains(err.Error(), tc.fails)):
			t.Errorf("%s: error %v, want %s", tc.name, err, tc.fails)
		case tc.fails == "" && (err != nil || strings.Join(got, " ") != tc.want):
			t.Errorf("%s: %q, %v, want %s", tc.name, got, err, tc.want)
		}
	}
}

// tree writes files and their texts into a new folder.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestWrite takes the files that differ in each kernel, and writes a manifest that livesplice matrix reads.
func TestWrite(t *testing.T) {
	sources := []string{
		tree(t, map[string]string{"fs/a.c": "1\n", "fs/b.c": "1\n", "fs/c.c": "1\n", "fs/e.c": "1\n", "fs/f.c": "1\n"}),
		tree(t, map[string]string{"fs/a.c": "2\n", "fs/b.c": "3\n", "fs/d.c": "1\n", "fs/e.c": "1\n", "fs/f.c": "1\n"}),
		tree(t, map[string]string{"fs/a.c": "3\n", "fs/b.c": "3\n", "fs/c.c": "3\n", "fs/d.c": "3\n", "fs/e.c": "3\n", "fs/f.c": "3\n"}),
	}
	d := &draw{work: &work{dir: t.TempDir()}}
	for _, release := range []string{"old", "new"} {
		k := kernel{files: archive.Files{Source: "/s/" + release, Image: "/i/" + release, Headers: "/h/" + release, HeadersCommon: "/c"}}
		k.Release = release
		d.kernels = append(d.kernels, k)
	}
	fixes, err := d.write(t.Context(), []string{"fs/b.c", "fs/c.c", "fs/d.c", "fs/e.c", "fs/a.c", "fs/f.c"}, sources, 2)
	if err != nil || len(fixes) != 2 || fixes[0].name != "fs-e.c" || fixes[1].name != "fs-a.c" {
		t.Fatalf("%+v, %v", fixes, err)
	}
	text, err := os.ReadFile(filepath.Join(d.dir, "patches/new/fs-a.c.patch"))
	if want := "--- a/fs/a.c\n+++ b/fs/a.c\n@@ -1 +1 @@\n-2\n+3\n"; err != nil || string(text) != want {
		t.Errorf("patch %q, %v, want %q", text, err, want)
	}
	path := filepath.Join(d.dir, all)
	if err := os.WriteFile(path, []byte(manifest(d.kernels, fixes)), 0o644); err != nil {
		t.Fatal(err)
	}
	m, err := matrix.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range m.Cells() {
		got = append(got, c.Name()+" "+strings.TrimPrefix(c.Patches[0], d.dir+"/"))
	}
	want := []string{"old/fs-e.c patches/old/fs-e.c.patch", "old/fs-a.c patches/old/fs-a.c.patch", "new/fs-e.c patches/new/fs-e.c.patch", "new/fs-a.c patches/new/fs-a.c.patch"}
	if !slices.Equal(got, want) {
		t.Errorf("cells %q, want %q", got, want)
	}
}

// TestMoments: none is at once, and all together are before the end.
func TestMoments(t *testing.T) {
	for seed := range uint64(100) {
		var sum time.Duration
		for _, m := range moments(rand.New(rand.NewPCG(seed, 1)), 3, time.Hour) {
			if m < 2*time.Minute-time.Second {
				t.Errorf("seed %d: after %v", seed, m)
			}
			sum += m
		}
		if sum > 54*time.Minute {
			t.Errorf("seed %d: %v in all", seed, sum)
		}
	}
	a, b := moments(rand.New(rand.NewPCG(1, 1)), 3, time.Hour), moments(rand.New(rand.NewPCG(2, 1)), 3, time.Hour)
	if slices.Equal(a, b) {
		t.Error("the seed changes nothing")
	}
}

func TestFiles(t *testing.T) {
	whole := tree(t, map[string]string{"old/a/x.deb": "1", "old/a/cell.json": "{}", "summary.json": "s", ".lock": "", ".work/cell-1/x": "1"})
	for _, tc := range []struct {
		name, file, text string // put into the other folder; no text: taken out of it
		want             []string
	}{
		{"the same", ".lock", "other", nil},
		{"another byte", "old/a/x.deb", "2", []string{"old/a/x.deb"}},
		{"one is missing", "old/a/cell.json", "", []string{"old/a/cell.json"}},
		{"one more", "old/b/cell.json", "{}", []string{"old/b/cell.json"}},
	} {
		files := map[string]string{"old/a/x.deb": "1", "old/a/cell.json": "{}", "summary.json": "s", tc.file: tc.text}
		if tc.text == "" {
			delete(files, tc.file)
		}
		r := &result{}
		if err := r.files(whole, tree(t, files)); err != nil || !slices.Equal(r.differ, tc.want) || r.compared != 3 || r.bytes != 4 {
			t.Errorf("%s: %+v, %v", tc.name, r, err)
		}
		if failed := r.err() != nil; failed != (tc.want != nil) {
			t.Errorf("%s: %v", tc.name, r.err())
		}
	}
}

// TestStart: only a run that was killed by us, or that left a summary, counts.
func TestStart(t *testing.T) {
	for _, tc := range []struct {
		name, script string
		after        time.Duration
		killed, ok   bool
	}{
		{"to its end", "echo >summary.json; echo summary", 0, false, true},
		{"with refusals", "echo >summary.json; echo summary; exit 4", 0, false, true},
		{"without a summary", "echo summary; exit 2", 0, false, false},
		{"killed", "exec sleep 60", 50 * time.Millisecond, true, true},
		{"faster than the kill", "echo >summary.json; echo summary", time.Minute, false, true},
		{"killed by somebody else", "kill -9 $$", 0, false, false},
	} {
		dir := t.TempDir()
		w := &work{dir: dir, program: filepath.Join(dir, "program"), log: t.Output()}
		if err := os.WriteFile(w.program, []byte("#!/bin/sh\ncd "+dir+"\n"+tc.script+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "summary.json"), nil, 0o644); err != nil { // of a run before
			t.Fatal(err)
		}
		text, killed, err := w.start(t.Context(), all, dir, tc.after)
		if killed != tc.killed || (err == nil) != tc.ok || (err == nil && !killed && string(text) != "summary\n") {
			t.Errorf("%s: %q, killed %v, %v", tc.name, text, killed, err)
		}
	}
}
