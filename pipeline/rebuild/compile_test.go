package rebuild

import (
	"bytes"
	"debug/dwarf"
	"debug/elf"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"livesplice/pipeline/process"
)

// snapshot lists a folder's entries with size, mode and time, to show that nobody wrote to it.
func snapshot(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil {
			all[path] = info.Mode().String() + " " + info.ModTime().String()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func diffSnapshots(t *testing.T, before, after map[string]string) {
	t.Helper()
	for p, b := range before {
		if after[p] != b {
			t.Errorf("%s: was %s, is %s", p, b, after[p])
		}
	}
	for p, a := range after {
		if _, ok := before[p]; !ok {
			t.Errorf("%s: new, %s", p, a)
		}
	}
}

// functions are the bytes of all executable sections by name.
func sections(t *testing.T, path string, flag elf.SectionFlag) map[string]string {
	t.Helper()
	f, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	out := map[string]string{}
	for _, s := range f.Sections {
		if s.Flags&flag != 0 && s.Type != elf.SHT_NOBITS {
			b, err := s.Data()
			if err != nil {
				t.Fatal(err)
			}
			out[s.Name] += string(b)
		}
	}
	return out
}

func TestUnchangedSourceGivesTheSameObject(t *testing.T) {
	s := shippedTree(t)
	pre, err := s.tree.Compile(t.Context(), "fs/namei.o", nil)
	if err != nil {
		t.Fatal(err)
	}
	// A comment at the end makes another key, and must make no other code, nor another line.
	post, err := s.tree.Compile(t.Context(), "fs/namei.o", map[string][]byte{"fs/namei.c": append(s.read(t, "fs/namei.c"), "/* same */\n"...)})
	if err != nil {
		t.Fatal(err)
	}
	if pre.Path == post.Path || post.Source != "fs/namei.c" {
		t.Errorf("paths %q and %q, source %q", pre.Path, post.Path, post.Source)
	}
	a, err := os.ReadFile(pre.Path)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(post.Path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a, b) {
		t.Error("the objects differ")
		for name, text := range sections(t, pre.Path, elf.SHF_ALLOC) {
			if sections(t, post.Path, elf.SHF_ALLOC)[name] != text {
				t.Errorf("section %s differs", name)
			}
		}
	}
	if text := sections(t, pre.Path, elf.SHF_EXECINSTR); text[".text.vfs_rename"] == "" {
		t.Error("no section for vfs_rename")
	}
}

// TestNestedLibrary: kbuild's Makefile of arch/x86/lib takes -pg from cmdline.c, that of arch/x86 knows nothing of it.
func TestNestedLibrary(t *testing.T) {
	s := shippedTree(t)
	o, err := s.tree.Compile(t.Context(), "arch/x86/lib/cmdline.o", nil)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(o.Cmd, `-DKBUILD_MODFILE="arch/x86/lib/cmdline"`) || slices.Contains(o.Cmd, "-pg") {
		t.Errorf("compiled by %q", o.Cmd)
	}
}

func TestChangeShowsInItsFunctionOnly(t *testing.T) {
	s := shippedTree(t)
	pre, err := s.tree.Compile(t.Context(), "fs/open.o", nil)
	if err != nil {
		t.Fatal(err)
	}
	files := s.edit(t, "fs/open.c", "if (length < 0)	/* sorry, but loff_t says... */\n\t\treturn -EINVAL;",
		"if (length < 0)	/* sorry, but loff_t says... */\n\t\treturn -EPERM;")
	post, err := s.tree.Compile(t.Context(), "fs/open.o", files)
	if err != nil {
		t.Fatal(err)
	}
	before, after := sections(t, pre.Path, elf.SHF_EXECINSTR), sections(t, post.Path, elf.SHF_EXECINSTR)
	var changed []string
	for name := range before {
		if before[name] != after[name] {
			changed = append(changed, name)
		}
	}
	if strings.Join(changed, " ") != ".text.do_sys_truncate" {
		t.Errorf("changed sections: %v, want .text.do_sys_truncate only", changed)
	}
	again, err := s.tree.Compile(t.Context(), "fs/open.o", files)
	if err != nil || !again.Cached || again.Path != post.Path {
		t.Errorf("compiled again: cached %v, path %q, %v", again.Cached, again.Path, err)
	}
}

// TestHeaderThroughDotDot changes a header that the unit reads as "../internal.h": the folder of the unit must be one
// of the overlay, or the compiler would read the header as shipped.
func TestHeaderThroughDotDot(t *testing.T) {
	s := shippedTree(t)
	files := map[string][]byte{"fs/internal.h": append(s.read(t, "fs/internal.h"), "#error seen\n"...)}
	_, err := s.tree.Compile(t.Context(), "fs/iomap/buffered-io.o", files)
	var build *BuildError
	if !errors.As(err, &build) || !strings.Contains(build.FirstError, "#error seen") {
		t.Errorf("got %v, want the header's #error", err)
	}
}

// TestHeaderPastTheOverlay is the same for a header that includes another one through "..": only the dependencies
// tell that the compiler left the overlay.
func TestHeaderPastTheOverlay(t *testing.T) {
	base, dir := t.TempDir(), filepath.Join(t.TempDir(), "ov")
	for path, text := range map[string]string{"a/in.h": "#include \"../b/value.h\"\n", "b/value.h": "int v = 1;\n", "c/unit.c": "#include \"../a/in.h\"\n"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(base, path)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(base, path), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	// a and c are links into base, so "../b" is base's b.
	ov, err := newOverlay(base, dir, map[string][]byte{"b/value.h": []byte("int v = 2;\n")})
	if err != nil {
		t.Fatal(err)
	}
	preprocess := func() (string, []string) {
		deps := filepath.Join(t.TempDir(), "d")
		res, err := process.Run(t.Context(), process.Cmd{Path: "gcc-12", Args: []string{"-E", "-P", "-Wp,-MMD," + deps, dir + "/c/unit.c"}})
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(deps)
		if err != nil {
			t.Fatal(err)
		}
		return string(res.Stdout), parseDepfile(string(text))
	}
	text, deps := preprocess()
	if !strings.Contains(text, "v = 1") {
		t.Fatalf("the case does not show what it is about: %q", text)
	}
	dirs, err := ov.stale(deps)
	if err != nil || len(dirs) == 0 {
		t.Fatalf("stale folders: %v, %v; dependencies %q", dirs, err, deps)
	}
	for _, d := range dirs {
		if err := ov.makeReal(d); err != nil {
			t.Fatal(err)
		}
	}
	text, deps = preprocess()
	if !strings.Contains(text, "v = 2") {
		t.Errorf("with %v real: %q", dirs, text)
	}
	if dirs, err = ov.stale(deps); err != nil || len(dirs) != 0 {
		t.Errorf("still stale: %v, %v", dirs, err)
	}
}

func TestCompileError(t *testing.T) {
	s := shippedTree(t)
	_, err := s.tree.Compile(t.Context(), "fs/open.o", s.edit(t, "fs/open.c", "return -EINVAL;", "return -EINVALID;"))
	var build *BuildError
	if !errors.As(err, &build) {
		t.Fatalf("got %v, want *BuildError", err)
	}
	if !strings.HasPrefix(build.FirstError, "fs/open.c:") || !strings.Contains(build.FirstError, "EINVALID") {
		t.Errorf("first error %q, want fs/open.c:<line>: ... EINVALID", build.FirstError)
	}
	if build.Unit != "fs/open.o" || build.ExitCode != 1 || !strings.Contains(build.Command, "gcc-12") {
		t.Errorf("unit %q, exit code %d, command %.40q", build.Unit, build.ExitCode, build.Command)
	}
	if _, err := s.tree.Compile(t.Context(), "fs/nothing.o", nil); !errors.As(err, &build) {
		t.Errorf("a unit without a source: %v, want *BuildError", err)
	}
}

// TestGeneratedHeader compiles a unit for which kbuild makes a header first.
func TestGeneratedHeader(t *testing.T) {
	s := shippedTree(t)
	before := snapshot(t, s.tree.Object)
	pre, err := s.tree.Compile(t.Context(), "lib/crc32.o", nil)
	if err != nil {
		t.Fatal(err)
	}
	post, err := s.tree.Compile(t.Context(), "lib/crc32.o", map[string][]byte{"lib/crc32.c": append(s.read(t, "lib/crc32.c"), '\n')})
	if err != nil {
		t.Fatal(err)
	}
	a, b := sections(t, pre.Path, elf.SHF_ALLOC), sections(t, post.Path, elf.SHF_ALLOC)
	if len(a) == 0 || len(a) != len(b) {
		t.Errorf("%d and %d sections", len(a), len(b))
	}
	diffSnapshots(t, before, snapshot(t, s.tree.Object))
}

func TestGeneratedConstants(t *testing.T) {
	s := shippedTree(t)
	// A new comment leaves the constants as they are; another size of a structure that assembly code knows does not.
	files := s.edit(t, "arch/x86/include/asm/ptrace.h", "#include <asm/segment.h>", "#include <asm/segment.h> /* same */")
	if err := s.tree.units.checkGenerated(t.Context(), files); err != nil {
		t.Errorf("a comment: %v", err)
	}
	files = s.edit(t, "arch/x86/include/asm/ptrace.h", "#else /* __i386__ */\n\nstruct pt_regs {\n", "#else /* __i386__ */\n\nstruct pt_regs {\n\tunsigned long more;\n")
	err := s.tree.units.checkGenerated(t.Context(), files)
	var refusal *Refusal
	if !errors.As(err, &refusal) || refusal.File != "arch/x86/include/asm/ptrace.h" {
		t.Errorf("a larger struct pt_regs: %v, want *Refusal", err)
	}
}

// TestWholeDebug compiles a unit of a kernel whose debug information is elsewhere, compressed, or of some types only: what
// livesplice compiles has all of it, since layouts are compared by it.
func TestWholeDebug(t *testing.T) {
	for _, flags := range []string{"-g", "-g -gsplit-dwarf", "-g -gz=zlib", "-gz -g", "-g -fno-var-tracking -femit-struct-debug-baseonly", "-g -femit-struct-debug-reduced", "-g1", ""} {
		top := t.TempDir()
		b := fakeBuild(t, filepath.Join(top, "src"), filepath.Join(top, "obj"))
		for name, text := range map[string]string{
			"src/fs/m1.c":            "#include \"../include/linux/fs.h\"\nlong f(struct in_header *p) { return p->first + p->second; }\n",
			"src/include/linux/fs.h": "struct in_header { int first; long second; };\n",
			"obj/fs/.m1.o.cmd":       strings.ReplaceAll(strings.Replace(builtFiles["fs/.m1.o.cmd"], " -c ", " "+flags+" -c ", 1), "SRC", b.Source),
		} {
			if err := os.WriteFile(filepath.Join(top, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		later := time.Now().Add(time.Minute)
		if err := os.Chtimes(filepath.Join(b.Object, "fs/m1.o"), later, later); err != nil {
			t.Fatal(err)
		}
		o, err := b.Compile(t.Context(), "fs/m1.o", nil)
		if err != nil {
			t.Fatal(err)
		}
		f, err := elf.Open(o.Path)
		if err != nil {
			t.Fatal(err)
		}
		data, err := f.DWARF()
		if err != nil {
			t.Fatal(err)
		}
		var members []string
		for r, in := data.Reader(), false; ; {
			e, err := r.Next()
			if e == nil || err != nil {
				break
			}
			name, _ := e.Val(dwarf.AttrName).(string)
			in = in && e.Tag == dwarf.TagMember || e.Tag == dwarf.TagStructType && name == "in_header"
			if in && e.Tag == dwarf.TagMember {
				members = append(members, name)
			}
		}
		if !slices.Equal(members, []string{"first", "second"}) || f.Section(".debug_info").Flags&elf.SHF_COMPRESSED != 0 {
			t.Errorf("%q: members %q, section %v", flags, members, f.Section(".debug_info").SectionHeader)
		}
		f.Close()
	}
}
