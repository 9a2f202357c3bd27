package matrix

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"livesplice/kmod/diff"
	"livesplice/pipeline"
)

func done(kernel, fix string, replaced ...Replaced) *Record {
	return &Record{Format: 1, Key: "k", Kernel: kernel, Fix: fix, Outcome: "done", ID: "0123abcd", Replaced: replaced}
}

func TestSummary(t *testing.T) {
	records := []*Record{
		done("a", "one", Replaced{"vmlinux", []string{"f", "g"}}, Replaced{"nfs", []string{"f"}}),
		{Kernel: "a", Fix: "two", Code: pipeline.ExitRefused, Outcome: "refused", Error: "refused: x.c: f: reason [code]; remedy\nrefused: y"},
		done("b", "one", Replaced{"vmlinux", []string{"f", "h"}}),
		{Kernel: "b", Fix: "two", Code: pipeline.ExitNoChange, Outcome: "no change"},
		done("c", "one", Replaced{"vmlinux", []string{"f", "g"}}),
	}
	s := summarize(records, Shard{2, 5})
	const want = `a/one  done 0123abcd, 3 functions
a/two  refused (4): refused: x.c: f: reason [code]; remedy (and 1 more line)
b/one  done 0123abcd, 2 functions
b/two  no change
c/one  done 0123abcd, 2 functions
fix one: g is replaced on a, c, not on b
fix one: h is replaced on b, not on a, c
fix one: nfs:f is replaced on a, not on b, c
5 cells: 3 done, 1 no change, 1 refused
`
	if got := s.Text(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	fixes, err := json.Marshal(s.Fixes)
	const wantFixes = `[{"fix":"one","kernels":["a","b","c"],"common":["f"],"differ":[{"function":"g","on":["a","c"],"not_on":["b"]},` +
		`{"function":"h","on":["b"],"not_on":["a","c"]},{"function":"nfs:f","on":["a"],"not_on":["b","c"]}]},{"fix":"two","kernels":[],"common":[]}]`
	if err != nil || string(fixes) != wantFixes {
		t.Errorf("got %s, %v\nwant %s", fixes, err, wantFixes)
	}
	var unfinished *Unfinished
	if err := s.Err(); !errors.As(err, &unfinished) || unfinished.Code != 4 || unfinished.Without != 1 || s.Shard != "2/5" {
		t.Errorf("error %v, shard %q", err, s.Shard)
	}
}

func TestWorst(t *testing.T) {
	for _, tc := range []struct {
		codes []int
		want  int
	}{{nil, 0}, {[]int{0, 3, 0}, 0}, {[]int{3}, 0}, {[]int{0, 4}, 4}, {[]int{4, 5, 3}, 5}, {[]int{5, 6, 4}, 6}, {[]int{6, 2, 4}, 2}, {[]int{2, 1, 6}, 1}} {
		var records []*Record
		for _, c := range tc.codes {
			records = append(records, &Record{Code: c})
		}
		if got := worst(records); got != tc.want {
			t.Errorf("%v: %d, want %d", tc.codes, got, tc.want)
		}
	}
}

// TestRecord: a record holds as long as the files beside it are as it says.
func TestRecord(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := errors.Join(os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755), os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	write("x.deb", "package")
	write("livesplice-1/report.json", "{}")
	m := &Manifest{Kernels: []Kernel{{Name: "a"}}, Fixes: []Fix{{Name: "one"}}}
	c := m.Cells()[0]
	refusals := diff.Refusals{{Code: diff.InitCode, Unit: "x.c", Subject: "f", Reason: "r", Remedy: "m"}}
	r := newRecord(c, "key", nil, refusals)
	if r.Code != pipeline.ExitRefused || r.Outcome != "refused" || len(r.Refusals) != 1 || !r.final() {
		t.Errorf("record %+v", r)
	}
	if err := r.seal(dir); err != nil {
		t.Fatal(err)
	}
	got := load(dir)
	if got == nil || got.Key != "key" || len(got.Files) != 2 || got.Files[0].Path != "livesplice-1/report.json" || !got.unaltered(dir) {
		t.Fatalf("record %+v", got)
	}
	for _, tc := range []struct{ name, file, text string }{{"other bytes", "x.deb", "Package"}, {"cut off", "x.deb", "pack"}, {"one more", "y", ""}} {
		write(tc.file, tc.text)
		if got.unaltered(dir) {
			t.Errorf("%s: unaltered", tc.name)
		}
		write("x.deb", "package")
		os.Remove(filepath.Join(dir, "y"))
	}
	if err := os.Remove(filepath.Join(dir, "x.deb")); err != nil || got.unaltered(dir) {
		t.Errorf("one less: unaltered, %v", err)
	}
	for _, text := range []string{"", "{}", `{"format":2,"key":"k"}`, `{"format":1}`, `{"format":1,"key":"k"`} {
		write(recordName, text)
		if load(dir) != nil {
			t.Errorf("%q is a record", text)
		}
	}
	for code, final := range map[int]bool{0: true, 1: false, 2: false, 3: true, 4: true, 5: false, 6: false} {
		if (&Record{Code: code}).final() != final {
			t.Errorf("code %d: final is not %v", code, final)
		}
	}
}

// TestGate: the first cell begins whatever there is, the second when there is memory.
func TestGate(t *testing.T) {
	free := int64(cellMemory - 1)
	g := &gate{available: func() (int64, bool) { return free, true }, pause: time.Millisecond}
	if err := g.enter(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := g.enter(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a second one began: %v", err)
	}
	free++
	if err := g.enter(t.Context()); err != nil {
		t.Error(err)
	}
	free = 0
	g.leave()
	g.leave()
	if err := g.enter(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestMemory(t *testing.T) {
	if n, ok := meminfo("MemTotal:  100 kB\nMemAvailable:     2048 kB\n"); n != 2<<20 || !ok {
		t.Errorf("%d, %v", n, ok)
	}
	for _, bad := range []string{"", "MemAvailable: x kB\n", "MemAvailable: 5 MB\n", "MemAvailable: -5 kB\n"} {
		if n, ok := meminfo(bad); ok {
			t.Errorf("%q: %d", bad, n)
		}
	}
	if n, ok := available(); !ok || n <= 0 {
		t.Errorf("here: %d, %v", n, ok)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{"memory.max": "1000\n", "memory.current": "900\n", "memory.stat": "anon 1\ninactive_file 50\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if n, ok := groupMemory(dir); n != 150 || !ok {
		t.Errorf("control group: %d, %v", n, ok)
	}
	if err := os.WriteFile(filepath.Join(dir, "memory.max"), []byte("max\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, ok := groupMemory(dir); ok {
		t.Error("control group without a bound: there is one")
	}
}
