package layout

import "testing"

func TestCompareVariable(t *testing.T) {
	const use = "; int f(int n) { return ((char *)&v)[n]; }"
	for _, c := range []struct{ name, pre, post, want string }{
		{"the same", "static int v" + use, "static int v" + use, ""},
		{"a number of the same size", "static int v" + use, "static unsigned v" + use, ""},
		{"another size of element", "static unsigned char v[16]" + use, "static unsigned short v[8]" + use,
			"the type changes from unsigned char[16] to short unsigned int[8]"},
		{"a number and a struct", "static int v" + use, "static struct { int counter; } v" + use, "the type changes from int to anonymous struct"},
		{"pointers to other structs", "struct a { int x; long y; }; static struct a *v" + use, "struct b { long y; int x; }; static struct b *v" + use,
			"the type changes from struct a * to struct b *"},
		{"a constant now", "static char *v" + use, "static char *const v" + use, ""},
		{"local type", "int f(int n) { static struct s { int a, b; } v; v.a += n; return v.b; }", "int f(int n) { static struct s { int b, a; } v; v.a += n; return v.b; }",
			"the layout of its type, struct s, changes: member a moves from byte 0 to 4, and 1 more"},
		{"local type without a name", "int f(int n) { static struct { int a, b; } v[2]; v[n].a += n; return v[1].b; }",
			"int f(int n) { static struct { int b, a; } v[2]; v[n].a += n; return v[1].b; }",
			"the layout of its type, anonymous struct[2], changes: member a moves from byte 0 to 4, and 1 more"},
		{"of the whole unit, which Compare compares", "struct s { int a, b; }; static struct s v" + use, "struct s { int b, a; }; static struct s v" + use, ""},
		{"without a name, the same", "static struct { int a, b; } v" + use, "static struct { int b, a; } v" + use, ""},
		{"not there any more", "static int v" + use, "static long w; int f(int n) { return ((char *)&w)[n]; }", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			ch, ok := CompareVariable(read(t, c.pre, "-g"), read(t, c.post, "-g"), "v")
			if got := ch.String(); ok != (c.want != "") || ok && got != c.want {
				t.Errorf("got %v %q, want %q", ok, got, c.want)
			}
		})
	}
}
