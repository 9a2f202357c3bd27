package match_test

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestColdPart matches a part that jumps back into the middle of its function, where the shipped one has its
// instructions at other offsets.
func TestColdPart(t *testing.T) {
	const code = `
static noinline noclone used int near(int n) { return source(n) + 1; }
static noinline noclone cold int trouble(int n) { return source(n) - 1; }
int f(int n)
{
	asm volatile("cmp $7,%edi; je near");
	if (unlikely(n > 9))
		n = trouble(n);
	return source(n) + 2;
}
`
	im := link(t, [2]string{"a.c", code})
	r, _ := matched(t, im, "a.c", code)
	if got, want := proofs(im, "a.c", r), "f instruction by name\nf.cold strict by name\nnear strict by name\ntrouble strict by name\n"; !sameLines(got, want) {
		t.Errorf("got %s, want %s", got, want)
	}
	// The jump back goes to the next byte.
	at := im.find(t, im.files[":f.cold"]+7, 5, "\xe9")
	b, _ := im.Bytes(at+1, 1)
	b[0]++
	r, _ = matched(t, im, "a.c", code)
	if got, want := hideAddresses(proofs(im, "a.c", r)), "f instruction by name\nf.cold none: refers to ADDR, which is not f\nnear strict by name\ntrouble strict by name\n"; !sameLines(got, want) {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestPieceThatJumpsBack matches code out of line, without a symbol of its own, that jumps back into a function whose shipped
// instructions are at other offsets.
func TestPieceThatJumpsBack(t *testing.T) {
	const code = `
static noinline noclone used int near(int n) { return source(n) + 1; }
int f(int n)
{
	asm volatile("cmp $7,%edi; je near");
	asm volatile("jmp 6f; 7:\n.section .altinstr_aux,\"ax\"\n6: sub $5,%edi; jmp 7b\n.previous");
	return source(n) + 2;
}
`
	im := link(t, [2]string{"a.c", code})
	r, _ := matched(t, im, "a.c", code)
	if got, want := proofs(im, "a.c", r), "f instruction by name\nnear strict by name\n"; !sameLines(got, want) {
		t.Errorf("got %s, want %s", got, want)
	}
	// The piece jumps back to the next byte.
	jump := im.find(t, im.files[":f"], 16, "\xe9")
	b, _ := im.Bytes(jump+1, 4)
	aux := jump + 5 + uint64(int64(int32(binary.LittleEndian.Uint32(b))))
	b, _ = im.Bytes(im.find(t, aux, 8, "\xe9")+1, 1)
	b[0]++
	r, _ = matched(t, im, "a.c", code)
	if got, want := hideAddresses(proofs(im, "a.c", r)), "f none: ADDR refers to it, which is another place in the shipped function\nnear strict by name\n"; !sameLines(got, want) {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestBugEntry matches code that passes the address of its entry in __bug_table on.
func TestBugEntry(t *testing.T) {
	const code = `
int f(int n) { if (unlikely(n > 9)) WARN_FORMAT("f %d", 1, n); return source(n); }
int g(int n) { if (unlikely(n > 9)) WARN_FORMAT("g %d", 1, n); return source(n); }
`
	const other = `void warn_trap(struct bug_entry *bug, ...) { }`
	im := link(t, [2]string{"a.c", code}, [2]string{"o.c", other})
	r, _ := matched(t, im, "a.c", code)
	if got, want := proofs(im, "a.c", r), "f strict by name\ng strict by name\n"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	// g passes the entry of f.
	at := im.find(t, im.files[":g"], 40, "\x48\x8d")
	b, _ := im.Bytes(at+3, 1)
	b[0] -= 16
	r, _ = matched(t, im, "a.c", code)
	if got, want := proofs(im, "a.c", r), "f strict by name\ng none: refers to an entry of __bug_table for another place\n"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestUbsanFile matches code that reports its source file with the folder that it was built in.
func TestUbsanFile(t *testing.T) {
	code := func(file string, line int) string {
		return fmt.Sprintf(`asm(".section .rodata.str1.8,\"aMS\",@progbits,1\n1: .string \"%s\"\n.section .data..Lubsan_data0,\"aw\"\n`+
			`.Lubsan_data0: .quad 1b\n.long %d, 3\n.quad 5\n.text");
int f(int n) { asm volatile("mov $.Lubsan_data0,%%%%rdi" ::: "rdi"); return source(n); }
`, file, line)
	}
	im := link(t, [2]string{"a.c", code("/build/linux-7.2/fs/exec.c", 12)})
	for _, c := range []struct {
		file string
		line int
		want string
	}{
		{"/build/linux-7.2/fs/exec.c", 12, "f strict by name\n"},
		{"fs/exec.c", 12, "f strict by name\n"},
		{"fs/read.c", 12, "f none: refers to ADDR, where not the same data is: reports another source file\n"},
		{"fs/exec.c", 13, "f none: refers to ADDR, where not the same data is: different code\n"},
	} {
		r, _ := matched(t, im, "a.c", code(c.file, c.line))
		if got := hideAddresses(proofs(im, "a.c", r)); got != c.want {
			t.Errorf("%s:%d: got %s, want %s", c.file, c.line, got, c.want)
		}
	}
}

// sameLines compares texts whose lines may stand in another order.
func sameLines(a, b string) bool {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	slices.Sort(x)
	slices.Sort(y)
	return slices.Equal(x, y)
}
