package review

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"livesplice/kmod/livepatch"
)

func TestReadPatch(t *testing.T) {
	const patch = `From 0123 Mon Sep 17 00:00:00 2001
Subject: two files

- a list in the text, no change
---
 a.c | 2 +-

diff --git a/fs/a.c b/fs/a.c
index 1..2 100644
--- a/fs/a.c
+++ b/fs/a.c
@@ -1,3 +1,3 @@ int f
 one

--- minus two
+++ plus two
\ No newline at end of file
--- a/old.c	2026-01-01
+++ /dev/null
@@ -7 +0,0 @@
-gone
-- 
2.39
`
	p := readPatch("x.patch", "sum", []byte(patch))
	var b strings.Builder
	for _, f := range p.Files {
		fmt.Fprintf(&b, "%s\n", f.Name)
		for _, l := range f.Lines {
			fmt.Fprintf(&b, "%s %d %d %q\n", l.Kind, l.Old, l.New, l.Text)
		}
	}
	want := `fs/a.c
head 0 0 "diff --git a/fs/a.c b/fs/a.c"
head 0 0 "index 1..2 100644"
head 0 0 "--- a/fs/a.c"
head 0 0 "+++ b/fs/a.c"
hunk 0 0 "@@ -1,3 +1,3 @@ int f"
ctx 1 1 "one"
ctx 2 2 ""
del 3 0 "-- minus two"
add 0 3 "++ plus two"
head 0 0 "\\ No newline at end of file"
old.c
head 0 0 "--- a/old.c\t2026-01-01"
head 0 0 "+++ /dev/null"
hunk 0 0 "@@ -7 +0,0 @@"
del 7 0 "gone"
head 0 0 "-- "
head 0 0 "2.39"
`
	if got := b.String(); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	if p.Added != 1 || p.Removed != 2 || !strings.Contains(p.Prose, "- a list in the text") {
		t.Errorf("+%d -%d, prose %q", p.Added, p.Removed, p.Prose)
	}
}

func FuzzReadPatch(f *testing.F) {
	f.Add([]byte("--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n"))
	f.Add([]byte("@@ -1 +1 @@\ndiff --git a b\n\\"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p := readPatch("x", "", data)
		lines := 0
		for _, file := range p.Files {
			lines += len(file.Lines)
		}
		if most := bytes.Count(data, []byte("\n")) + 1; lines > most {
			t.Errorf("%d lines of %d", lines, most)
		}
	})
}

func TestVisible(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"plain\ttext\n", "plain\ttext\n"},
		{"if (a\u202e) b", "if (a⟨U+202E⟩) b"},
		{"\u2066x\u2069", "⟨U+2066⟩x⟨U+2069⟩"},
		{"zero\u200bwidth\ufeff", "zero⟨U+200B⟩width⟨U+FEFF⟩"},
		{"\x1b[31m\x07", "⟨U+001B⟩[31m⟨U+0007⟩"},
		{"tag \U000E0041", "tag ⟨U+E0041⟩"},
		{"Grüße 漢字 …", "Grüße 漢字 …"},
	} {
		if got := visible(tt.text); got != tt.want {
			t.Errorf("visible(%q) = %q, want %q", tt.text, got, tt.want)
		}
	}
}

func TestBrief(t *testing.T) {
	m := sample("").Manifest
	m.Objects[0].Functions[0].Why = "code"
	m.Unload = &livepatch.Unload{Reasons: []livepatch.UnloadReason{{Subject: "helper", Reason: "is passed to call_rcu in do_fcntl", Source: "fs/fcntl.c:310"}}}
	const want = `update 5d39151f for 6.1.0-54-amd64 (build-id 887c), revision 1, cumulative
Refuse hints
fixes CVE-2026-12345
not in this update, needs a reboot: CVE-2026-54321
fs/fcntl.c: 24 functions, 23 proven by bytes, 0 by instruction, 1 not located
  replaces do_fcntl at 0xffffffff8137d730, 1733 bytes: strict by name; code
  brings helper
warning: fs/fcntl.c:310: do_fcntl: takes a lock [lock-added]; look
after undo: stays loaded, for 1 reason
  fs/fcntl.c:310: helper is passed to call_rcu in do_fcntl
patch 01-a.patch, sha256 cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd
made by livesplice 0.1.0 with gcc-12, GNU ld
`
	if got := brief(t, m); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	// Of an older livesplice: no units, no proofs.
	m.Units, m.Warnings, m.Patches, m.Fixes, m.NeedsReboot, m.Replace = nil, nil, nil, nil, nil, false
	m.Unload = nil
	f := &m.Objects[0].Functions[0]
	f.Unit, f.Proof, f.By, f.Why = "", "", "", ""
	const old = `update 5d39151f for 6.1.0-54-amd64 (build-id 887c), revision 1, stands beside others
Refuse hints
  replaces do_fcntl at 0xffffffff8137d730, 1733 bytes
after undo: stays loaded, since its maker did not say that nothing of it is held
made by livesplice 0.1.0 with gcc-12, GNU ld
`
	if got := brief(t, m); got != old {
		t.Errorf("got:\n%s\nwant:\n%s", got, old)
	}
	m.Unload = &livepatch.Unload{Allowed: true}
	if got := brief(t, m); !strings.Contains(got, "\nafter undo: may be unloaded\n") {
		t.Errorf("got:\n%s", got)
	}
	m.Description = "steers\x1b[2Ja terminal"
	if got := brief(t, m); strings.Contains(got, "\x1b") {
		t.Errorf("a control character came through: %q", got)
	}
}

func brief(t *testing.T, m *livepatch.Manifest) string {
	t.Helper()
	var b strings.Builder
	if err := Brief(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
