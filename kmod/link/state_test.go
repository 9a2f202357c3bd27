package link

import (
	"slices"
	"testing"

	"livesplice/kmod/diff"
	"livesplice/kmod/unit/objtest"
	"livesplice/kmod/vmlinux"
)

// TestStates: variables of modules begin anew, but not what the kernel itself keeps something in, and not what two targets share.
func TestStates(t *testing.T) {
	unit := func(target, text string) Unit {
		return Unit{Target: target, Extract: &diff.Extract{Obj: objtest.Text(t, "#include \"kernel.h\"\n"+text, "-g")}}
	}
	const attributes = `
#define IN(s) __attribute__((__used__, __section__(s)))
`
	brd := unit("brd", attributes+`
int count = 5;
int *where = &count;
static int zero __attribute__((__used__));
static int often IN(".data..read_mostly") = 1;
static int once IN(".data.once");
static int late IN(".data..ro_after_init");
static int each IN(".data..percpu");
static int both IN(".data.both") = 1;
static int plain IN(".data") = 1;
static const int constant __attribute__((__used__)) = 2;
static struct { int enabled; } key IN(".data.key");
asm(".pushsection __jump_table, \"aw\"; .quad key; .popsection");
int f(int n) { return n + 1; }
`)
	core := unit(vmlinux.Object, attributes+`static int both IN(".data.both") = 1; int mine = 3;`)
	want := []State{{"brd", ".bss.zero"}, {"brd", ".data..read_mostly"}, {"brd", ".data.count"}, {"brd", ".data.where"}}
	if got := states([]Unit{core, brd}); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	const define = "#define LIVESPLICE_STATES { .module = \"brd\", .section = \".bss.zero\" },\n"
	if got := stateDefine(want[:1]); got != define {
		t.Errorf("got %q, want %q", got, define)
	}
}
