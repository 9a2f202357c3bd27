package corpus

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"livesplice/kmod/diff"
	"livesplice/kmod/match"
	"livesplice/pipeline"
	"livesplice/pipeline/rebuild"
)

func TestDiffering(t *testing.T) {
	before, after := t.TempDir(), t.TempDir()
	put := func(dir, file, text string) {
		t.Helper()
		path := filepath.Join(dir, file)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range []string{"fs/a.c", "fs/same.c", "fs/gone.c", "fs/h.h", "arch/x86/k.c", "arch/arm/k.c", "tools/t.c", "Documentation/d.c", "drivers/tools/t.c"} {
		put(before, f, "old\n")
		if f != "fs/gone.c" {
			put(after, f, "new\n")
		}
	}
	put(after, "fs/same.c", "old\n")
	put(after, "fs/new.c", "new\n")
	got, err := differing(t.Context(), before, after)
	if want := []string{"arch/x86/k.c", "drivers/tools/t.c", "fs/a.c"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	text, err := unified(t.Context(), before, after, "fs/a.c")
	if want := "--- a/fs/a.c\n+++ b/fs/a.c\n@@ -1 +1 @@\n-old\n+new\n"; err != nil || string(text) != want {
		t.Errorf("got %q, %v, want %q", text, err, want)
	}
}

func TestClassify(t *testing.T) {
	for _, c := range []struct {
		err   error
		want  Outcome
		codes string
	}{
		{nil, Spliced, ""},
		{pipeline.ErrNoChange, NoChange, ""},
		{pipeline.ErrNotBuilt, NotBuilt, ""},
		{diff.Refusals{{Code: "no-fentry"}, {Code: "init-code"}, {Code: "no-fentry"}}, Refused, "init-code no-fentry"},
		{&match.Mismatch{}, Mismatch, ""},
		{&rebuild.BuildError{}, Alone, ""},
		{fmt.Errorf("disk full"), Failed, ""},
	} {
		if e := classify("x.c", c.err); e.Outcome != c.want || codes(e.Codes) != c.codes {
			t.Errorf("%v: %+v", c.err, e)
		}
	}
}

func TestResume(t *testing.T) {
	path := filepath.Join(t.TempDir(), "results.jsonl")
	if err := os.WriteFile(path, []byte(`{"file":"a.c","outcome":"spliced"}`+"\n"+`{"file":"b.c","outco`), 0o644); err != nil {
		t.Fatal(err)
	}
	done, err := readResults(path)
	if err != nil || len(done) != 1 || done["a.c"].Outcome != Spliced {
		t.Errorf("got %v, %v", done, err)
	}
}

func TestSameInputs(t *testing.T) {
	opts := Options{Out: t.TempDir(), Kernel: []string{"image.deb"}}
	for i, c := range []struct {
		before string
		ok     bool
	}{{"one", true}, {"one", true}, {"two", false}} {
		if err := sameInputs(opts, c.before, "new"); (err == nil) != c.ok {
			t.Errorf("%d: %v", i, err)
		}
	}
}

func TestTable(t *testing.T) {
	r := &Result{Differ: 10, Entries: []Entry{{Outcome: Spliced}, {Outcome: Spliced}, {Outcome: Spliced}, {Outcome: NoChange}, {Outcome: Alone},
		{Outcome: Refused, Codes: []diff.Code{"module-target"}}, {Outcome: Refused, Codes: []diff.Code{"init-code"}}}}
	const want = `files that differ              10
taken                           7
  spliced                       3
  no object change              1
  not built                     0
  refused                       2
  does not compile alone        1
  no match                      0
  failed                        0
refused by code
  init-code                     1
  module-target                 1
of 4 that change code of vmlinux, 3 are spliced: 75.0 %
`
	if got := r.Table(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
