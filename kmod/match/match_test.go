package match_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"livesplice/kmod/diff"
	"livesplice/kmod/match"
	"livesplice/kmod/unit"
	"livesplice/kmod/vmlinux"
)

// Two units with static functions and data of the same names.
const (
	unitA = `
static int state = 3;
static noinline noclone int same(int n) { return source(n) + 1; }
static noinline noclone int differ(int n) { return source(n) + 10 + state++; }
int first_a(int n) { return same(n) + differ(n); }
int value_a = 7;
int second_a(int n) { static int calls; calls += n; return printk("text of a\n") + value_a + calls; }
`
	unitB = `
static int state = 3;
static noinline noclone int same(int n) { return source(n) + 1; }
static noinline noclone int differ(int n) { return source(n) + 20 + state++; }
int first_b(int n) { return same(n) + differ(n); }
int second_b(int n) { static int calls; calls -= n; return printk("more than text of a\n") + calls; }
`
)

// TestEverySymbol matches two units and holds every address that it infers against ld's.
func TestEverySymbol(t *testing.T) {
	im := link(t, [2]string{"a.c", unitA}, [2]string{"b.c", unitB})
	for _, u := range []struct {
		file, code, want string
		located          int
	}{
		{"a.c", unitA, "differ strict by name\nfirst_a strict by name\nsame strict by reference\nsecond_a strict by name\n", 7},
		{"b.c", unitB, "differ strict by name\nfirst_b strict by name\nsame strict by reference\nsecond_b strict by name\n", 6},
	} {
		r, pre := matched(t, im, u.file, u.code)
		if got := proofs(im, u.file, r); got != u.want {
			t.Errorf("%s: got:\n%s\nwant:\n%s", u.file, got, u.want)
		}
		if n := located(t, im, u.file, r, pre); n != u.located {
			t.Errorf("%s: %d items located, want %d", u.file, n, u.located)
		}
		for _, name := range []string{"source", "printk", "__fentry__"} {
			if addr, ok := r.Extern(name); !ok || addr != im.files[":"+name] {
				t.Errorf("%s: %s at %#x, ld put it at %#x", u.file, name, addr, im.files[":"+name])
			}
		}
		if err := r.Unexplained(); err != nil {
			t.Error(err)
		}
	}
}

// TestResolve gives name and position under which livepatch finds a symbol.
func TestResolve(t *testing.T) {
	im := link(t, [2]string{"a.c", unitA}, [2]string{"b.c", unitB}, [2]string{"c.c", "int lonely(void) { return 1; }"})
	r, pre := matched(t, im, "b.c", unitB)
	item := func(name string) diff.Need { return diff.Need{Pre: pre.ItemOf(pre.Obj.Symbol(name)), Name: name} }
	for name, want := range map[string]match.Binding{
		"same":   {Place: vmlinux.Place{Name: "same", SymPos: 2}, By: "bytes"},
		"state":  {Place: vmlinux.Place{Name: "state", SymPos: 2}, By: "reference"},
		"lonely": {Place: vmlinux.Place{Name: "lonely"}, By: "name"},
		"source": {Place: vmlinux.Place{Name: "source"}, By: "reference"},
	} {
		n := diff.Need{Name: name}
		want.Addr = im.files[":"+name]
		if name == "same" || name == "state" {
			n, want.Addr = item(name), im.files["b.c:"+name]
		}
		if got, err := r.Resolve(n); err != nil || got != want {
			t.Errorf("%s: got %+v, %v, want %+v", name, got, err, want)
		}
	}
	for name, want := range map[string]string{
		"nowhere": "no match: b.c: nowhere: the patched code refers to it, and the shipped binary has 0 global symbols of the name",
		"state":   "no match: b.c: state: the patched code refers to it, and the shipped binary has 0 global symbols of the name",
	} {
		if _, err := r.Resolve(diff.Need{Name: name}); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", name, err, want)
		}
	}
}

// TestSameNames locates static functions that are equal in two units.
func TestSameNames(t *testing.T) {
	const same = "static noinline noclone used int same(int n) { return source(n) + 1; }\n"
	for _, c := range []struct{ name, a, b, want string }{
		{"a table of functions refers to it",
			same + "struct ops { int (*f)(int); } ops_a = { same };",
			same + "struct ops { int (*f)(int); } ops_b = { same };",
			"same strict by reference\n"},
		{"only its position tells",
			"int before_a(int n) { return source(n); }\n" + same + "int after_a(int n) { return source(n) + 2; }",
			"int before_b(int n) { return source(n); }\n" + same + "int after_b(int n) { return source(n) + 2; }",
			"after_a strict by name\nbefore_a strict by name\nsame strict by position\n"},
		{"it is the first of the unit", same + "int after_a(int n) { return source(n) + 2; }", same + "int after_b(int n) { return source(n) + 2; }",
			"after_a strict by name\nsame strict by position\n"},
		{"it is the last of the unit", "int before_a(int n) { return source(n); }\n" + same, "int before_b(int n) { return source(n); }\n" + same,
			"before_a strict by name\nsame strict by position\n"},
		{"nothing tells", same, same, "same none: 2 functions of this name are equal to it, and nothing tells which is this one\n"},
		{"its constants tell",
			"static noinline noclone used int same(int n) { return printk(\"in a\"); }",
			"static noinline noclone used int same(int n) { return printk(\"in b\"); }",
			"same strict by name\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			im := link(t, [2]string{"b.c", c.b}, [2]string{"a.c", c.a})
			r, pre := matched(t, im, "a.c", c.a)
			if got := proofs(im, "a.c", r); got != c.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, c.want)
			}
			located(t, im, "a.c", r, pre)
			_, _, err := r.Replaced(pre.ItemOf(pre.Obj.Symbol("same")))
			var mismatch *match.Mismatch
			if located := !strings.Contains(c.want, "none"); located != (err == nil) || err != nil && !errors.As(err, &mismatch) {
				t.Errorf("Replaced: %v", err)
			}
		})
	}
}

// TestNeighbour: what stands between a function and its neighbour must be padding.
func TestNeighbour(t *testing.T) {
	const same = "static noinline noclone used int same(int n) { return source(n) + 1; }\n"
	a, b := same+"int after_a(int n) { return source(n) + 2; }", same+"int after_b(int n) { return source(n) + 2; }"
	for _, c := range []struct{ name, gap, want string }{
		{"INT3", "\xcc\xcc\xcc", "same strict by position"},
		{"a nop of three bytes", "\x0f\x1f\x00", "same strict by position"},
		{"a nop that is cut off", "\x90\x0f\x1f", "same none"},
		{"ret", "\xc3\x90\x90", "same none"},
		{"zeroes are code", "\x00\x00\x90", "same none"},
	} {
		t.Run(c.name, func(t *testing.T) {
			im := link(t, [2]string{"b.c", b}, [2]string{"a.c", a})
			_, pre := matched(t, im, "a.c", a)
			end := im.files["a.c:same"] + pre.ItemOf(pre.Obj.Symbol("same")).Size()
			gap, ok := im.Bytes(end, im.files[":after_a"]-end)
			if !ok || len(gap) < len(c.gap) {
				t.Fatalf("padding % x", gap)
			}
			for i := range gap {
				gap[i] = 0xcc
			}
			copy(gap[len(gap)-len(c.gap):], c.gap)
			r, _ := matched(t, im, "a.c", a)
			if got := proofs(im, "a.c", r); !strings.Contains(got, c.want) {
				t.Errorf("got:\n%s\nwant %s", got, c.want)
			}
		})
	}
}

// TestDifferences changes the shipped binary in one place each, and names what the report must say.
func TestDifferences(t *testing.T) {
	const code = `
const int limits[3] = { 4, 5, 6 };
static int start = 5;
extern struct static_key key;
weak int overridden(int n) { return n + 1; }
int f(int n) { return source(n * 3) + limits[n]; }
int g(int n) { return printk("number %d\n", n) + start++; }
int h(int n) { if (static_branch(&key)) return source(n); return n; }
int i(int n) { sink("last"); return source(n) + 0x1234; }
`
	const other = `
struct static_key key;
int decoy = 5;
int overridden(int n) { return source(n) + 77; }
`
	base := strings.Join([]string{"f strict by name", "g strict by name", "h strict by name", "i strict by name",
		"overridden none: weak, and overridden by another definition: different code", ""}, "\n")
	replace := func(old, new string) string {
		if !strings.Contains(base, old) {
			t.Fatalf("no %q", old)
		}
		return strings.Replace(base, old, new, 1)
	}
	for _, c := range []struct {
		name   string
		change func(t *testing.T, im *image)
		want   string
		report string // in the error on the function that is not proven
	}{
		{"nothing", func(*testing.T, *image) {}, base, ""},
		{"one byte of an instruction", func(t *testing.T, im *image) {
			im.poke(t, im.find(t, im.files[":i"], 40, "\x05\x34\x12"), "\x05\x34\x12", "\x05\x35\x12")
		}, replace("i strict by name", "i none: different code"),
			`different code at offset 0x1d: built from source: "add $0x1234,%eax", shipped: "add $0x1235,%eax"`},
		{"a jump label as a nop", func(t *testing.T, im *image) {
			im.nop(t, im.find(t, im.files[":h"], 40, "\xeb"), 2)
		}, replace("h strict by name", "h strict by name patched 1"), ""},
		{"no jump label", func(t *testing.T, im *image) { im.add(t, im.jumpEntry(t, im.files[":h"], 40, 0), -1) },
			replace("h strict by name", "h none: a jump label, of which the shipped binary has none there"), "a jump label, of which the shipped binary has none there"},
		{"a jump label more", func(t *testing.T, im *image) {
			code := im.JumpTable().In(im.files[":h"], 40)[0]
			im.add(t, im.jumpEntry(t, im.files[":h"], 40, 0), int64(im.files[":i"]+9-code))
		}, strings.NewReplacer("h strict by name", "h none: a jump label, of which the shipped binary has none there",
			"i strict by name", "i none: 0 jump labels, of which the shipped binary has 1").Replace(base), "0 jump labels, of which the shipped binary has 1"},
		{"a jump label to another place", func(t *testing.T, im *image) { im.add(t, im.jumpEntry(t, im.files[":h"], 40, 4), 1) },
			replace("h strict by name", "h none: ADDR refers to it, which is another place in the shipped function"), "another place in the shipped function at offset 0x18"},
		{"a jump label of another key", func(t *testing.T, im *image) { im.add(t, im.jumpEntry(t, im.files[":h"], 40, 8), 16) },
			replace("h strict by name", "h none: the jump label there refers to ADDR, which is not key"), `which is not key at offset 0x9: built from source: "jmp`},
		{"a jump label that is taken from the beginning", func(t *testing.T, im *image) { im.add(t, im.jumpEntry(t, im.files[":h"], 40, 8), 1) },
			replace("h strict by name", "h none: the jump label there refers to ADDR, which is not key"), "which is not key"},
		{"the fentry call as a nop", func(t *testing.T, im *image) { im.nop(t, im.files[":f"], 5) },
			replace("f strict by name", "f strict by name patched 1"), ""},
		{"another call as a nop", func(t *testing.T, im *image) { im.nop(t, im.find(t, im.files[":g"]+5, 24, "\x81\xe8")+1, 5) },
			replace("g strict by name", "g none: different code"), `shipped: "nopl (%rax,%rax,1)"`},
		{"content of a string", func(t *testing.T, im *image) { im.pokeAnywhere(t, "number %d", "numbed %d") },
			replace("g strict by name", `g none: refers to ADDR, where not the same data is: the string "numbed %d\n", in source "number %d\n"`), `built from source: "mov $0x0,%rdi"`},
		{"another function is called", func(t *testing.T, im *image) { im.aim(t, im.files[":f"]+5, ":source", ":sink") },
			replace("f strict by name", "f none: refers to ADDR, which is not source"), "which is not source"},
		{"another addend", func(t *testing.T, im *image) { im.pokeAnywhere(t, im.address(":limits", 0), im.address(":limits", 4)) },
			replace("f strict by name", "f none: refers to ADDR, which is not limits"), "which is not limits"},
		{"another variable", func(t *testing.T, im *image) { im.rename(t, "start", "stop") },
			replace("g strict by name", "g none: refers to ADDR, which is not start"), "which is not start"},
		{"no such function", func(t *testing.T, im *image) { im.rename(t, "f", "f2") },
			replace("f strict by name", "f none: the shipped binary has no function of this name"), "has no function of this name"},
	} {
		t.Run(c.name, func(t *testing.T) {
			im := link(t, [2]string{"a.c", code}, [2]string{"o.c", other})
			c.change(t, im)
			r, _ := matched(t, im, "a.c", code)
			if got := hideAddresses(proofs(im, "a.c", r)); got != c.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, c.want)
			}
			if err := r.Unexplained(); (err == nil) != (c.report == "") || err != nil && !strings.Contains(err.Error(), c.report) {
				t.Errorf("got %v, want %s", err, c.report)
			}
		})
	}
}

var address = regexp.MustCompile(`0x[0-9a-f]{9,}`)

func hideAddresses(s string) string { return address.ReplaceAllString(s, "ADDR") }

// TestData proves the content of data that patched code refers to.
func TestData(t *testing.T) {
	const code = `
const int limits[3] = { 4, 5, 6 };
int start = 5;
int zero;
int section(".data..percpu") mine = 3;
static int unused_by_code[2] = { 8, 9 };
int *pointer = unused_by_code;
int f(int n) { return limits[n] + start + zero + mine; }
`
	im := link(t, [2]string{"a.c", code})
	r, pre := matched(t, im, "a.c", code)
	for name, by := range map[string]string{"limits": "reference", "start": "reference", "zero": "reference", "mine": "reference", "unused_by_code": "reference"} {
		want := match.Binding{Place: vmlinux.Place{Name: name, Addr: im.files[":"+name]}, By: by}
		if got, err := r.Resolve(diff.Need{Pre: pre.ItemOf(pre.Obj.Symbol(name))}); err != nil || got != want {
			t.Errorf("%s: got %+v, %v, want %+v", name, got, err, want)
		}
	}
	if addr := im.files[":mine"]; addr >= 0x1000 {
		t.Errorf("the per-CPU variable is at %#x, and the test needs it at an offset from 0", addr)
	}
	im.pokeAnywhere(t, "\x04\x00\x00\x00\x05\x00\x00\x00\x06", "\x04\x00\x00\x00\x09\x00\x00\x00\x06")
	const want = "no match: a.c: limits at ADDR: different code"
	if _, err := r.Resolve(diff.Need{Pre: pre.ItemOf(pre.Obj.Symbol("limits"))}); err == nil || !strings.HasPrefix(hideAddresses(err.Error()), want) {
		t.Errorf("got %v, want %s", err, want)
	}
}

// TestNumberIsNoName does not take another unit's static local for the own one because the compiler gave both the same
// number.
func TestNumberIsNoName(t *testing.T) {
	const code = "int f(int n) { static int calls; calls += n; return source(calls); }"
	im := link(t, [2]string{"b.c", "int g(int n) { static int calls; calls -= n; return source(calls); }"})
	r, pre := matched(t, im, "a.c", code)
	var calls *unit.Item
	for _, it := range pre.Items {
		if it.Kind == unit.Datum {
			calls = it
		}
	}
	if len(im.Lookup(calls.Name)) != 1 {
		t.Fatalf("the image has %d symbols %q, and the test needs one", len(im.Lookup(calls.Name)), calls.Name)
	}
	if got, err := r.Resolve(diff.Need{Pre: calls}); err == nil {
		t.Errorf("got %+v", got)
	}
}

// TestStrings finds string literals where the linker moved them: shared between units, and in the tail of longer ones.
func TestStrings(t *testing.T) {
	const code = `int f(void) { return printk("tail\n") + printk("shared\n") + printk("own\n" + 2); }`
	const other = `int g(void) { return printk("with a tail\n") + printk("shared\n"); }`
	im := link(t, [2]string{"b.c", other}, [2]string{"a.c", code})
	all := ""
	for _, d := range im.data {
		all += string(d)
	}
	if strings.Count(all, "tail\n\x00") != 1 || strings.Count(all, "shared\n\x00") != 1 {
		t.Fatal("the linker did not merge the strings")
	}
	r, _ := matched(t, im, "a.c", code)
	if got, want := proofs(im, "a.c", r), "f strict by name\n"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestAliases gives the symbol by the name that the unit uses, whichever comes first in the table.
func TestAliases(t *testing.T) {
	const code = `
noinline noclone int f(int n) { return source(n); }
extern int alias(int n) __attribute__((__alias__("f")));
int g(int n) { return alias(n) + 1; }
`
	im := link(t, [2]string{"a.c", code})
	r, pre := matched(t, im, "a.c", code)
	if got, want := proofs(im, "a.c", r), "f strict by name\ng strict by name\n"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	b, code2, err := r.Replaced(pre.ItemOf(pre.Obj.Symbol("alias")))
	if err != nil || b.Name != "f" && b.Name != "alias" || b.Addr != im.files[":f"] || b.SymPos != 0 {
		t.Errorf("got %+v, %v", b, err)
	}
	if have, _ := im.Bytes(b.Addr, uint64(len(code2))); string(have) != string(code2) || len(code2) == 0 {
		t.Errorf("bytes % x, in the image % x", code2, have)
	}
}

// TestByInstruction matches functions that the section flags compile to other jumps and paddings than the one section
// of the shipped unit, and does not match when a jump leads elsewhere.
func TestByInstruction(t *testing.T) {
	const code = `
static noinline noclone int near(int n) { return source(n) + 1; }
int f(int n) { if (n > 3) return near(n); return source(n - 1) + 2; }
`
	im := link(t, [2]string{"a.c", code})
	r, _ := matched(t, im, "a.c", code)
	if got, want := proofs(im, "a.c", r), "f instruction by name\nnear strict by name\n"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	// The jump of two bytes to near() goes to the place four bytes behind its start.
	at := im.find(t, im.files[":f"]+5, 28, "\xeb")
	b, _ := im.Bytes(at+1, 1)
	b[0] += 4
	r, _ = matched(t, im, "a.c", code)
	if got, want := hideAddresses(proofs(im, "a.c", r)), "f none: refers to ADDR, which is not near\nnear strict by name\n"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
