package layout

import (
	"bytes"
	"debug/dwarf"
	"debug/elf"
	"testing"
)

// FuzzTypes reads and compares types of debug information that was changed by itself: what Read makes of an object is mostly
// about its sections.
func FuzzTypes(f *testing.F) {
	for _, src := range []string{
		`struct a { struct a *next; struct { struct b *b; int x[3]; } *l, *r; }; struct b { struct a a; void (*f)(struct b *, int); }; typedef struct b t; t *v; int f(int n) { return ((char *)v)[n]; }`,
		`typedef int t0; typedef t0 t1; typedef const t1 t2; struct { union { t2 x; t1 *y; }; unsigned b : 3; } v[2][3]; enum { A, B } e; int f(t1 n, ...) { static t0 s; return s + v[n][0].b + e; }`,
	} {
		o, err := elf.NewFile(bytes.NewReader(compile(f, src, "-O2", "-w", "-gdwarf-4")))
		if err != nil {
			f.Fatal(err)
		}
		var parts [][]byte
		for _, name := range []string{".debug_abbrev", ".debug_info", ".debug_str"} {
			data, err := o.Section(name).Data()
			if err != nil {
				f.Fatal(err)
			}
			parts = append(parts, data)
		}
		f.Add(parts[0], parts[1], parts[2])
	}
	f.Fuzz(func(t *testing.T, abbrev, info, str []byte) {
		a, b := unitOf(abbrev, info, str), unitOf(abbrev, info, str)
		if a == nil || b == nil {
			return
		}
		if c, _ := Compare(a, b); len(c) > 0 {
			t.Errorf("differs from itself: %v", c)
		}
		for _, c := range ComparePrototypes(a, b) {
			_ = c.Pre.String()
		}
		_, _ = a.Users()
		a.Leaf("v", 3)
		for name := range a.variables {
			CompareVariable(a, b, name)
			a.Leaf(name, 1)
		}
	})
}

// unitOf is Read without an object around it; nil where that gives an error.
func unitOf(abbrev, info, str []byte) (u *Unit) {
	defer func() {
		if recover() != nil {
			u = nil
		}
	}()
	data, err := dwarf.New(abbrev, nil, nil, info, nil, nil, nil, str)
	if err != nil {
		return nil
	}
	u = &Unit{Types: map[string]Type{}, Constants: map[string]Constant{}, Prototypes: map[string]Prototype{}, data: data}
	if u.read() != nil {
		return nil
	}
	return u
}
