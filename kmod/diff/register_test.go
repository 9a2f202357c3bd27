package diff_test

import (
	"strings"
	"testing"

	"livesplice/kmod/diff"
	"livesplice/kmod/unit/objtest"
)

// TestWalkedConstants changes a table whose address code computes: where no code lets it go, there is a copy of it.
func TestWalkedConstants(t *testing.T) {
	const head = `#include "kernel.h"
struct entry { int id; short rate, depth; long mask; };
static const struct entry table[] = { { 1, 2, 3, 4 }, { 5, 6, 7, 8 }, { 9, 10, CHANGED, 12 }, { 13, 14, 15, 16 }, { 0 } };
static const char name[16] = "name CHANGED";
extern void *memcpy(void *, const void *, unsigned long); extern int memcmp(const void *, const void *, unsigned long); extern void *memchr(const void *, int, unsigned long);
extern int _printk(const char *, ...); extern int keep(int, const void *); extern const struct entry *current;
static inline const struct entry *find(int id) { const struct entry *e; for (e = table; e->id; e++) { if (e->id == id) return e; asm volatile("" : "+r" (e)); } return 0; }
`
	for _, c := range []struct {
		name, code string
		copied     bool
	}{
		{"walked to its end", `int f(int id) { const struct entry *e; for (e = table; e < table + 4; e++) { asm volatile("" : "+r" (e)); if (e->id == id) return e->depth; } return 0; }`, true},
		{"left in a register that calls pass", `int f(int id) { const struct entry *e = find(id); return source(e ? e->mask : 0); }`, false},
		{"left in RDX, which a pair is returned in", `int f(int id) { const struct entry *e = find(id); return e ? e->depth : -1; }`, false},
		{"walked with calls between", `int f(int id) { const struct entry *e; int n = 0; for (e = table; e->id; e++) n += source(e->depth); return n; }`, true},
		{"copied by its address", `void f(void *to) { memcpy(to, name, source(3)); }`, true},
		{"printed", `void f(void) { _printk("%s", name); }`, true},
		{"compared by content", `int f(const char *s) { return memcmp(s, name, 16) ? source(1) : source(2); }`, true},
		{"an index from two places", `int f(int id) { const struct entry *e; for (e = table; e < table + 4; e++) { asm volatile("" : "+r" (e)); if (e->id == id) break; } return (int)(((long)e - (long)table) >> 3); }`, true},
		{"returned", `const struct entry *f(int id) { return find(id); }`, false},
		{"stored", `int f(int id) { current = find(id); return 0; }`, false},
		{"stored on the stack", `int f(int id) { const struct entry *e = find(id); const struct entry *volatile kept = e; return kept->depth; }`, false},
		{"passed", `int f(int id) { return keep(1, find(id)); }`, false},
		{"passed through a pointer", `int f(int id, int (*fn)(const void *)) { return fn(find(id)); }`, false},
		{"compared with another's", `int f(const struct entry *other, int id) { return find(id) == other ? source(1) : source(2); }`, false},
		{"compared with what is stored", `int f(int id) { return find(id) == current ? source(1) : source(2); }`, false},
		{"perhaps another's", `int f(const struct entry *other, int id) { const struct entry *e = source(id) ? table + 1 : other; asm volatile("" : "+r" (e)); return e == table + 4 ? source(1) : source(2); }`, false},
		{"a number made of it", `long f(int id) { long at = (long)find(id); return at & ~7L; }`, false},
		{"printed as a pointer that is kept", `void *f(void) { return memchr(name, 'a', 16); }`, false},
		{"copied to by chance", `void f(void) { memcpy((void *)current, name, source(3)); keep(2, name); }`, false},
		{"in assembly", `void f(void *to) { asm volatile("rep movsb" : : "D" (to), "S" (name), "c" (16) : "memory"); }`, true},
		{"in assembly that keeps it", `void f(void) { asm volatile("mov %0, %%gs:16" : : "r" (name) : "memory"); }`, false},
		{"a part of it", `int f(int id) { unsigned low; asm volatile("movw %w1, %w0" : "=r" (low) : "r" (find(id))); return low; }`, false},
		{"in the other half of two", `int f(int id) { const struct entry *e = find(id); return e->depth; } void g(void) { keep(1, table); }`, false},
		{"across a jump label", `int f(int id) { const struct entry *e = find(id); asm goto("1:\t.byte 0x0f,0x1f,0x44,0x00,0x00\n\t.pushsection __jump_table,\"aw\"\n\t.balign 8\n\t.long 1b - ., %l[out] - .\n\t.quad current - .\n\t.popsection" : : : : out); return 3; out: return keep(1, e); }`, false},
		{"to a cold part", `extern void oops(void) cold; int f(int id) { const struct entry *e = find(id); if (unlikely(id == 7)) { oops(); keep(2, e); } return e->depth; }`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			pre := objtest.Text(t, strings.ReplaceAll(head+c.code, "CHANGED", "11"))
			post := objtest.Text(t, strings.ReplaceAll(head+c.code, "CHANGED", "22"))
			r, err := diff.Compare("unit.c", pre, post, diff.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if copied := len(r.Refusals) == 0 && len(r.Replaced()) > 0; copied != c.copied {
				t.Errorf("copied: %v, want %v: %v %v", copied, c.copied, r.Notes, r.Refusals)
			}
		})
	}
}
