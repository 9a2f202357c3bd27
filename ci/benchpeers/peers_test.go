package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestRecords: what is kept in the repository can be read, and says where it is from.
func TestRecords(t *testing.T) {
	found, err := filepath.Glob("records/*.json")
	if err != nil || len(found) == 0 {
		t.Fatalf("%q, %v", found, err)
	}
	for _, path := range found {
		r, err := readRecord("records", strings.TrimSuffix(filepath.Base(path), ".json"))
		if err != nil || r == nil || r.Kernel+".json" != filepath.Base(path) {
			t.Errorf("%s: %+v, %v", path, r, err)
			continue
		}
		if r.Log == "" {
			continue
		}
		log, err := os.ReadFile(filepath.Join("records", r.Log))
		if err != nil || !strings.HasSuffix(string(log), " s\n") {
			t.Errorf("%s: log %q: %v", path, r.Log, err)
		}
	}
}

func TestReadRecord(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"cut": `{"kernel`, "nobodys": `{"kernel": "nobodys", "full_seconds": 1}`, "both": `{"log": "a", "given": "b"}`, "good": `{"log": "a", "full_seconds": 1.5}`} {
		if err := os.WriteFile(filepath.Join(dir, name+".json"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"cut", "nobodys", "both"} {
		if r, err := readRecord(dir, name); err == nil || !strings.Contains(err.Error(), name+".json") {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
	if r, err := readRecord(dir, "good"); err != nil || r.Full != 1.5 {
		t.Errorf("%+v, %v", r, err)
	}
	if r, err := readRecord(dir, "missing"); r != nil || err != nil {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestTable(t *testing.T) {
	s := func(wall, cpu float64) cost { return cost{duration(wall), duration(cpu)} }
	f := &figures{name: "6.1.192-small", patch: "fix", packages: pair{s(20, 15), s(2, 1)}, tree: pair{s(10, 8), s(1.5, 1)}, kpatch: pair{s(500, 800), s(60, 100)},
		record: &record{What: "vmlinux and modules", Full: 250, FullCPU: 400, Log: "small.log", Date: "2026-01-02", CPU: "Z80", Load: "0.10", Compiler: "gcc-12"}}
	const want = `6.1.192-small, fix; ratios to livesplice create by the finished build
                                                        wall   ratio  processor   ratio
livesplice create, from packages              cold   20.00 s            15.00 s
livesplice create, from packages              warm    2.00 s             1.00 s
livesplice create, by the finished build      cold   10.00 s             8.00 s
livesplice create, by the finished build      warm    1.50 s             1.00 s
kpatch-build                                  cold  500.00 s    50.0   800.00 s   100.0
kpatch-build                                  warm   60.00 s    40.0   100.00 s   100.0
full build                                    cold  250.00 s    25.0   400.00 s    50.0
full build: vmlinux and modules, measured on 2026-01-02, Z80, load 0.10, gcc-12; log small.log

bounds                                    measured    wanted
kpatch-build, cold, times as long             50.0       100  FAIL
kpatch-build, warm, times as long             40.0        20  PASS
`
	if got := f.table(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	f = &figures{name: "d", patch: "fix", packages: pair{s(20, 15), s(2, 1)}, why: "no", record: &record{Full: 840, Given: "somebody", KpatchCold: 960, KpatchWarm: 145}}
	const given = `d, fix; ratios to livesplice create from packages
                                                        wall   ratio  processor   ratio
livesplice create, from packages              cold   20.00 s            15.00 s
livesplice create, from packages              warm    2.00 s             1.00 s
full build (given)                            cold  840.00 s    42.0          -       -
kpatch-build (given)                          cold  960.00 s    48.0          -       -
kpatch-build (given)                          warm  145.00 s    72.5          -       -
given: somebody
kpatch-build was not run: no
`
	if got := f.table(); got != given {
		t.Errorf("got\n%s\nwant\n%s", got, given)
	}
}

func TestUnfit(t *testing.T) {
	for _, tc := range []struct{ config, want string }{
		{"CONFIG_DEBUG_INFO=y\nCONFIG_LIVEPATCH=y\n", ""},
		{"# CONFIG_DEBUG_INFO is not set\nCONFIG_DEBUG_INFO_NONE=y\n", "no debug information"},
		{"CONFIG_DEBUG_INFO=y\nCONFIG_X86_KERNEL_IBT=y\n", "CONFIG_X86_KERNEL_IBT"},
	} {
		if got := unfit(tc.config); !strings.Contains(got, tc.want) || (got == "") != (tc.want == "") {
			t.Errorf("%q: %q, want %q", tc.config, got, tc.want)
		}
	}
}

// TestVaried: each run has another patch of the same lines.
func TestVaried(t *testing.T) {
	b := &bench{dir: t.TempDir()}
	const patch = "../../testdata/patches/proc-version-spliced.patch"
	before, err := os.ReadFile(patch)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		path, err := b.varied(patch, i)
		if err != nil {
			t.Fatal(err)
		}
		after, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		mark := regexp.MustCompile(`(?m) /\* run ` + string(rune('0'+i)) + ` \*/$`)
		if len(mark.FindAll(after, -1)) != 1 || string(mark.ReplaceAll(after, nil)) != string(before) {
			t.Errorf("run %d:\n%s", i, after)
		}
	}
	empty := filepath.Join(t.TempDir(), "empty.patch")
	if err := os.WriteFile(empty, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := b.varied(empty, 0); err == nil || !strings.Contains(err.Error(), "empty.patch") {
		t.Errorf("%v", err)
	}
}

// script writes a program.
func script(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte("#!/bin/sh\nset -eu\n"+text), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestMeasure has stand-ins for livesplice, kpatch-build and the compiler: what they are given, and what becomes of it.
func TestMeasure(t *testing.T) {
	dir := t.TempDir()
	build := func(config string) subject {
		tree, source := t.TempDir(), t.TempDir()
		for name, text := range map[string]string{filepath.Join(tree, ".config"): config, filepath.Join(tree, "include/config/kernel.release"): "6.1.0-x\n",
			filepath.Join(source, "Makefile"): "olddefconfig vmlinux modules:\n\t@echo $@ $(CC) $(CURDIR) $(O); test -e $(O)/.config\n"} {
			if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		return subject{source: source, tree: tree, packages: []string{"image", "headers"}, patch: "../../testdata/patches/proc-version-spliced.patch"}
	}
	calls := filepath.Join(dir, "calls")
	b := &bench{dir: t.TempDir(), warm: 2, records: t.TempDir(), full: true, log: t.Output(),
		program: script(t, "livesplice", `echo "$@" >>`+calls+"\n"),
		kpatch:  script(t, "kpatch-build", `[ "$1" = -s ]; [ -e "$2/Makefile" ]; [ "$3" = -c ]; [ -e "$4" ]; [ "$5" = -v ]; echo kpatch-build >>`+calls+"\n")}
	f, err := b.measure(t.Context(), build("CONFIG_DEBUG_INFO=y\nCONFIG_CC_VERSION_TEXT=\"gcc-12 (Debian 12.2.0)\"\n"))
	if err != nil {
		t.Fatal(err)
	}
	if f.name != "6.1.0-x" || f.packages.warm.wall == 0 || f.tree.warm.wall == 0 || f.kpatch.warm.wall == 0 || f.why != "" || f.record == nil || f.record.Compiler != "gcc-12 (Debian 12.2.0)" {
		t.Errorf("%+v", f)
	}
	log, err := os.ReadFile(filepath.Join(b.records, "6.1.0-x.log"))
	if err != nil || !strings.Contains(string(log), "vmlinux gcc-12 SOURCE OBJECT") {
		t.Errorf("log %q, %v", log, err)
	}
	text, err := os.ReadFile(calls)
	if err != nil || strings.Count(string(text), " --source ") != 3 || strings.Count(string(text), " --build-tree ") != 3 || strings.Count(string(text), "kpatch-build\n") != 2 {
		t.Errorf("calls %v:\n%s", err, text)
	}
	for why, with := range map[string]func(*bench, *subject){
		"not installed here":          func(b *bench, s *subject) { b.kpatch = "kpatch-build-is-not-here" },
		"no debug information":        func(b *bench, s *subject) { *s = build("") },
		"there is no finished build ": func(b *bench, s *subject) { s.tree = "" },
	} {
		other, s := *b, build("CONFIG_DEBUG_INFO=y\n")
		other.full = false
		with(&other, &s)
		if f, err := other.measure(t.Context(), s); err != nil || !strings.Contains(f.why, why) || f.kpatch != (pair{}) || f.packages.cold.wall == 0 {
			t.Errorf("%s: %+v, %v", why, f, err)
		}
	}
	failing := *b
	failing.kpatch = script(t, "kpatch-build", "mkdir $HOME/.kpatch; echo the reason >$HOME/.kpatch/build.log; exit 1\n")
	if _, err := failing.measure(t.Context(), build("CONFIG_DEBUG_INFO=y\n")); err == nil || !strings.Contains(err.Error(), "the reason") {
		t.Errorf("%v", err)
	}
}
