package patch

import (
	"bytes"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// edit changes the second line of d/n.c, with a header of its own before it.
const edit = "@@ -1,2 +1,2 @@\n one\n-two\n+2\n"

const plainEdit = "--- a/d/n.c\n+++ b/d/n.c\n" + edit

// TestTools gives one patch file to git apply, patch(1) and this package. What we take, git takes with the same result; what
// we refuse and git takes is named here. patch(1), which guesses more, is asked where want says so.
func TestTools(t *testing.T) {
	files := map[string]string{"d/n.c": "one\ntwo\n", "d/empty.c": "", "d/o.c": "a\nb\nc\n", "d/with space.c": "one\ntwo\n", "d/n\xc3\xa4h.c": "one\ntwo\n", "s.sh": "x\n", "d/last.c": "one\ntwo"}
	const mail = "From 3f900d3b158f1b5d2ecb1b688994d1fee5f21b2e Mon Sep 17 00:00:00 2001\nFrom: A Packager <packager@example.org>\nSubject: [PATCH] louder\n\n"
	// How the three judge.
	const (
		all     = "all"       // take it, and give the same
		notOurs = "not ours"  // git takes it and we do not
		notGits = "not git's" // patch(1) takes it, git and we do not
		patchs  = "patch's"   // patch(1) and we take it; git does not
		none    = "none"      // refuse it
		gits    = "git's"     // git and we take it; patch(1) does something else
	)
	for _, c := range []struct{ name, patch, judged string }{
		{"plain", plainEdit, all},
		{"dashes in the message", mail + "Output before and after:\n\n--- before\n+++ after\n MEMTOTAL is louder now\n\n---\n d/n.c | 2 +-\n\n" + plainEdit + "-- \n2.39.5\n\n", all},
		{"dashes and an empty line in the message", mail + "--- before\n+++ after\n\n---\n\n" + plainEdit, all},
		{"dashes at the end of a message, then a file header", mail + "--- before\n+++ after\n" + plainEdit, all},
		{"at signs in the message", mail + "@@ not a hunk\n@@ -x\n\n" + plainEdit, all},
		{"a diff quoted in the message", mail + "> --- a/d/o.c\n> +++ b/d/o.c\n> @@ -1,3 +1,3 @@\n>  a\n> -b\n> +B\n>  c\n\n---\n" + plainEdit, all},
		{"a diff indented in the message", mail + "  --- a/d/o.c\n  +++ b/d/o.c\n  @@ -1,3 +1,3 @@\n   a\n  -b\n  +B\n   c\n\n---\n" + plainEdit, gits},
		{"only an indented diff", "  --- a/d/o.c\n  +++ b/d/o.c\n  @@ -1,3 +1,3 @@\n   a\n  -b\n  +B\n   c\n", notGits},
		{"a signature with dashes", plainEdit + "-- \nA Packager\n--- \n+++ \n", notOurs},
		{"two mails", mail + "---\n d/n.c | 2 +-\n\n" + plainEdit + "-- \n2.39.5\n\n" + mail + "--- a\n+++ b\n\n@@ text\n---\n\n--- a/d/o.c\n+++ b/d/o.c\n@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n-- \n2.39.5\n\n", all},
		{"two mails, the first with a mode alone", mail + "---\n s.sh | 0\n\ndiff --git a/s.sh b/s.sh\nold mode 100644\nnew mode 100755\n-- \n2.39.5\n\n" + mail + "---\n\n" + plainEdit, all},
		{"svn", "Index: a/d/n.c\n===================================================================\n--- a/d/n.c\t(revision 1)\n+++ b/d/n.c\t(working copy)\n" + edit, all},
		{"svn without a first component", "Index: d/n.c\n===================================================================\n--- d/n.c\t(revision 1)\n+++ d/n.c\t(working copy)\n" + edit, none},
		{"quilt", "Index: linux/d/n.c\n===================================================================\n--- linux.orig/d/n.c\n+++ linux/d/n.c\n" + edit, all},
		{"diff -ru", "diff -ru a/d/n.c b/d/n.c\n--- a/d/n.c\t2024-01-01 00:00:00.000000000 +0100\n+++ b/d/n.c\t2024-01-02 00:00:00.000000000 +0100\n" + edit + "Only in b: x\n", all},
		{"the old name is the shorter", "--- a/d/n.c\n+++ b/d/n.c.new\n" + edit, all},
		{"the new name is the shorter", "--- a/d/n.c.orig\n+++ b/d/n.c\n" + edit, all},
		{"CR at line ends", strings.ReplaceAll(plainEdit, "\n", "\r\n"), notGits},
		{"no newline at the end", "--- a/d/last.c\n+++ b/d/last.c\n@@ -1,2 +1,2 @@\n one\n-two\n\\ No newline at end of file\n+2\n\\ No newline at end of file\n", all},
		{"a newline at the end now", "--- a/d/last.c\n+++ b/d/last.c\n@@ -1,2 +1,2 @@\n one\n-two\n\\ No newline at end of file\n+2\n", all},
		{"new, without /dev/null", "--- a/d/new.c\n+++ b/d/new.c\n@@ -0,0 +1,2 @@\n+one\n+two\n", all},
		{"new, after another", plainEdit + "--- a/d/new.c\n+++ b/d/new.c\n@@ -0,0 +1 @@\n+one\n", all},
		{"new, without /dev/null, in git's form", "diff --git a/d/new.c b/d/new.c\n--- a/d/new.c\n+++ b/d/new.c\n@@ -0,0 +1,2 @@\n+one\n+two\n", notGits},
		{"new, with old lines", "--- a/d/new.c\n+++ b/d/new.c\n@@ -1 +1,2 @@\n one\n+two\n", none},
		{"new, with /dev/null", "--- /dev/null\n+++ b/d/new.c\n@@ -0,0 +1,2 @@\n+one\n+two\n", all},
		{"new, by its time", "--- a/d/new.c\t1970-01-01 00:00:00.000000000 +0000\n+++ b/d/new.c\t2024-01-01 00:00:00.000000000 +0000\n@@ -0,0 +1,2 @@\n+one\n+two\n", all},
		{"new and empty", "diff --git a/d/e.c b/d/e.c\nnew file mode 100644\nindex 0000000..e69de29\n", all},
		{"an empty file is filled", "--- a/d/empty.c\n+++ b/d/empty.c\n@@ -0,0 +1,2 @@\n+one\n+two\n", all},
		{"a file that is there is filled", "--- a/d/n.c\n+++ b/d/n.c\n@@ -0,0 +1,2 @@\n+one\n+two\n", notGits},
		{"emptied, without /dev/null", "--- a/d/n.c\n+++ b/d/n.c\n@@ -1,2 +0,0 @@\n-one\n-two\n", all},
		{"emptied, in git's form", "diff --git a/d/n.c b/d/n.c\n--- a/d/n.c\n+++ b/d/n.c\n@@ -1,2 +0,0 @@\n-one\n-two\n", all},
		{"deleted", "--- a/d/n.c\n+++ /dev/null\n@@ -1,2 +0,0 @@\n-one\n-two\n", all},
		{"deleted by its time", "--- a/d/n.c\t2024-01-01 00:00:00.000000000 +0000\n+++ b/d/n.c\t1970-01-01 00:00:00.000000000 +0000\n@@ -1,2 +0,0 @@\n-one\n-two\n", all},
		{"mode alone", "diff --git a/s.sh b/s.sh\nold mode 100644\nnew mode 100755\n", all},
		{"mode alone, then a plain diff", "diff --git a/s.sh b/s.sh\nold mode 100644\nnew mode 100755\n\nmore text\n" + plainEdit, all},
		{"renamed", "diff --git a/d/n.c b/d/m.c\nsimilarity index 100%\nrename from d/n.c\nrename to d/m.c\n", all},
		{"renamed with a change", "diff --git a/d/n.c b/d/m.c\nsimilarity index 50%\nrename from d/n.c\nrename to d/m.c\nindex 1111111..2222222 100644\n--- a/d/n.c\n+++ b/d/m.c\n" + edit, all},
		{"a name with a space", "--- a/d/with space.c\t2024-01-01 00:00:00.000000000 +0100\n+++ b/d/with space.c\t2024-01-01 00:00:00.000000000 +0100\n" + edit, all},
		{"a name with a space, in git's form", "diff --git a/d/with space.c b/d/with space.c\nindex 1111111..2222222 100644\n--- a/d/with space.c\t\n+++ b/d/with space.c\t\n" + edit, all},
		{"a quoted name", "diff --git \"a/d/n\\303\\244h.c\" \"b/d/n\\303\\244h.c\"\nindex 1111111..2222222 100644\n--- \"a/d/n\\303\\244h.c\"\n+++ \"b/d/n\\303\\244h.c\"\n" + edit, all},
		{"a quoted name in a plain diff", "--- \"a/d/n\\303\\244h.c\"\n+++ \"b/d/n\\303\\244h.c\"\n" + edit, all},
		{"git names a file and says nothing of it", "diff --git a/d/o.c b/d/o.c\n" + plainEdit, all},
		{"git names a file, then another", "diff --git a/d/o.c b/d/o.c\ndiff --git a/d/n.c b/d/n.c\nindex 1111111..2222222 100644\n" + plainEdit, patchs},
		{"text after git's line", "diff --git a/d/n.c b/d/n.c\nsome text\n" + plainEdit, all},
		{"a header cut off at the end", plainEdit + "--- a/d/o.c\n+++ b/d/o.c\n", notOurs},
		{"an empty line before the hunk", plainEdit + "--- a/d/o.c\n+++ b/d/o.c\n\n@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n", notGits},
		{"a hunk too long", plainEdit + "+more\n", notOurs},
		{"nothing", mail + "--- before\n+++ after\n text\n", none},
	} {
		t.Run(c.name, func(t *testing.T) {
			git, gitOK := byTool(t, files, c.patch, "git", "apply", "-")
			patch, patchOK := byTool(t, files, c.patch, "patch", "-s", "-p1", "--fuzz=0", "--batch", "--forward", "--no-backup-if-mismatch", "--reject-file=-")
			ours, ourError := byUs(files, c.patch)
			judged := ""
			switch {
			case ourError == nil && gitOK && patchOK && maps.Equal(git, patch):
				judged = all
			case ourError == nil && gitOK:
				judged = gits
			case ourError == nil && patchOK:
				judged, git = patchs, patch
			case gitOK:
				judged = notOurs
			case ourError != nil && patchOK:
				judged = notGits
			case ourError != nil:
				judged = none
			}
			if judged != c.judged {
				t.Errorf("taken by %q, want %q; git %v %q\npatch %v %q\nours %v %q", judged, c.judged, gitOK, git, patchOK, patch, ourError, ours)
			}
			if ourError == nil && !maps.Equal(git, ours) {
				t.Errorf("git gives %q\nwe give %q", git, ours)
			}
		})
	}
}

// byTool applies a patch to files by a program, and gives the files that there are then.
func byTool(t *testing.T, files map[string]string, patch, program string, args ...string) (map[string]string, bool) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		write(t, filepath.Join(dir, name), text)
	}
	cmd := exec.Command(program, args...)
	cmd.Dir, cmd.Stdin = dir, strings.NewReader(patch)
	cmd.Env = append(os.Environ(), "GIT_CEILING_DIRECTORIES="+filepath.Dir(dir), "LC_ALL=C", "TZ=UTC")
	err := cmd.Run()
	if cmd.ProcessState == nil {
		t.Fatalf("program %q (Debian packages git, patch): %v", program, err)
	}
	out := map[string]string{}
	walked := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		out[name] = string(data)
		return err
	})
	if walked != nil {
		t.Fatal(walked)
	}
	return out, err == nil
}

// byUs does so by this package.
func byUs(files map[string]string, patch string) (map[string]string, error) {
	p, err := Parse("t.patch", []byte(patch))
	if err != nil {
		return nil, err
	}
	changed, err := p.Apply(reader(files))
	if err != nil {
		return nil, err
	}
	out := maps.Clone(files)
	for name, data := range changed {
		if out[name] = string(bytes.Clone(data)); data == nil {
			delete(out, name)
		}
	}
	return out, nil
}
