package patch

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// numbered is n lines "line 1\n" to "line n\n", with some replaced.
func numbered(n int, replaced map[int]string) string {
	var b strings.Builder
	for i := 1; i <= n; i++ {
		if s, ok := replaced[i]; ok {
			b.WriteString(s)
		} else {
			fmt.Fprintf(&b, "line %d\n", i)
		}
	}
	return b.String()
}

// reader serves files from a map.
func reader(files map[string]string) func(string) ([]byte, error) {
	return func(p string) ([]byte, error) {
		if s, ok := files[p]; ok {
			return []byte(s), nil
		}
		return nil, &fs.PathError{Op: "open", Path: p, Err: fs.ErrNotExist}
	}
}

const hunk = "@@ -8,7 +8,7 @@ int f(void)\n line 8\n line 9\n line 10\n-line 11\n+new 11\n line 12\n line 13\n line 14\n"

func TestApply(t *testing.T) {
	plain := numbered(20, nil)
	for _, tc := range []struct {
		name  string
		patch string
		files map[string]string
		want  map[string]string // "<gone>": deleted
	}{
		{"plain diff", "--- linux-6.1/fs/a.c\t2024-01-01 00:00:00.1 +0000\n+++ linux/fs/a.c\t2024-01-02 00:00:00 +0000\n" + hunk,
			map[string]string{"fs/a.c": plain}, map[string]string{"fs/a.c": numbered(20, map[int]string{11: "new 11\n"})}},
		{"git diff in a mail", "From 0123 Mon Sep 17 00:00:00 2001\nSubject: fix\n\n- a list\n+ more\n---\n fs/a.c | 2 +-\n\n" +
			"diff --git a/fs/a.c b/fs/a.c\nindex 1111111..2222222 100644\n--- a/fs/a.c\n+++ b/fs/a.c\n" + hunk + "-- \n2.39.5\n\n",
			map[string]string{"fs/a.c": plain}, map[string]string{"fs/a.c": numbered(20, map[int]string{11: "new 11\n"})}},
		{"offset", "--- a/fs/a.c\n+++ b/fs/a.c\n" + hunk,
			map[string]string{"fs/a.c": "more\nmore\n" + plain},
			map[string]string{"fs/a.c": "more\nmore\n" + numbered(20, map[int]string{11: "new 11\n"})}},
		{"two hunks drift together", "--- a/a.c\n+++ b/a.c\n@@ -1,3 +1,3 @@\n line 1\n-line 2\n+new 2\n line 3\n@@ -5,3 +5,3 @@\n x\n-y\n+z\n x\n",
			map[string]string{"a.c": "top\nline 1\nline 2\nline 3\n\nx\ny\nx\nx\ny\nx\n"},
			map[string]string{"a.c": "top\nline 1\nnew 2\nline 3\n\nx\nz\nx\nx\ny\nx\n"}},
		{"no newline at the end", "--- a/a.c\n+++ b/a.c\n@@ -1,2 +1,2 @@\n one\n-two\n\\ No newline at end of file\n+three\n",
			map[string]string{"a.c": "one\ntwo"}, map[string]string{"a.c": "one\nthree\n"}},
		{"context line stripped by a mail program", "--- a/a.c\n+++ b/a.c\n@@ -1,3 +1,3 @@\n one\n\n-two\n+three\n",
			map[string]string{"a.c": "one\n\ntwo\n"}, map[string]string{"a.c": "one\n\nthree\n"}},
		{"removed line that looks like a header", "--- a/a.c\n+++ b/a.c\n@@ -1,3 +1,3 @@\n one\n--- x\n+++ y\n two\n",
			map[string]string{"a.c": "one\n-- x\ntwo\n"}, map[string]string{"a.c": "one\n++ y\ntwo\n"}},
		{"new file", "diff --git a/n.c b/n.c\nnew file mode 100644\nindex 000..111\n--- /dev/null\n+++ b/n.c\n@@ -0,0 +1,2 @@\n+a\n+b\n",
			nil, map[string]string{"n.c": "a\nb\n"}},
		{"deleted file", "--- a/n.c\n+++ /dev/null\n@@ -1,2 +0,0 @@\n-a\n-b\n",
			map[string]string{"n.c": "a\nb\n"}, map[string]string{"n.c": "<gone>"}},
		{"rename with a change", "diff --git a/o.c b/n.c\nsimilarity index 60%\nrename from o.c\nrename to n.c\nindex 1..2 100644\n--- a/o.c\n+++ b/n.c\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n",
			map[string]string{"o.c": "a\nb\n"}, map[string]string{"o.c": "<gone>", "n.c": "a\nc\n"}},
		{"mode only", "diff --git a/s.sh b/s.sh\nold mode 100644\nnew mode 100755\n",
			map[string]string{"s.sh": "x\n"}, map[string]string{"s.sh": "x\n"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p, err := Parse("t.patch", []byte(tc.patch))
			if err != nil {
				t.Fatal(err)
			}
			got, err := p.Apply(reader(tc.files))
			if err != nil {
				t.Fatal(err)
			}
			text := map[string]string{}
			for k, v := range got {
				if text[k] = string(v); v == nil {
					text[k] = "<gone>"
				}
			}
			if !maps.Equal(text, tc.want) {
				t.Errorf("got %q\nwant %q", text, tc.want)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	plain := map[string]string{"fs/a.c": numbered(20, nil)}
	head := "--- a/fs/a.c\n+++ b/fs/a.c\n"
	for _, tc := range []struct {
		name, patch, want string
		files             map[string]string
	}{
		{"empty", "", `patch "t.patch": no change in it: want a unified diff (diff -u, git diff)`, nil},
		{"prose", "hello\nworld\n", `patch "t.patch": no change in it: want a unified diff (diff -u, git diff)`, nil},
		{"other file", "--- a/b.c\n+++ b/b.c\n" + hunk, `patch "t.patch": line 1: file "b.c": is not in the source tree; paths are read without their first component, as patch -p1 does`, plain},
		{"context differs", head + hunk, `patch "t.patch": line 3: file "fs/a.c": hunk 1: does not apply: line 10 should be "line 10", but is "other"`,
			map[string]string{"fs/a.c": numbered(20, map[int]string{10: "other\n"})}},
		{"file too short", head + hunk, `patch "t.patch": line 3: file "fs/a.c": hunk 1: does not apply: line 13 should be "line 13", but the file has 12 lines`,
			map[string]string{"fs/a.c": numbered(12, nil)}},
		{"two places", head + "@@ -9,3 +9,3 @@\n x\n-y\n+z\n x\n", `patch "t.patch": line 3: file "fs/a.c": hunk 1: is not at line 9, but fits at lines 1 and 4 alike`,
			map[string]string{"fs/a.c": "x\ny\nx\nx\ny\nx\n"}},
		{"no context at all", head + "@@ -3,0 +4 @@\n+new\n", `patch "t.patch": line 3: file "fs/a.c": hunk 1: has no context line to place it by`, plain},
		{"hunk cut off", head + "@@ -8,7 +8,7 @@\n line 8\n line 9\n", `patch "t.patch": line 3: hunk is shorter than its header says: the patch is cut off`, plain},
		{"hunk too long", head + hunk + "+more\n", `patch "t.patch": line 12: hunk is longer than its header says`, plain},
		{"header alone", head, `patch "t.patch": line 1: file header without a hunk after it`, plain},
		{"hunk without header", hunk, `patch "t.patch": line 1: hunk without a file header (` + "`---`, `+++`" + `) before it`, plain},
		{"leaves the tree", "--- a/../etc/passwd\n+++ b/../etc/passwd\n" + hunk, `patch "t.patch": line 1: path "../etc/passwd" leaves the source tree or is not in its shortest form`, plain},
		{"leaves the tree in git's form", "diff --git a/../x b/../x\n--- a/../x\n+++ b/../x\n" + hunk, `patch "t.patch": line 1: path "../x" leaves the source tree or is not in its shortest form`, plain},
		{"new file that exists", "--- /dev/null\n+++ b/fs/a.c\n@@ -0,0 +1 @@\n+a\n", `patch "t.patch": line 1: file "fs/a.c": the source tree has this file already`, plain},
		{"deletes less than there is", "--- a/fs/a.c\n+++ /dev/null\n@@ -1 +0,0 @@\n-line 1\n", `patch "t.patch": line 1: file "fs/a.c": is deleted by the patch, but has other content in the source tree`, plain},
		{"binary", "diff --git a/x.bin b/x.bin\nindex 111..222 100644\nBinary files a/x.bin and b/x.bin differ\n", `patch "t.patch": line 1: file "x.bin": a binary change; only text is applied`, map[string]string{"x.bin": "x"}},
		{"combined diff", "diff --cc a.c\n--- a/a.c\n+++ b/a.c\n@@@ -1,1 -1,1 +1,1 @@@\n  x\n", `patch "t.patch": line 2: file header without a hunk after it`, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p, err := Parse("t.patch", []byte(tc.patch))
			if err == nil {
				_, err = p.Apply(reader(tc.files))
			}
			var perr *Error
			if !errors.As(err, &perr) || err.Error() != tc.want {
				t.Errorf("got  %v\nwant %s", err, tc.want)
			}
		})
	}
}

func TestSeriesAppliesInOrder(t *testing.T) {
	first, err := Parse("1.patch", []byte("--- a/a.c\n+++ b/a.c\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n"))
	if err != nil {
		t.Fatal(err)
	}
	second, err := Parse("2.patch", []byte("--- a/a.c\n+++ b/a.c\n@@ -1,2 +1,2 @@\n a\n-c\n+d\n"))
	if err != nil {
		t.Fatal(err)
	}
	read := reader(map[string]string{"a.c": "a\nb\n"})
	got, err := Apply([]*Patch{first, second}, read)
	if err != nil || string(got["a.c"]) != "a\nd\n" {
		t.Errorf("in order: got %q, %v, want %q", got["a.c"], err, "a\nd\n")
	}
	if _, err := Apply([]*Patch{second, first}, read); err == nil {
		t.Error("the other way round applies as well")
	}
}

// TestOracle applies random edits of a random file with patch(1) and with this package.
func TestOracle(t *testing.T) {
	for _, tool := range []string{"diff", "patch"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Fatalf("program %q is not installed (Debian packages diffutils, patch)", tool)
		}
	}
	seed := uint32(1)
	random := func(n int) int { // a fixed sequence: a failure can be repeated
		seed = seed*1664525 + 1013904223
		return int(seed>>8) % n
	}
	for round := range 150 {
		dir := t.TempDir()
		var lines []string
		for range random(60) {
			lines = append(lines, fmt.Sprintf("%c\n", 'a'+random(6)))
		}
		edited := slices.Clone(lines)
		for range 1 + random(4) {
			at := random(len(edited) + 1)
			if random(2) == 0 && at < len(edited) {
				edited = slices.Delete(edited, at, at+1)
			} else {
				edited = slices.Insert(edited, at, fmt.Sprintf("%c\n", 'a'+random(6)))
			}
		}
		write(t, filepath.Join(dir, "a", "f.c"), strings.Join(lines, ""))
		write(t, filepath.Join(dir, "b", "f.c"), strings.Join(edited, ""))
		cmd := exec.Command("diff", "-u", "a/f.c", "b/f.c")
		cmd.Dir = dir
		diff, _ := cmd.Output() // exit 1: they differ
		if len(diff) == 0 {
			continue
		}
		base := strings.Repeat("q\n", random(3)) + strings.Join(lines, "")
		write(t, filepath.Join(dir, "c", "f.c"), base)
		cmd = exec.Command("patch", "-p1", "--fuzz=0", "--batch", "--forward", "--posix")
		cmd.Dir, cmd.Stdin = filepath.Join(dir, "c"), bytes.NewReader(diff)
		perr := cmd.Run()
		theirs, err := os.ReadFile(filepath.Join(dir, "c", "f.c"))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		p, err := Parse("oracle", diff)
		if err != nil {
			t.Fatalf("round %d: %v\n%s", round, err, diff)
		}
		ours, err := p.Apply(reader(map[string]string{"f.c": base}))
		if err != nil {
			// We may refuse what patch(1) guesses at, never without a reason, and never what stands where it says.
			if base == strings.Join(lines, "") {
				t.Fatalf("round %d: refused at the exact place: %v\n%s", round, err, diff)
			}
			continue
		}
		if perr != nil || !bytes.Equal(ours["f.c"], theirs) {
			t.Errorf("round %d: patch(1): %v\n%q\nours:\n%q\npatch:\n%s", round, perr, theirs, ours["f.c"], diff)
		}
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestPlaceOfManyLines finds a hunk of many equal lines in a file of more, and where none is.
func TestPlaceOfManyLines(t *testing.T) {
	const n = 200000
	patch := fmt.Sprintf("--- a/a.c\n+++ b/a.c\n@@ -7,%d +7,%d @@\n%s-b\n+c\n d\n", n+2, n+2, strings.Repeat(" a\n", n))
	p, err := Parse("t.patch", []byte(patch))
	if err != nil {
		t.Fatal(err)
	}
	for _, end := range []string{"b\nd\n", "b\ne\n"} {
		start := time.Now()
		got, err := p.Apply(reader(map[string]string{"a.c": strings.Repeat("a\n", 3*n) + end}))
		if want := end == "b\nd\n"; want != (err == nil) || want && string(got["a.c"]) != strings.Repeat("a\n", 3*n)+"c\nd\n" {
			t.Errorf("%q: %v", end, err)
		}
		if took := time.Since(start); took > time.Minute {
			t.Errorf("took %v", took)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("--- a/fs/a.c\n+++ b/fs/a.c\n"+hunk), []byte(numbered(20, nil)))
	f.Add([]byte("diff --git a/o.c b/n.c\nrename from o.c\nrename to n.c\n--- a/o.c\n+++ b/n.c\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n"), []byte("a\nb\n"))
	f.Add([]byte("diff --git a/x b/x\nnew file mode 100644\nGIT binary patch\nliteral 3\nKcmYdfVqi!\n\nliteral 0\nHcmV?d00001\n\n"), []byte{})
	f.Fuzz(func(t *testing.T, data, file []byte) {
		p, err := Parse("fuzz", data)
		if err != nil {
			var perr *Error
			if !errors.As(err, &perr) {
				t.Fatalf("error %T: %v", err, err)
			}
			return
		}
		if len(p.Files()) == 0 {
			t.Fatal("parsed, but holds nothing")
		}
		got, err := p.Apply(func(string) ([]byte, error) { return file, nil })
		if err != nil {
			return
		}
		for path := range got {
			if reason := checkPath(path, false); reason != "" {
				t.Fatalf("touches %q: %s", path, reason)
			}
		}
	})
}
