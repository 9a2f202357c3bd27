package diff_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"livesplice/kmod/diff"
	"livesplice/kmod/elfobj"
	"livesplice/kmod/unit/objtest"
)

var update = flag.Bool("update", false, "write testdata/objects/*/want.txt anew")

// TestCases holds verdicts, refusals and the extract of each case of testdata/objects against its want.txt, and for
// other machines than x86-64 against its want.MACHINE.txt. What the extract holds is told by readelf.
func TestCases(t *testing.T) {
	for _, m := range objtest.Machines {
		golden := "want." + m.Name + ".txt"
		if m.Name == objtest.X86.Name {
			golden = "want.txt"
		}
		files, err := filepath.Glob(filepath.Join(objtest.Folder(t), "*", golden))
		if err != nil || len(files) < 14 {
			t.Fatalf("%s: %d cases, %v", m.Name, len(files), err)
		}
		for _, file := range files {
			dir := filepath.Dir(file)
			t.Run(m.Name+"/"+filepath.Base(dir), func(t *testing.T) {
				t.Parallel()
				post := m.Object(t, filepath.Join(dir, "post.c"))
				got := report(t, m, m.Object(t, filepath.Join(dir, "pre.c")), post, strings.HasPrefix(filepath.Base(dir), "module-"))
				heldTo(t, file, got)
				if m.Name != objtest.X86.Name { // those of x86-64: TestIdentity
					identical(t, post, m.Object(t, filepath.Join(dir, "post.c")))
				}
			})
		}
	}
}

// heldTo holds a text against a file, or writes it with -update.
func heldTo(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

// identical compares an object with itself.
func identical(t *testing.T, a, b *elfobj.Object) {
	t.Helper()
	if r, err := diff.Compare("unit.c", a, b, diff.Options{}); err != nil {
		t.Error(err)
	} else if len(r.Changes) > 0 || len(r.Refusals) > 0 || len(r.Replaced()) > 0 {
		t.Errorf("changes %v, refusals %v", r.Changes, r.Refusals)
	}
}

// TestIdentity compares each object of x86-64 with itself.
func TestIdentity(t *testing.T) {
	var sources []string
	goldens, err := filepath.Glob(filepath.Join(objtest.Folder(t), "*", "want.txt"))
	if err != nil || len(goldens) < 50 {
		t.Fatalf("%d cases, %v", len(goldens), err)
	}
	for _, g := range goldens {
		sources = append(sources, filepath.Join(filepath.Dir(g), "pre.c"), filepath.Join(filepath.Dir(g), "post.c"))
	}
	for _, c := range sources {
		t.Run(filepath.Base(filepath.Dir(c))+"/"+filepath.Base(c), func(t *testing.T) {
			t.Parallel()
			if c == filepath.Join(objtest.Folder(t), "thread-local", "post.c") {
				t.Log("relocations of thread-local data are refused")
			} else {
				identical(t, objtest.Object(t, c), objtest.Object(t, c))
			}
		})
	}
}

// report is what diff says of two objects, one fact to a line.
// Those of a module come late where their names say so.
func report(t *testing.T, m objtest.Machine, pre, post *elfobj.Object, module bool) string {
	t.Helper()
	var b strings.Builder
	names := diff.Names{Prefix: "u0"}
	if module {
		names.Late = func(name string) bool { return strings.Contains(name, "their_") }
	}
	r, err := diff.Compare("unit.c", pre, post, diff.Options{Module: module})
	if err != nil {
		fmt.Fprintf(&b, "error %v\n", err)
		return b.String()
	}
	fmt.Fprintf(&b, "functions %d unchanged %d changed %d new %d removed %d\n", r.Counts.Functions, r.Counts.Unchanged, r.Counts.Changed, r.Counts.New, r.Counts.Removed)
	for _, c := range r.Changes {
		fmt.Fprintf(&b, "%s %s %s", c.Verdict, c.Kind, c.Name)
		if c.Why != "" {
			fmt.Fprintf(&b, ": %s", c.Why)
		}
		b.WriteByte('\n')
	}
	for _, n := range r.Notes {
		fmt.Fprintf(&b, "note %s\n", n)
	}
	refused(&b, r.Refusals)
	if len(r.Refusals) > 0 {
		return b.String()
	}
	x, err := r.Extract(names)
	var refusals diff.Refusals
	if errors.As(err, &refusals) {
		refused(&b, refusals)
		return b.String()
	}
	if err != nil {
		t.Fatal(err)
	}
	extract(t, &b, m, x)
	return b.String()
}

func refused(b *strings.Builder, refusals diff.Refusals) {
	for _, r := range refusals {
		fmt.Fprintf(b, "refused %s %s: %s\n", r.Code, r.Subject, r.Reason)
	}
}

// extract tells who is carried, what is needed, and what readelf sees in the object.
func extract(t *testing.T, b *strings.Builder, m objtest.Machine, x *diff.Extract) {
	t.Helper()
	for _, f := range x.Functions {
		fmt.Fprintf(b, "carries %s", f.Post.Name)
		if f.Pre != nil {
			fmt.Fprintf(b, " for %s as %s", f.Pre.Name, f.Entry.Name)
		}
		b.WriteByte('\n')
	}
	for _, name := range x.Idle {
		fmt.Fprintf(b, "idle %s\n", name)
	}
	for _, what := range x.Silent {
		fmt.Fprintf(b, "silent %s\n", what)
	}
	for _, n := range x.Needs {
		fmt.Fprintf(b, "needs %s:", n.Sym.Name)
		if n.Pre != nil {
			fmt.Fprintf(b, " the original's %s %s\n", n.Pre.Kind, n.Pre.Name)
		} else {
			fmt.Fprintf(b, " external %s\n", n.Name)
		}
	}
	data, err := x.Obj.Write()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "extract.o")
	if err := os.WriteFile(file, data, 0o644); err != nil {
		t.Fatal(err)
	}
	// The linker, too, must take it.
	if !m.NoLinker {
		objtest.Run(t, m.Binutils, m.Tool("ld"), "-r", "-o", file+".linked", file)
	}
	out := objtest.Run(t, m.Binutils, m.Tool("readelf"), "-SsrW", file)
	for _, line := range strings.Split(out, "\n") {
		b.WriteString(elfFact(line))
	}
}

var relocPrefix = regexp.MustCompile(`^R_(X86_64|AARCH64|PPC64|390|LARCH)_`)

// elfFact shortens a line of readelf -SsrW.
func elfFact(line string) string {
	f := strings.Fields(strings.NewReplacer("[ ", "[").Replace(line))
	switch {
	case strings.HasPrefix(line, "  [") && len(f) > 8 && f[1] != "[Nr]" && (f[2] == "PROGBITS" || f[2] == "NOBITS"):
		flags := ""
		if len(f) == 11 {
			flags = f[7]
		}
		return fmt.Sprintf("section %s %s %s size %s align %s\n", f[1], f[2], flags, strings.TrimLeft(f[5], "0"), f[len(f)-1])
	case strings.HasPrefix(line, "Relocation section"):
		return "relocations of " + strings.TrimPrefix(strings.Trim(f[2], "'"), ".rela") + "\n"
	case len(f) >= 5 && strings.HasPrefix(f[2], "R_"):
		return fmt.Sprintf("  %s %s %s\n", strings.TrimLeft(f[0], "0"), relocPrefix.ReplaceAllString(f[2], ""), strings.Join(f[4:], ""))
	case len(f) == 10 && strings.HasSuffix(f[0], ":") && f[6] == "[<localentry>:":
		return fmt.Sprintf("symbol %s %s %s at %s size %s in %s local entry %s\n", f[4], f[3], f[9], strings.TrimLeft(f[1], "0"), f[2], f[8], strings.Trim(f[7], "]"))
	case len(f) == 8 && strings.HasSuffix(f[0], ":") && f[0] != "Num:" && f[3] != "SECTION" && f[0] != "0:":
		return fmt.Sprintf("symbol %s %s %s at %s size %s in %s\n", f[4], f[3], f[7], strings.TrimLeft(f[1], "0"), f[2], f[6])
	}
	return ""
}
