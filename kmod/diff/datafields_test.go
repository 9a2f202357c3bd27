package diff_test

import (
	"strings"
	"testing"

	"livesplice/kmod/diff"
	"livesplice/kmod/unit/objtest"
)

// TestChangedFields names the fields of changed data, by debug information.
func TestChangedFields(t *testing.T) {
	const ops = `
#include "kernel.h"
struct ops { int (*open)(int); int (*close)(int); const char *name; short prio; unsigned char label[8]; struct { signed char a, b; } pair; struct ops *next; };
int o(int n) { return n; } int c(int n) { return n + 1; } extern struct ops other;
`
	const use = "\nint f(int n) { sink(&x); return n; }\n"
	for _, c := range []struct{ name, pre, post, want string }{
		{"an operation more", `struct ops x = { .open = o };`, `struct ops x = { .open = o, .close = c };`, "initialised content of existing data changed (.close from 0 to c), and the running kernel's copy may have changed since boot"},
		{"of a constant", `const struct ops x = { .open = o };`, `const struct ops x = { .open = c };`, "initialised content of existing data changed (.open from o to c), and the running kernel goes on using its own"},
		{"strings and numbers", `struct ops x = { .name = "old", .prio = -2, .label = "left", .pair = { 1, -1 } };`, `struct ops x = { .name = "new", .prio = 3, .label = "right", .pair = { 1, 1 } };`,
			`initialised content of existing data changed (.name from "old" to "new", .prio from -2 to 3, .label from "left" to "right", .pair.b from -1 to 1), and`},
		{"an element of a table, and another unit's", `struct ops x[3] = { { o }, { o, .next = &other } };`, `struct ops x[3] = { { o }, { o, .next = &x[1] } };`, "([1].next from other to x+48), and"},
		{"a pointer into it", `struct ops x[3] = { { o } };`, `struct ops x[3] = { { o, .next = &x[1] } };`, "([0].next from 0 to x+48), and"},
		{"a number alone", `unsigned x = 3;`, `unsigned x = 4000000000;`, "(from 3 to 4000000000), and"},
		{"nothing at first", `long x;`, `long x = -5;`, "(from 0 to -5), and"},
		{"many", `int x[8] = { 1 };`, `int x[8] = { 2, 2, 2, 2, 2, 2 };`, "([0] from 1 to 2, [1] from 0 to 2, [2] from 0 to 2, [3] from 0 to 2, and 2 more), and"},
		{"another size", `int x[2] = { 1 };`, `int x[3] = { 2 };`, "size (8 to 12 bytes) of existing data changed, and"},
		{"padding", `struct { char a; int b; } x = { 1 }; asm(".globl x");`, `struct { char a; char p[3]; int b; } x = { 1, { 0, 7 } };`, "(.p[1] from 0 to 7), and"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r, err := diff.Compare("unit.c", objtest.Text(t, ops+c.pre+use, "-g"), objtest.Text(t, ops+c.post+use, "-g"), diff.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if len(r.Refusals) != 1 || r.Refusals[0].Code != diff.DataChanged || !strings.Contains(r.Refusals[0].Reason, c.want) {
				t.Errorf("got %v, want %q", r.Refusals, c.want)
			}
		})
	}
}
