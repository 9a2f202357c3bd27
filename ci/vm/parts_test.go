package vm

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"livesplice/pipeline/cache"
)

func TestModuleClosure(t *testing.T) {
	c, err := cache.Open("")
	if err != nil {
		t.Fatal(err)
	}
	kernel, err := findKernel(t.Context(), c, Config{Image: image(t)})
	if err != nil {
		t.Fatal(err)
	}
	tree, err := openModules(kernel.modules)
	if err != nil {
		t.Fatal(err)
	}
	// modinfo is the oracle of what a module depends on.
	for _, name := range []string{"ext4", "virtio_pci", "btrfs", "nf_tables", "crc16"} {
		b, err := tree.read(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		got, err := dependsOf(b)
		if err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command("/sbin/modinfo", "-F", "depends", filepath.Join(tree.dir, tree.files[name])).Output()
		if err != nil {
			t.Fatalf("modinfo (Debian package kmod): %v", err)
		}
		if want := strings.TrimSpace(string(out)); strings.Join(got, ",") != want {
			t.Errorf("%s: depends on %q, modinfo says %q", name, got, want)
		}
	}
	order, err := tree.closure(t.Context(), []string{"ext4", "ext4"})
	if err != nil {
		t.Fatal(err)
	}
	for _, dep := range []string{"mbcache", "jbd2", "crc16"} {
		if i := slices.Index(order, dep); i < 0 || i > slices.Index(order, "ext4") {
			t.Errorf("order %v: %s is not before ext4", order, dep)
		}
	}
	if order[len(order)-1] != "ext4" {
		t.Errorf("order %v: ext4 is not the last", order)
	}
}

func TestModuleName(t *testing.T) {
	for path, want := range map[string]string{
		"kernel/fs/nls/nls_iso8859-1.ko": "nls_iso8859_1",
		"a/b.ko.xz":                      "b",
		"modules.dep":                    "",
		"x.ko.sig":                       "",
	} {
		got, ok := moduleName(path)
		if got != want || ok != (want != "") {
			t.Errorf("%s: %q, %v; want %q", path, got, ok, want)
		}
	}
}

func TestModuleThatIsNone(t *testing.T) {
	dir := t.TempDir()
	for name, b := range map[string]string{"text.ko": "text", "bad.ko.xz": "text"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(b), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	tree, err := openModules(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"text", "bad"} {
		_, err := tree.closure(t.Context(), []string{name})
		if err == nil || !strings.HasPrefix(err.Error(), `file "`+filepath.Join(dir, tree.files[name])+`": `) {
			t.Errorf("%s: error %v, want one that names the file", name, err)
		}
	}
}

// cpio(1) is the oracle of the archive's form.
func TestCpio(t *testing.T) {
	var b bytes.Buffer
	w := &cpioWriter{w: &b}
	w.dir("d")
	w.file("d/three", 0o755, []byte("abc"))
	w.file("d/empty", 0o600, nil)
	w.file("four", 0o644, []byte("abcd"))
	w.end()
	if w.err != nil {
		t.Fatal(w.err)
	}
	dir := t.TempDir()
	cmd := exec.Command("cpio", "--extract", "--quiet", "--format=newc")
	cmd.Dir, cmd.Stdin = dir, &b
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("cpio (Debian package cpio): %v: %s", err, out)
	}
	for name, want := range map[string]struct {
		text string
		mode os.FileMode
	}{"d/three": {"abc", 0o755}, "d/empty": {"", 0o600}, "four": {"abcd", 0o644}} {
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || string(got) != want.text {
			t.Errorf("%s: %q, %v; want %q", name, got, err, want.text)
		}
		if st, err := os.Stat(filepath.Join(dir, name)); err != nil || st.Mode() != want.mode {
			t.Errorf("%s: mode %v, %v; want %v", name, st.Mode(), err, want.mode)
		}
	}
}

func TestParseRecord(t *testing.T) {
	for _, tc := range []struct {
		in     string
		want   LogLine
		kernel bool
	}{
		{"5,0,0,-;Linux version 6.1\n", LogLine{5, 0, 0, "Linux version 6.1"}, true},
		{"3,339,5140900,c,caller=T1;a; b\n SUBSYSTEM=pci\n DEVICE=+pci:x\n", LogLine{3, 339, 5140900 * time.Microsecond, "a; b"}, true},
		{"12,7,9,-;from user space\n", LogLine{4, 7, 9 * time.Microsecond, "from user space"}, false},
		{"6,8,9,-;\n", LogLine{6, 8, 9 * time.Microsecond, ""}, true},
	} {
		got, kernel, err := parseRecord(tc.in)
		if err != nil || got != tc.want || kernel != tc.kernel {
			t.Errorf("%q: %+v, %v, %v; want %+v, %v", tc.in, got, kernel, err, tc.want, tc.kernel)
		}
	}
	for _, in := range []string{"", "text", "5,0,0;x", "x,0,0,-;x", "5,-1,0,-;x", "5,0,x,-;x"} {
		if _, _, err := parseRecord(in); err == nil {
			t.Errorf("%q: no error", in)
		}
	}
}

func TestWarningLines(t *testing.T) {
	for text, want := range map[string]bool{
		"WARNING: CPU: 0 PID: 1 at kernel/x.c:1 f+0x1/0x2":                                             true,
		"BUG: kernel NULL pointer dereference, address: 0000000000000000":                              true,
		"Oops: 0002 [#1] PREEMPT SMP NOPTI":                                                            true,
		"Call Trace:":                                                                                  true,
		"general protection fault, probably for non-canonical address":                                 true,
		"RIP: 0010:f+0x1/0x2":                                                                          true,
		"------------[ cut here ]------------":                                                         true,
		"kernel BUG at fs/ext4/mballoc.c:1!":                                                           true,
		"INFO: task kworker/0:1:7 blocked for more than 120 seconds.":                                  true,
		"livepatch: enabling patch 'x'":                                                                false,
		"livepatch: 'x': patching complete":                                                            false,
		"x: loading out-of-tree module taints kernel.":                                                 false,
		"x: module verification failed: signature and/or required key missing - tainting kernel":       false,
		"x: tainting kernel with TAINT_LIVEPATCH":                                                      false,
		"this WARNING: is within a line":                                                               false,
		"Spectre V1 : Mitigation: usercopy/swapgs barriers and __user pointer sanitization":            false,
		"clocksource: timekeeping watchdog on CPU0: Marking clocksource 'tsc' as unstable because ...": false,
	} {
		got := WarningLines([]LogLine{{Level: 4, Seq: 10, Text: text}}, 10)
		if (len(got) == 1) != want {
			t.Errorf("%q at level 4: warning %v, want %v", text, !want, want)
		}
		if late := WarningLines([]LogLine{{Level: 4, Seq: 9, Text: text}}, 10); len(late) != 0 {
			t.Errorf("%q before the mark counts", text)
		}
		if loud := WarningLines([]LogLine{{Level: 3, Seq: 10, Text: text}}, 10); len(loud) != 1 {
			t.Errorf("%q at level 3 does not count", text)
		}
	}
}

func TestConsoleSeesAPanicInPieces(t *testing.T) {
	c, err := newConsole("")
	if err != nil {
		t.Fatal(err)
	}
	for _, piece := range []string{"one\r\n[ 1.0] Kernel pan", "ic - not syn", "cing: x\r", "\nend\r\n"} {
		if _, err := c.Write([]byte(piece)); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case <-c.panic:
	default:
		t.Error("the panic was not seen")
	}
	if got := c.panicLine(); got != "Kernel panic - not syncing: x" {
		t.Errorf("panic line %q", got)
	}
	if got := c.lastLines(2); got != "[ 1.0] Kernel panic - not syncing: x\nend" {
		t.Errorf("last lines %q", got)
	}
	for range 5 {
		_, _ = c.Write(bytes.Repeat([]byte("y"), consoleLimit/2))
	}
	if n := len(c.text()); n != consoleLimit {
		t.Errorf("%d bytes kept, want %d", n, consoleLimit)
	}
}

func FuzzParseRecord(f *testing.F) {
	f.Add("3,339,5140900,c,caller=T1;a; b\n SUBSYSTEM=pci\n")
	f.Add("5,0,0,-;Linux version 6.1\n")
	f.Fuzz(func(t *testing.T, in string) {
		l, _, err := parseRecord(in)
		if err == nil && (l.Level < 0 || l.Level > 7 || l.Time < 0 || strings.Contains(l.Text, "\n")) {
			t.Errorf("%q: %+v", in, l)
		}
	})
}

func FuzzDependsOf(f *testing.F) {
	f.Add([]byte("\x7fELF\x02\x01\x01"))
	f.Fuzz(func(t *testing.T, in []byte) {
		if deps, err := dependsOf(in); err != nil && deps != nil {
			t.Errorf("both %q and %v", deps, err)
		}
	})
}
