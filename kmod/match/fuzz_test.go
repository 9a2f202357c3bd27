package match_test

import (
	"os"
	"path/filepath"
	"testing"

	"livesplice/kmod/elfobj"
	"livesplice/kmod/match"
	"livesplice/kmod/unit"
	"livesplice/kmod/unit/objtest"
)

// damaged is an image with bytes changed at one address.
type damaged struct {
	*image
	at    uint64
	patch []byte
}

func (d damaged) Bytes(addr, n uint64) ([]byte, bool) {
	b, ok := d.image.Bytes(addr, n)
	if !ok || addr >= d.at+uint64(len(d.patch)) || d.at >= addr+n {
		return b, ok
	}
	b = append([]byte{}, b...)
	for i, c := range d.patch {
		if at := d.at + uint64(i) - addr; at < n {
			b[at] = c
		}
	}
	return b, true
}

// FuzzMatch matches a unit, damaged in one place, with a binary that is damaged in another. A function that is proven by
// bytes must have them, outside the fields that are relocated and the instructions that objtool replaces.
func FuzzMatch(f *testing.F) {
	const jumps = `
extern struct static_key key;
int small(int n) { while (n-- > 3) sink(&n); if (static_branch(&key)) return source(n); return n; }
static const char *const names[] = { "one", "two" };
const char *name(int n) { switch (n) { case 1: return names[0]; case 2: return printk("x") ? names[1] : 0; } return "three"; }
`
	im := link(f, [2]string{"a.c", unitA}, [2]string{"b.c", unitB}, [2]string{"c.c", jumps + "struct static_key key;"})
	var objects [][]byte
	for i, code := range []string{unitA, unitB, jumps} {
		src := filepath.Join(f.TempDir(), "unit.c")
		if err := os.WriteFile(src, []byte("#include \"kernel.h\"\n"+code), 0o644); err != nil {
			f.Fatal(err)
		}
		data, err := os.ReadFile(objtest.File(f, src, "-g0", "-I", objtest.Folder(f)))
		if err != nil {
			f.Fatal(err)
		}
		objects = append(objects, data)
		f.Add(uint8(i), uint32(0x40), []byte{}, uint16(0), []byte{})
		f.Add(uint8(i), uint32(0x48), []byte{0xe8}, uint16(0x30), []byte{0x90, 0x66, 0x90})
	}
	f.Fuzz(func(t *testing.T, which uint8, at uint32, patch []byte, place uint16, poke []byte) {
		data := append([]byte{}, objects[int(which)%len(objects)]...)
		copy(data[int(at)%len(data):], patch)
		obj, err := elfobj.Read(data)
		if err != nil {
			return
		}
		pre, err := unit.New(obj)
		if err != nil {
			return
		}
		run := damaged{im, im.sections[0].Addr + uint64(place), poke}
		r, err := match.Match("unit.c", pre, run)
		if err != nil {
			return
		}
		if r.Strict+r.ByInsn+r.Unmatched != len(r.Functions) {
			t.Fatalf("%d functions: %d, %d, %d", len(r.Functions), r.Strict, r.ByInsn, r.Unmatched)
		}
		r.Conflicts()
		r.Unexplained()
		for _, it := range pre.Items {
			if it.Kind == unit.Function {
				checkProof(t, pre, it, r, run)
			}
		}
	})
}

// checkProof holds a function that is proven by bytes, without an instruction replaced, against them.
func checkProof(t *testing.T, pre *unit.Unit, it *unit.Item, r *match.Result, run match.Run) {
	t.Helper()
	addr, ok := r.Located(it)
	if !ok {
		return
	}
	for _, f := range r.Functions {
		if f.Name != it.Name || f.Proof != match.Strict || f.Patched > 0 || f.Address != addr || f.Size != it.Size() {
			continue
		}
		have, ok := run.Bytes(addr, it.Size())
		refs, err := pre.Refs(it)
		if !ok || err != nil {
			t.Fatalf("%s is proven at %#x: %v, %v", it.Name, addr, ok, err)
		}
		at := uint64(0)
		want := it.Bytes()
		for i := 0; i <= len(refs); i++ {
			end, next := it.Size(), it.Size()
			if i < len(refs) {
				end, next = refs[i].Offset, refs[i].Offset+uint64(refs[i].Field.Size)
			}
			if at < end && string(want[at:end]) != string(have[at:end]) {
				t.Fatalf("%s is proven at %#x, and bytes %#x to %#x differ: % x, % x", it.Name, addr, at, end, want[at:end], have[at:end])
			}
			at = max(at, next)
		}
	}
}
