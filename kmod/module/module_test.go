package module

import (
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const unitA = `
__attribute__((section(".modinfo"), used)) static const char info[] = "license=GPL\0name=test_mod";
extern int elsewhere(int);
static int state = 5;
static __attribute__((noinline)) int same(int x) { return elsewhere(x) + state; }
int entry_a(int x) { return same(x) + 1; }
int *pointer = &state;
`

const unitB = `
static __attribute__((noinline)) int same(int x) { asm volatile("nop"); return x * 3; }
__attribute__((section(".init.text"), noinline)) static int once(void) { asm volatile(""); return 1; }
int entry_b(int x) { return same(x) - 1; }
int setup(void) { return once(); }
`

const unitC = `
static __attribute__((noinline)) int once(void) { asm volatile("nop"); return 2; }
int entry_c(void) { return once(); }
`

// build links the units into one relocatable object, as kbuild does for a module of several.
func build(t testing.TB, units ...string) []byte {
	t.Helper()
	dir := t.TempDir()
	args := []string{"-r", "-o", filepath.Join(dir, "mod.ko")}
	for i, src := range units {
		c := filepath.Join(dir, string(rune('a'+i))+".c")
		if err := os.WriteFile(c, []byte(src), 0o644); err != nil {
			t.Fatal(err)
		}
		o := strings.TrimSuffix(c, ".c") + ".o"
		if out, err := exec.Command("gcc-12", "-O2", "-fno-PIE", "-mcmodel=kernel", "-fcf-protection=none", "-fno-asynchronous-unwind-tables", "-c", "-o", o, c).CombinedOutput(); err != nil {
			t.Fatalf("gcc-12 (Debian package gcc-12): %v\n%s", err, out)
		}
		args = append(args, o)
	}
	if out, err := exec.Command("ld", args...).CombinedOutput(); err != nil {
		t.Fatalf("ld (Debian package binutils): %v\n%s", err, out)
	}
	data, err := os.ReadFile(filepath.Join(dir, "mod.ko"))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestParse(t *testing.T) {
	im, err := Parse(build(t, unitA, unitB, unitC))
	if err != nil {
		t.Fatal(err)
	}
	if im.Name != "test_mod" {
		t.Errorf("name %q", im.Name)
	}
	one := func(name string) uint64 {
		t.Helper()
		all := im.Lookup(name)
		if len(all) != 1 {
			t.Fatalf("%d symbols %s", len(all), name)
		}
		return all[0].Addr
	}
	// A pointer in data leads to what it names.
	p, ok := im.Bytes(one("pointer"), 8)
	if !ok || binary.LittleEndian.Uint64(p) != one("state") {
		t.Errorf("pointer holds % x, state is at %#x", p, one("state"))
	}
	// So does the call in same() to a function that is not there; its only e8.
	same := im.Lookup("same")
	if len(same) != 2 {
		t.Fatalf("%d symbols same", len(same))
	}
	code, _ := im.Bytes(same[0].Addr, 16)
	i := strings.IndexByte(string(code), 0xe8)
	if i < 0 {
		t.Fatalf("no call in % x", code)
	}
	if to := same[0].Addr + uint64(i) + 5 + uint64(int64(int32(binary.LittleEndian.Uint32(code[i+1:])))); to != one("elsewhere") || im.At(to)[0].Type != 'U' {
		t.Errorf("the call leads to %#x, elsewhere is at %#x", to, one("elsewhere"))
	}
	if s := im.Lookup("once"); !im.Freed(s[0].Addr) || im.Freed(s[1].Addr) || im.Freed(one("elsewhere")) {
		t.Error("of the two functions once, the first is freed after loading, and nothing else")
	}
	for name, want := range map[string][]int{"entry_a": {0}, "same": {1, 2}, "once": {-1, -1}} {
		for i, s := range im.Lookup(name) {
			if got := im.SymPos(s); got != want[i] {
				t.Errorf("sympos of the %d. %s: %d, want %d", i+1, name, got, want[i])
			}
		}
	}
	for name, want := range map[string]byte{"entry_a": 'T', "state": 'd', "pointer": 'D', "elsewhere": 'U'} {
		if got := im.Lookup(name)[0].Type; got != want {
			t.Errorf("type of %s: %c, want %c", name, got, want)
		}
	}
	if _, ok := im.Bytes(one("state"), 1<<20); ok {
		t.Error("bytes beyond a section are given")
	}
}

func TestParseRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"no module": {build(t, unitB), `section ".modinfo": no name=: not a kernel module`},
		"text":      {[]byte("hello"), "header: not an ELF file"},
	} {
		if _, err := Parse(c.data); err == nil || err.Error() != c.want {
			t.Errorf("%s: got %v, want %s", name, err, c.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(build(f, unitA, unitB))
	f.Fuzz(func(t *testing.T, data []byte) {
		im, err := Parse(data)
		if err != nil {
			return
		}
		for _, s := range im.symbols {
			im.Bytes(s.Addr, 16)
			im.Place(s)
			im.Globals(s.Name)
			im.Freed(s.Addr)
			im.SymPos(s)
		}
		im.Release()
		if err := NewIndex().Add("m", data); err != nil {
			t.Errorf("a module that has an image has no place in the index: %v", err)
		}
	})
}
