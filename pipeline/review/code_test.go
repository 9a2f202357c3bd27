package review

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"livesplice/kmod/diff"
	"livesplice/kmod/unit"
	"livesplice/kmod/unit/objtest"
)

// sideBySide shows the differences of one function of a case of testdata/objects as text.
func sideBySide(t *testing.T, name, function string) string {
	t.Helper()
	dir := filepath.Join(objtest.Folder(t), name)
	r, err := diff.Compare(name, objtest.X86.Object(t, filepath.Join(dir, "pre.c")), objtest.X86.Object(t, filepath.Join(dir, "post.c")), diff.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var it *unit.Item
	for _, have := range r.Post.Items {
		if have.Kind == unit.Function && have.Name == function {
			it = have
		}
	}
	pre, err := newSide(&namer{unit: r.Pre}, r.PreOf(it))
	if err != nil {
		t.Fatal(err)
	}
	post, err := newSide(&namer{unit: r.Post, counterpart: r.PreOf}, it)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, p := range parts(r, pre, post) {
		fmt.Fprintf(&b, "%s: %d changed\n", p.Name, p.Changed)
		for _, row := range p.all() {
			fmt.Fprintf(&b, "%-1s | %-40s | %s\n", row.Mark(), text(row.Pre), text(row.Post))
		}
	}
	return b.String()
}

func text(i *Insn) string {
	if i == nil {
		return ""
	}
	return fmt.Sprintf("%#x %s", i.At, i.Text)
}

// TestSideBySide holds the alignment of two versions of a function, which gcc-12 made.
func TestSideBySide(t *testing.T) {
	for _, tt := range []struct{ name, function, want string }{
		{"body", "f", `f: 1 changed
  | 0x0 callq __fentry__                     | 0x0 callq __fentry__
  | 0x5 sub $0x8,%rsp                        | 0x5 sub $0x8,%rsp
± | 0x9 add $0x1,%edi                        | 0x9 add $0x2,%edi
  | 0xc add $0x8,%rsp                        | 0xc add $0x8,%rsp
  | 0x10 jmpq source                         | 0x10 jmpq source
`},
		// A part that was split off goes with its function; a string is told by its content, not by its place.
		{"cold-part", "f", `f: 0 changed
  | 0x0 callq __fentry__                     | 0x0 callq __fentry__
  | 0x5 cmp $0x9,%edi                        | 0x5 cmp $0x9,%edi
  | 0x8 jg f.cold                            | 0x8 jg f.cold
  | 0xe jmpq source                          | 0xe jmpq source
f.cold: 1 changed
  | 0x0 push %rax                            | 0x0 push %rax
  | 0x1 callq complain                       | 0x1 callq complain
± | 0x6 mov $"one",%rdi                      | 0x6 mov $"other",%rdi
  | 0xd callq sink                           | 0xd callq sink
  | 0x12 or $-0x1,%eax                       | 0x12 or $-0x1,%eax
  | 0x15 pop %rdx                            | 0x15 pop %rdx
  | 0x16 retq                                | 0x16 retq
`},
		// More on one side than on the other; a new per-CPU variable by name.
		{"percpu-new", "f", `f: 6 changed
  | 0x0 callq __fentry__                     | 0x0 callq __fentry__
± | 0x5 sub $0x8,%rsp                        | 0x5 push %rbx
± | 0x9 add $0x8,%rsp                        | 0x6 mov %edi,%ebx
+ |                                          | 0x8 mov $counter,%rdi
+ |                                          | 0xf callq sink
+ |                                          | 0x14 mov %ebx,%edi
+ |                                          | 0x16 pop %rbx
  | 0xd jmpq source                          | 0x17 jmpq source
`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := sideBySide(t, tt.name, tt.function); got != tt.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, tt.want)
			}
		})
	}
}

// TestCheckJumps tells jumps that look alike and lead elsewhere from those whose target only moved.
func TestCheckJumps(t *testing.T) {
	pre, post := &unit.Item{Name: "f"}, &unit.Item{Name: "f"}
	insn := func(it *unit.Item, at, to uint64, key string) Insn {
		i := Insn{At: at, key: key}
		if to > 0 {
			i.to = &spot{it, to}
		}
		return i
	}
	for _, tt := range []struct {
		name    string
		to, too uint64 // where the jump at 0 leads in pre and post
		differs bool
	}{
		{"moved", 4, 5, false},
		{"to what was inserted in front of its target", 2, 2, false},
		{"to another place", 2, 5, true},
		{"out of the function", 4, 99, true},
		{"to nowhere in both", 98, 99, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			was := []Insn{insn(pre, 0, tt.to, "je"), insn(pre, 2, 0, "a"), insn(pre, 4, 0, "b")}
			is := []Insn{insn(post, 0, tt.too, "je"), insn(post, 2, 0, "new"), insn(post, 3, 0, "a"), insn(post, 5, 0, "b")}
			tab := newTable(pre, post, was, is)
			tab.checkJumps(rowsOf([]*table{tab}))
			if got := tab.rows[0].Differs; got != tt.differs {
				t.Errorf("differs is %v, want %v", got, tt.differs)
			}
		})
	}
}

func TestSegments(t *testing.T) {
	for _, tt := range []struct{ rows, want string }{
		{"", ""},
		{"....", "-4"},
		{"x", "+1"},
		{"..........x..........", "-7 +7 -7"},
		{"..........x.........x", "-7 +14"},
		{"x..........", "+4 -7"},
		{"x.........x", "+11"}, // three between the contexts are shown
		{"x..........x", "+4 -4 +4"},
	} {
		t.Run(tt.rows, func(t *testing.T) {
			var rows []Row
			for _, c := range tt.rows {
				rows = append(rows, Row{Differs: c == 'x'})
			}
			var words []string
			for _, s := range segments(rows) {
				words = append(words, fmt.Sprintf("%s%d", map[bool]string{true: "+", false: "-"}[s.Differs], len(s.Rows)))
			}
			if got := strings.Join(words, " "); got != tt.want {
				t.Errorf("segments of %q are %q, want %q", tt.rows, got, tt.want)
			}
		})
	}
}
