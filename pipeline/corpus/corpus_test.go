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
	for _, f := range []string{"fs/a.c", "fs/same.c", "fs/same.h", "fs/gone.c", "fs/gone.h", "fs/h.h", "arch/x86/k.c", "arch/arm/k.c", "tools/t.c",
		"tools/t.h", "Documentation/d.c", "drivers/tools/t.c"} {
		put(before, f, "old\n")
		if f != "fs/gone.c" && f != "fs/gone.h" {
			put(after, f, "new\n")
		}
	}
	put(after, "fs/same.c", "old\n")
	put(after, "fs/same.h", "old\n")
	put(after, "fs/new.c", "new\n")
	put(after, "fs/new.h", "new\n")
	got, err := differing(t.Context(), before, after)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"arch/x86/k.c", "drivers/tools/t.c", "fs/a.c"}; !slices.Equal(got.sources, want) {
		t.Errorf("sources: got %q, want %q", got.sources, want)
	}
	if want := []string{"fs/h.h", "fs/new.h"}; !slices.Equal(got.headers, want) {
		t.Errorf("headers: got %q, want %q", got.headers, want)
	}
	text, err := unified(t.Context(), before, after, "fs/a.c")
	if want := "--- a/fs/a.c\n+++ b/fs/a.c\n@@ -1 +1 @@\n-old\n+new\n"; err != nil || string(text) != want {
		t.Errorf("got %q, %v, want %q", text, err, want)
	}
}

func TestBelow(t *testing.T) {
	files := []string{"fs/a.c", "fsx/b.c", "kernel/sched/c.c", "mm/d.c"}
	if got := below(files, nil); !slices.Equal(got, files) {
		t.Errorf("no folder: got %q", got)
	}
	if got, want := below(files, []string{"fs/", "kernel", "mm/d.c"}), []string{"fs/a.c", "kernel/sched/c.c", "mm/d.c"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
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
		{errNotBuilt, NotBuilt, ""},
		{&alone{"other prototype"}, Alone, ""},
		{diff.Refusals{{Code: "no-fentry"}, {Code: "init-code"}, {Code: "no-fentry"}}, Refused, "init-code no-fentry"},
		{&rebuild.Refusal{}, Refused, "generated-constants"},
		{&match.Mismatch{}, Mismatch, ""},
		{&rebuild.BuildError{Command: "ld"}, Alone, ""},
		{&rebuild.BuildError{Command: "make modules"}, Failed, ""},
		{fmt.Errorf("disk full"), Failed, ""},
	} {
		var e Entry
		if e.classify(c.err); e.Outcome != c.want || codes(e.Codes) != c.codes {
			t.Errorf("%v: %+v", c.err, e)
		}
	}
}

func TestResume(t *testing.T) {
	dir := t.TempDir()
	r, err := openResults(dir, "inputs")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []string{"a.c", "b.c"} {
		if err := r.keep(line{Entry: Entry{File: f, Outcome: Spliced}, Seconds: 1}); err != nil {
			t.Fatal(err)
		}
	}
	r.close()
	path := filepath.Join(dir, "results.jsonl")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data[:len(data)-10], 0o644); err != nil { // killed while it wrote
		t.Fatal(err)
	}
	for _, c := range []struct {
		inputs, file string
		known        bool
	}{{"inputs", "a.c", true}, {"inputs", "b.c", false}, {"inputs", "c.c", true}, {"others", "a.c", false}} {
		r, err := openResults(dir, c.inputs)
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := r.find(c.file); ok != c.known || ok && (e.File != c.file || e.Outcome != Spliced) {
			t.Errorf("%s with %s: %+v, %t", c.file, c.inputs, e, ok)
		}
		// What is written behind a line that was cut short must be readable too.
		if err := r.keep(line{Entry: Entry{File: "c.c", Outcome: Spliced}}); err != nil {
			t.Fatal(err)
		}
		r.close()
	}
}

// TestDrawn puts the entries in another order than that of the files.
func TestDrawn(t *testing.T) {
	kinds := []Outcome{NotBuilt, Spliced, Alone, Refused, Failed, NoChange}
	for _, c := range []struct {
		want  int
		order []int
		taken int // of kinds, from the first on
	}{
		{0, []int{5, 4, 3, 2, 1, 0}, 6},
		{2, []int{5, 4, 3, 2, 1, 0}, 4}, // Spliced and Refused are the first two buildable ones
		{2, []int{0, 1, 2, 3, 4, 5}, 4},
		{2, []int{3, 0, 1, 5, 2, 4}, 4},
		{9, []int{0, 1, 2, 3, 4, 5}, 6},
	} {
		d := &drawn{want: c.want, entries: make([]*Entry, len(kinds))}
		for _, i := range c.order {
			d.put(i, Entry{File: fmt.Sprint(9 - i), Outcome: kinds[i]})
		}
		var got, want []string
		for _, e := range d.result() {
			got = append(got, e.File)
		}
		for i := range c.taken {
			want = append(want, fmt.Sprint(9-i))
		}
		slices.Sort(want)
		if !slices.Equal(got, want) || d.enough() != (c.want == 2) {
			t.Errorf("%+v: got %q, want %q", c, got, want)
		}
	}
}

func TestTable(t *testing.T) {
	in := func(target string, e Entry) Entry { e.Targets = []string{target}; return e }
	r := &Result{Old: "6.1.1-1", New: "6.1.2-1", Release: "6.1.0-1-amd64", Kernel: "6.1.1-1", Sample: 7, Seed: 3, Differ: 10, Entries: []Entry{
		in("vmlinux", Entry{Outcome: Spliced}), in("vmlinux", Entry{Outcome: Spliced, Headers: []string{"fs/internal.h"}}),
		in("ext4", Entry{Outcome: Spliced}), in("ext4", Entry{Outcome: NoChange}), {Outcome: Alone}, {Outcome: NotBuilt}, {Outcome: NotBuilt},
		in("xfs", Entry{Outcome: Refused, Codes: []diff.Code{"init-code", "layout-changed"}}),
		in("vmlinux", Entry{Outcome: Refused, Codes: []diff.Code{"init-code"}}), in("vmlinux", Entry{Outcome: Refused, Codes: []diff.Code{"init-code"}}),
	}}
	const want = `source 6.1.1-1 to 6.1.2-1, kernel 6.1.0-1-amd64 (6.1.1-1), sample of 7, seed 3

.c files that differ                       10
taken                                      10
  not part of the kernel or a module        2
  needs other files                         1
  buildable                                 7
    of these with headers                   1
    spliced                                 3
    no object change                        1
    refused                                 3
    no match                                0
    failed                                  0
refused by code
  init-code                                 2
  init-code layout-changed                  1
spliced of those that change object code
  all                               3 of    6   50.0 %
  vmlinux                           2 of    4   50.0 %
  modules                           1 of    2   50.0 %
  the file alone                    2 of    5   40.0 %
  with headers                      1 of    1  100.0 %
`
	if got := r.Table(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
