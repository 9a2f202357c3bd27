package match_test

import (
	"strings"
	"testing"

	"livesplice/kmod/diff"
	"livesplice/kmod/match"
	"livesplice/kmod/unit"
	"livesplice/kmod/vmlinux"
)

// TestTwoPlaces: one name is one place.
func TestTwoPlaces(t *testing.T) {
	im := link(t, [2]string{"o.c", "int other(int n) { return n; }"},
		[2]string{"a.c", "extern int other(int); int f(int n) { return source(n) + other(n + 1); }"})
	im.rename(t, "other", "source")
	r, _ := matched(t, im, "a.c", "int f(int n) { return source(n) + source(n + 1); }")
	if got, want := hideAddresses(proofs(im, "a.c", r)), "f none: refers to source at ADDR and at ADDR\n"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestConstants: numbers that code reads are part of what it does, as far as nothing overrides them.
func TestConstants(t *testing.T) {
	const code = `
static const int limits[4] = { 4, 5, 6, 7 };
weak const int chosen[4] = { 1, 2, 3, 4 };
int f(int n) { return limits[n & 3]; }
int named(int n) { return printk(__func__) + n; }
int s(int n) { switch (n) { case 0: return 31; case 1: return 9; case 2: return 77; case 3: return 4; case 4: return 1023; default: return 0; } }
int w(int n) { return chosen[n & 3]; }
`
	const same = "f strict by name\nnamed strict by name\ns strict by name\nw strict by name\n"
	for _, c := range []struct{ old, new, want string }{
		{"", "", same},
		{"6, 7", "8, 7", strings.Replace(same, "f strict by name", "f none: refers to limits, which has other content: different code", 1)},
		{"printk(__func__)", `printk("nomed")`, strings.Replace(same, "named strict by name", "named none: refers to __func__.0, which has other content: different code", 1)},
		{"1023", "1022", strings.Replace(same, "s strict by name", "s none: refers to CSWTCH.N, which has other content: different code", 1)},
	} {
		im := link(t, [2]string{"o.c", "const int chosen[4] = { 5, 6, 7, 8 };"}, [2]string{"a.c", strings.Replace(code, c.old, c.new, 1)})
		r, _ := matched(t, im, "a.c", code)
		got := hideAddresses(proofs(im, "a.c", r))
		if i := strings.Index(got, "CSWTCH."); i >= 0 {
			got = got[:i] + "CSWTCH.N" + got[i+strings.IndexByte(got[i:], ','):]
		}
		if got != c.want {
			t.Errorf("%q for %q: got:\n%s\nwant:\n%s", c.new, c.old, got, c.want)
		}
	}
}

// TestStretches: only what is in one input section of the unit lies together.
func TestStretches(t *testing.T) {
	for _, c := range []struct{ name, a, b, want string }{
		{"a function whose name makes its section look hot",
			"int __attribute__((hot)) busy(int n) { return source(n) + 3; }\nint hotplug(int n) { return source(n); }\nint hotter(int n) { return source(n) + 2; }\n" +
				"static noinline noclone used int hot_same(int n) { return source(n) + 1; }",
			"static noinline noclone used int hot_same(int n) { return source(n) + 1; }",
			"busy strict by name\nhot_same strict by position\nhotplug strict by name\nhotter strict by name\n"},
		{"a weak function of another unit in front of it",
			"weak int w(int n) { return source(n) + 3; }\nstatic noinline noclone used int same(int n) { return source(n) + 1; }",
			"int w(int n) { return source(n) + 3; }\nstatic noinline noclone used int same(int n) { return source(n) + 1; }",
			"same none: 2 functions of this name are equal to it, and nothing tells which is this one\nw strict by name\n"},
		{"between a weak function of another unit and one of this",
			"weak int w(int n) { return source(n) + 3; }\nint own(int n) { return source(n) + 4; }\nstatic noinline noclone used int same(int n) { return source(n) + 1; }",
			"int w(int n) { return source(n) + 3; }\nstatic noinline noclone used int same(int n) { return source(n) + 1; }",
			"own strict by name\nsame strict by position\nw strict by name\n"},
	} {
		im := link(t, [2]string{"b.c", c.b}, [2]string{"a.c", c.a})
		r, _ := matched(t, im, "a.c", c.a)
		if got := proofs(im, "a.c", r); got != c.want {
			t.Errorf("%s: got:\n%s\nwant:\n%s", c.name, got, c.want)
		}
	}
}

// TestEvidence: what one function refers to decides between the candidates of another, and contradictions are told.
func TestEvidence(t *testing.T) {
	const (
		inner = "static noinline noclone int inner(int n) { return source(n) + 1; }\nstatic noinline noclone used int same(int n) { return inner(n) + 2; }\n"
		a     = inner + "int f(int n) { return inner(n) + 3; }\nint g(int n) { return inner(n) + 4; }\n"
		b     = inner + "int h(int n) { return inner(n) + 5; }\n"
	)
	im := link(t, [2]string{"b.c", b}, [2]string{"a.c", a}, [2]string{"last.c", "int last(int n) { return source(source(source(source(source(n))))); }"})
	r, _ := matched(t, im, "a.c", a)
	if got, want := proofs(im, "a.c", r), "f strict by name\ng strict by name\ninner strict by reference\nsame strict by reference\n"; got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	im.files[":of b"] = im.files["b.c:inner"]
	im.files[":of a"] = im.files["a.c:inner"]
	im.aim(t, im.files[":g"]+5, ":of a", ":of b")
	r, _ = matched(t, im, "a.c", a)
	if err := r.Conflicts(); err == nil || !strings.Contains(hideAddresses(err.Error()), "g at ADDR: refers to inner at ADDR, another function of the unit to ADDR") {
		t.Errorf("got %v", err)
	}
}

// TestResolveAmong gives the place of names that are not unique, not known, or overridden.
func TestResolveAmong(t *testing.T) {
	const code = `
extern int twin(int), unlisted(int);
weak int w(int n) { return n + 1; }
weak int lone(int n) { return n + 2; }
static used int lonely = 7;
int f(int n) { return twin(n) + unlisted(n + 1) + w(n + 2); }
`
	im := link(t, [2]string{"b.c", "static noinline noclone used int twin(int n) { return n * 3; }\nstatic used int lonely = 7;"},
		[2]string{"c.c", "int twin(int n) { return n * 5; }\nint unlisted(int n) { return n * 7; }\nint w(int n) { return n * 11; }\nint lone(int n) { return n * 13; }\nint double_a, double_b;"},
		[2]string{"a.c", code})
	im.rename(t, "unlisted", "listed")
	im.rename(t, "double_a", "double")
	im.rename(t, "double_b", "double")
	r, pre := matched(t, im, "a.c", code)
	global := func(name string) match.Binding {
		return match.Binding{Place: im.Globals(name)[0], By: "reference"}
	}
	item := func(name string) diff.Need { return diff.Need{Pre: pre.ItemOf(pre.Obj.Symbol(name)), Name: name} }
	named := global("lone")
	named.By = "name"
	for _, c := range []struct {
		need diff.Need
		want match.Binding
		err  string
	}{
		{diff.Need{Name: "twin"}, global("twin"), ""},
		{item("w"), global("w"), ""},
		{item("lone"), named, ""},
		{diff.Need{Name: "unlisted"}, match.Binding{}, "the symbol table of the shipped binary does not know the name"},
		{diff.Need{Name: "double"}, match.Binding{}, "the shipped binary has 2 global symbols of the name"},
		{item("lonely"), match.Binding{}, "the shipped binary has 2 data symbols of the name"},
	} {
		if got, err := r.Resolve(c.need); got != c.want || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: got %+v, %v, want %+v, %s", c.need.Name, got, err, c.want, c.err)
		}
	}
	if got := im.Lookup("twin"); len(got) != 2 || got[1].Addr != global("twin").Addr {
		t.Errorf("the test needs the global symbol to be the second: %v", got)
	}
}

// TestReadOnlyAfterBoot: the end of the data is no part of it.
func TestReadOnlyAfterBoot(t *testing.T) {
	const code = "int f(int n) { return source(n); }"
	im := link(t, [2]string{"a.c", code})
	im.symbols = append(im.symbols, vmlinux.Symbol{Name: "__start_ro_after_init", Addr: 0x1000}, vmlinux.Symbol{Name: "__end_ro_after_init", Addr: 0x2000})
	for addr, want := range map[uint64]bool{0xfff: false, 0x1000: true, 0x1fff: true, 0x2000: false} {
		if r, _ := matched(t, im, "a.c", code); r.ReadOnlyAfterBoot(addr) != want {
			t.Errorf("%#x: got %v", addr, !want)
		}
	}
	im.symbols = append(im.symbols, vmlinux.Symbol{Name: "jump_label_init_ro", Addr: 0x3000})
	if r, _ := matched(t, im, "a.c", code); r.ReadOnlyAfterBoot(0x1000) {
		t.Error("a kernel that leaves such data alone")
	}
}

// TestBaseName: the compiler's number behind a name is no part of it, and a copy that macros make needs no symbol.
func TestBaseName(t *testing.T) {
	const code = "int f(int n) { static int calls; calls += n; return source(calls); }\nint named(int n) { return printk(__func__) + n; }"
	im := link(t, [2]string{"a.c", code})
	for i, s := range im.symbols {
		if unit.BaseName(s.Name) == "calls" {
			im.symbols[i].Name = "calls.77"
		}
	}
	r, _ := matched(t, im, "a.c", code)
	if got, want := proofs(im, "a.c", r), "f strict by name\nnamed strict by name\n"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for i, s := range im.symbols {
		if unit.BaseName(s.Name) == "__func__" {
			im.symbols[i].Name = "other"
		}
	}
	r, _ = matched(t, im, "a.c", code)
	if got := hideAddresses(proofs(im, "a.c", r)); !strings.Contains(got, "named none: refers to ADDR, which is not __func__.") {
		t.Errorf("another datum at its place: got %s", got)
	}
	for i, s := range im.symbols {
		if s.Name == "other" {
			im.symbols[i].Addr = 1
		}
	}
	r, _ = matched(t, im, "a.c", code)
	if got, want := proofs(im, "a.c", r), "f strict by name\nnamed strict by name\n"; got != want {
		t.Errorf("without a symbol: got %s, want %s", got, want)
	}
}
