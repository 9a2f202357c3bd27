package safedwarf

import (
	"bytes"
	"debug/dwarf"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The abbreviations of made-up debug information: DWARF 4, references from the unit's start in four bytes.
var abbrevs = []byte{
	1, 0x11, 1, 0, 0, // a compile unit with children
	2, 0x16, 0, 0x49, 0x13, 0, 0, // a typedef
	3, 0x26, 0, 0x49, 0x13, 0, 0, // const
	4, 0x01, 1, 0x49, 0x13, 0, 0, // an array with children
	5, 0x0f, 0, 0x49, 0x13, 0, 0, // a pointer
	6, 0x24, 0, 0x0b, 0x0b, 0x3e, 0x0b, 0, 0, // a base type of some bytes
	7, 0x0b, 1, 0, 0, // a block with children
	8, 0x13, 1, 0x01, 0x13, 0x0b, 0x0b, 0, 0, // a struct with a sibling
	9, 0x16, 0, 0x49, 0x20, 0, 0, // a typedef of a type in a type unit
	0,
}

const header = 11 // bytes before the first entry

// unit makes debug information of entries.
func unit(t *testing.T, entries ...[]byte) *dwarf.Data {
	t.Helper()
	body := bytes.Join(entries, nil)
	info := binary.LittleEndian.AppendUint32(nil, uint32(len(body)+header-4))
	info = append(info, 4, 0, 0, 0, 0, 0, 8)
	d, err := dwarf.New(abbrevs, nil, nil, append(info, body...), nil, nil, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// to is an entry of an abbreviation with a reference to what begins n bytes behind the compile unit's own entry.
func to(abbrev byte, n int) []byte {
	return binary.LittleEndian.AppendUint32([]byte{abbrev}, uint32(header+1+n))
}

func TestTop(t *testing.T) {
	var long [][]byte
	long = append(long, []byte{1})
	for i := range longest + 1 {
		long = append(long, to(5, 5*(i+1)))
	}
	for _, c := range []struct {
		name    string
		entries [][]byte
		want    string // of the error; "" for none
	}{
		{"a number", [][]byte{{1}, {6, 4, 5}, {0}}, ""},
		{"a typedef of a number", [][]byte{{1}, to(2, 5), {6, 4, 5}, {0}}, ""},
		{"a typedef of itself", [][]byte{{1}, to(2, 0), {0}}, "leads to itself"},
		{"two typedefs of each other", [][]byte{{1}, to(2, 5), to(2, 0), {0}}, "leads to itself"},
		{"a const of itself", [][]byte{{1}, to(3, 0), {0}}, "leads to itself"},
		{"an array of itself", [][]byte{{1}, to(4, 0), {0}, {0}}, "leads to itself"},
		{"a pointer to a typedef of it", [][]byte{{1}, to(5, 5), to(2, 0), {0}}, "leads to itself"},
		{"in a block", [][]byte{{1}, {7}, {7}, to(2, 2), {0}, {0}, {0}}, "leads to itself"},
		{"as long as may be", append(append([][]byte{}, long[:longest]...), []byte{6, 4, 5}, []byte{0}), ""},
		{"too long", append(append([][]byte{}, long...), []byte{6, 4, 5}, []byte{0}), "to another by more than"},
		{"too deep", [][]byte{{1}, bytes.Repeat([]byte{7}, 2*deepestTree)}, "one in another"},
		{"a type unit's", [][]byte{{1}, {9, 1, 2, 3, 4, 5, 6, 7, 8}, {0}}, "type unit"},
		{"cut off", [][]byte{{1}, {2, 1}}, "underflow"},
		{"cut off within a number", [][]byte{{1}, {6, 4, 5}, {0x82}}, "a unit that ends within an entry"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Top(unit(t, c.entries...))
			if got := fmt.Sprint(err); c.want == "" && err != nil || !strings.Contains(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// TestSkip has entries deeper than a stack takes them, and siblings that are named, before the entry and behind it.
func TestSkip(t *testing.T) {
	for _, c := range []struct {
		name    string
		entries [][]byte
		next    dwarf.Offset // what follows the second entry; 0 for nothing
	}{
		{"deep", [][]byte{{1}, bytes.Repeat([]byte{7}, 1<<23)}, 0},
		{"with an end", [][]byte{{1}, {7}, {7}, {6, 4, 5}, {0}, {0}, {6, 4, 5}, {0}}, header + 1 + 7},
		{"its sibling", [][]byte{{1}, append(to(8, 10), 4), {6, 4, 5}, {0}, {6, 4, 5}, {0}}, header + 1 + 10},
		{"a sibling before it", [][]byte{{1}, append(to(8, 0), 4), {6, 4, 5}, {0}, {6, 4, 5}, {0}}, header + 1 + 10},
		{"no children", [][]byte{{1}, {6, 4, 5}, {6, 8, 5}, {0}}, header + 1 + 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := NewReader(unit(t, c.entries...))
			r.Next()
			e, err := r.Next()
			if err != nil {
				t.Fatal(err)
			}
			Skip(r, e)
			next, _ := r.Next()
			if next == nil && c.next != 0 || next != nil && next.Offset != c.next {
				t.Errorf("got %v, want an entry at %#x", next, c.next)
			}
		})
	}
}

// TestSame compares with Reader.SkipChildren on what a compiler makes.
func TestSame(t *testing.T) {
	dir := t.TempDir()
	src, obj := filepath.Join(dir, "t.c"), filepath.Join(dir, "t.o")
	const text = `struct a { struct b *b; }; struct b { struct a a; union { int x; long y; }; }; typedef struct a *pa;
static inline int in(pa p) { struct l { int z; } l = { p->b->x }; return l.z; } int f(pa p) { if (p) { int k = in(p); return k; } return 0; }`
	if err := os.WriteFile(src, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("gcc-12", "-O2", "-g", "-c", "-o", obj, src).CombinedOutput(); err != nil {
		t.Fatalf("gcc-12 (Debian package gcc-12): %v\n%s", err, out)
	}
	f, err := elf.Open(obj)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	d, err := f.DWARF()
	if err != nil {
		t.Fatal(err)
	}
	var want, skipped []dwarf.Offset
	r, q := d.Reader(), NewReader(d)
	for e, err := r.Next(); e != nil && err == nil; e, err = r.Next() {
		if want = append(want, e.Offset); e.Tag != dwarf.TagCompileUnit {
			r.SkipChildren()
		}
	}
	for e, err := q.Next(); e != nil && err == nil; e, err = q.Next() {
		if skipped = append(skipped, e.Offset); e.Tag != dwarf.TagCompileUnit {
			Skip(q, e)
		}
	}
	top, err := Top(d)
	if err != nil {
		t.Fatal(err)
	}
	var tops []dwarf.Offset
	for _, e := range top {
		tops = append(tops, e.Offset)
	}
	tops = append(tops, want[len(want)-1]) // the end of the unit
	if len(want) < 5 || fmt.Sprint(want) != fmt.Sprint(skipped) || fmt.Sprint(want) != fmt.Sprint(tops) {
		t.Errorf("SkipChildren gives %x, Skip %x, Top %x", want, skipped, tops)
	}
}

// TestTypes makes a type of each chain of the longest length, which must not take long.
func TestTypes(t *testing.T) {
	entries := [][]byte{{1}}
	for i := range longest {
		entries = append(entries, to(2, 5*(i+1)))
	}
	d := unit(t, append(entries, []byte{6, 4, 5}, []byte{0})...)
	top, err := Top(d)
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	for _, e := range top[1:] {
		if _, err := d.Type(e.Offset); err != nil {
			t.Fatal(err)
		}
	}
	if took := time.Since(start); took > time.Minute {
		t.Errorf("took %v", took)
	}
}
