package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"livesplice/ci/archive"
	"livesplice/pipeline/cache"
	"livesplice/pipeline/corpus"
	"livesplice/pipeline/source"
)

// TestSmallCorpus takes four files of a shipped kernel through everything: one that needs a header of the new version,
// one that changes no code, one that no kernel is built from, one whose header changes what other files rely on.
func TestSmallCorpus(t *testing.T) {
	ctx := t.Context()
	kernels, err := archive.Kernels(ctx, "6.1")
	if err != nil {
		t.Fatal(err)
	}
	shipped, err := kernels[len(kernels)-1].Fetch(ctx)
	if err != nil {
		t.Fatal(err)
	}
	o := &options{perBoot: 5, corpus: corpus.Options{OldSource: shipped.Source, NewSource: newVersion(t, shipped.Source), Out: t.TempDir(),
		Kernel: []string{shipped.Image, shipped.Headers, shipped.HeadersCommon}, Log: t.Output()}}
	text, err := o.measure(ctx, shipped.Image)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(text) {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	for _, want := range []string{
		".c files that differ 4",
		"not part of the kernel or a module 1",
		"needs other files 1",
		"buildable 2",
		"of these with headers 1",
		"spliced 1",
		"no object change 1",
		"failed 0",
		"in a VM: loaded, seen patched, undone, unloaded, kernel log clean: 1 of 1",
	} {
		if !slices.Contains(lines, want) {
			t.Errorf("no line %q in\n%s", want, text)
		}
	}
	// Once more: all is known, so nothing is built or booted.
	var log bytes.Buffer
	o.corpus.Log = &log
	again, err := o.measure(ctx, shipped.Image)
	if err != nil || again != text {
		t.Errorf("again: %v\n%s", err, again)
	}
	for _, word := range []string{"spliced", "runs"} {
		if strings.Contains(log.String(), word) {
			t.Errorf("done again:\n%s", log.String())
		}
	}
}

// newVersion is a folder with just enough of a source tree to be one, and four changed files.
func newVersion(t *testing.T, deb string) string {
	t.Helper()
	c, err := cache.Open("")
	if err != nil {
		t.Fatal(err)
	}
	old, err := source.Open(t.Context(), c, deb)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, f := range []struct{ path, old, new string }{
		{"Makefile", "", ""}, {"Kconfig", "", ""}, {"Kbuild", "", ""}, {"scripts/Makefile.build", "", ""},
		{"fs/proc/internal.h", "#include <linux/proc_fs.h>\n", "#include <linux/proc_fs.h>\n#define PROC_TRAILER \"spliced\\n\"\n"},
		{"fs/proc/loadavg.c", "\treturn 0;\n", "\tseq_puts(m, PROC_TRAILER);\n\treturn 0;\n"},
		{"fs/proc/version.c", "GPL-2.0\n", "GPL-2.0-only\n"},
		{"drivers/macintosh/adb.c", "\n", "\n\n"},
		{"include/linux/fs.h", "long vfs_truncate(const struct path *, loff_t)", "long vfs_truncate(const struct path *, int)"},
		{"fs/open.c", "long vfs_truncate(const struct path *path, loff_t length)", "long vfs_truncate(const struct path *path, int length)"},
	} {
		data, err := os.ReadFile(filepath.Join(old.Dir, f.path))
		if err != nil {
			t.Fatal(err)
		}
		if f.old != f.new && !strings.Contains(string(data), f.old) {
			t.Fatalf("file %q has no %q", f.path, f.old)
		}
		target := filepath.Join(dir, f.path)
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(target, []byte(strings.Replace(string(data), f.old, f.new, 1)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestReplaceTable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "corpus.md")
	for _, c := range []struct{ before, after string }{
		{"a\n<!-- table 6.1 -->\nold\n<!-- end 6.1 -->\nb\n<!-- table 6.12 -->\n<!-- end 6.12 -->\n",
			"a\n<!-- table 6.1 -->\nnew\n<!-- end 6.1 -->\nb\n<!-- table 6.12 -->\n<!-- end 6.12 -->\n"},
		{"a\n<!-- table 6.1 -->\n", ""},
		{"<!-- table 6.12 -->\n<!-- end 6.12 -->\n", ""},
	} {
		if err := os.WriteFile(path, []byte(c.before), 0o644); err != nil {
			t.Fatal(err)
		}
		err := replaceTable(path, "6.1", "new\n")
		got, rerr := os.ReadFile(path)
		if rerr != nil {
			t.Fatal(rerr)
		}
		if c.after == "" {
			if err == nil || string(got) != c.before {
				t.Errorf("%q: %v, left %q", c.before, err, got)
			}
		} else if err != nil || string(got) != c.after {
			t.Errorf("%q: %v, got %q", c.before, err, got)
		}
	}
}

func TestChoose(t *testing.T) {
	kernels := []archive.Kernel{{Version: "6.1.1-1"}, {Version: "6.1.2-1"}}
	for _, c := range []struct {
		version string
		index   int
		want    string
	}{{"", 1, "6.1.2-1"}, {"6.1.1-1", 1, "6.1.1-1"}, {"6.1.3-1", 0, ""}} {
		if k, err := choose(kernels, c.version, c.index); k.Version != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%q: %q, %v", c.version, k.Version, err)
		}
	}
}

func TestImageOf(t *testing.T) {
	image, err := imageOf([]string{"dl/linux-headers-6.12.94+deb13-amd64_6.12.94-1_amd64.deb", "dl/linux-image-6.12.94+deb13-amd64_6.12.94-1_amd64.deb"})
	if want := "dl/linux-image-6.12.94+deb13-amd64_6.12.94-1_amd64.deb"; err != nil || image != want {
		t.Errorf("got %q, %v, want %q", image, err, want)
	}
	if _, err := imageOf([]string{"linux-headers.deb"}); err == nil {
		t.Error("no image, no error")
	}
}

func TestBadFlags(t *testing.T) {
	for _, args := range [][]string{{"-nonsense"}, {"argument"}, {"-per-boot", "-1"}} {
		if code := run(t.Context(), args, io.Discard, io.Discard); code != 2 {
			t.Errorf("%q: exit code %d, want 2", args, code)
		}
	}
}

func TestSummary(t *testing.T) {
	const want = `in a VM: loaded, seen patched, undone, unloaded, kernel log clean: 3 of 4
  of these, patched once more as their module came        1
  of these, the module does not load in the VM            1
`
	if got := summary([]verdict{{}, {Late: []string{"a"}}, {Absent: []string{"b"}}, {Problems: []string{"c"}, Late: []string{"d"}}}); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
