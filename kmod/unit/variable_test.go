package unit_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"livesplice/kmod/elfobj"
	"livesplice/kmod/unit"
	"livesplice/kmod/unit/objtest"
)

// TestVariables: scope, type and place of each variable, with DWARF 4 and 5, and of those that the compiler dropped.
func TestVariables(t *testing.T) {
	const code = `extern int source(int n), elsewhere;
struct slot { long a, b; };
typedef struct { int x; } named;
static struct slot table[8], *first = table;
static named one;
static const int fixed[2] = { 1, 2 };
static int folded = 4;
int global = 3;
static inline int helper(int n) { static int count; static _Bool once; if (!once) { once = 1; source(1); } count += n; return count; }
int f(int n) { int automatic = source(n); { static long last; last += automatic; return helper(source(last)); } }
int g(int n) { static int dropped = 7; first->a += n; one.x++; first++; return helper(n) + dropped + folded + fixed[n] + global++ + elsewhere; }
`
	names := map[string]bool{}
	for _, n := range strings.Fields("table first one fixed folded global count once automatic last dropped elsewhere") {
		names[n] = true
	}
	want := `table in  type struct slot[8] const false bool false at table line 4
first in  type *struct slot const false bool false at first line 4
one in  type struct named const false bool false at one line 5
fixed in  type int[2] const true bool false at fixed line 6
folded in  type int const false bool false at nowhere line 7
global in  type int const false bool false at global line 8
count in helper type int const false bool false at count line 9
once in helper type _Bool const false bool true at once line 9
last in f type long int const false bool false at last line 10
dropped in g type int const false bool false at nowhere line 11
`
	for _, flags := range [][]string{{"-g", "-gdwarf-5"}, {"-g", "-gdwarf-4"}} {
		u := objtest.Unit(t, code, flags...)
		vars, err := u.Variables(names)
		if err != nil {
			t.Fatal(flags, err)
		}
		got := map[string]string{}
		for _, v := range vars {
			at := "nowhere"
			if v.Item != nil {
				at = unit.BaseName(v.Item.Name)
			}
			if !strings.HasSuffix(v.File, "unit.c") {
				t.Errorf("%v: %s is in file %q", flags, v.Name, v.File)
			}
			got[v.Name] += fmt.Sprintf("%s in %s type %s const %v bool %v at %s line %d\n", v.Name, v.Function, v.Type, v.Const, v.Bool, at, v.Line)
		}
		for _, line := range strings.SplitAfter(want, "\n") {
			name, _, _ := strings.Cut(line, " ")
			if got[name] != line {
				t.Errorf("%v: got %q, want %q", flags, got[name], line)
			}
		}
	}
	if _, err := objtest.Unit(t, code, "-g0").Variables(names); !errors.Is(err, unit.ErrNoVariables) {
		t.Error(err)
	}
	if vars, err := objtest.Unit(t, code, "-g", "-gz=zlib").Variables(names); err == nil {
		t.Errorf("compressed: %d variables", len(vars))
	}
}

// FuzzVariables damages one place of an object with debug information.
func FuzzVariables(f *testing.F) {
	var objects [][]byte
	names := map[string]bool{}
	for _, c := range []string{"same-name-other-scope", "fresh-name-own", "last-writer-of-local", "static-local-by-type"} {
		for _, flags := range [][]string{{"-gdwarf-5"}, {"-gdwarf-4"}} {
			data, err := os.ReadFile(objtest.File(f, filepath.Join(objtest.Folder(f), c, "post.c"), flags...))
			if err != nil {
				f.Fatal(err)
			}
			objects = append(objects, data)
			f.Add(uint8(len(objects)-1), uint32(0x40), []byte{0xe8})
		}
	}
	for _, n := range []string{"count", "limit", "last", "__warned", "_rs", "__key"} {
		names[n] = true
	}
	f.Fuzz(func(t *testing.T, which uint8, at uint32, patch []byte) {
		data := append([]byte{}, objects[int(which)%len(objects)]...)
		copy(data[int(at)%len(data):], patch)
		obj, err := elfobj.Read(data)
		if err != nil {
			return
		}
		u, err := unit.New(obj)
		if err != nil {
			return
		}
		vars, err := u.Variables(names)
		if err != nil {
			return
		}
		for _, v := range vars {
			if !names[v.Name] || v.Item != nil && !slices.Contains(u.Items, v.Item) {
				t.Fatalf("%+v", v)
			}
		}
	})
}

// TestDeepEntries: a damaged object whose entries stand one in another a million times does not exhaust the stack.
func TestDeepEntries(t *testing.T) {
	u := objtest.Unit(t, "static int count;\nint f(int n) { count += n; return count; }\n", "-gdwarf-4")
	s, abbrev := u.Obj.Section(".debug_info"), u.Obj.Section(".debug_abbrev")
	const code, lexicalBlock, member = 101, 0x0b, 0x0d
	for _, tag := range []byte{lexicalBlock, member} {
		abbrev.Data = append(abbrev.Data[:len(abbrev.Data)-1], code, tag, 1, 0, 0, 0) // with children, without attributes
		s.Data = append(s.Data[:len(s.Data)-1], bytes.Repeat([]byte{code}, 1<<20)...)
		binary.LittleEndian.PutUint32(s.Data, uint32(len(s.Data)-4))
		if vars, err := u.Variables(map[string]bool{"count": true}); err == nil && len(vars) != 1 {
			t.Errorf("tag %#x: %d variables", tag, len(vars))
		}
	}
}
