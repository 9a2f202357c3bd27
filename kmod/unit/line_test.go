package unit_test

import (
	"slices"
	"testing"

	"livesplice/kmod/unit"
	"livesplice/kmod/unit/objtest"
)

// TestLines gives the lines of instructions in two functions that both begin at 0 of their sections.
func TestLines(t *testing.T) {
	const code = `extern int g(int);
int f(int n)
{
	g(1);
	return g(2) + 1;
}

int h(int n)
{
	return g(3) + g(4);
}
`
	u := objtest.Unit(t, code, "-g", "-O0")
	got := map[string][]int{}
	for _, name := range []string{"f", "h"} {
		it := u.ItemOf(u.Obj.Symbol(name))
		for off := range it.Size() {
			for _, l := range u.Lines(it, off) {
				if !slices.Contains(got[name], l) {
					got[name] = append(got[name], l)
				}
			}
		}
	}
	if want := []int{3, 4, 5, 6}; !slices.Equal(got["f"], want) {
		t.Errorf("f: lines %v, want %v", got["f"], want)
	}
	if want := []int{9, 10, 11}; !slices.Equal(got["h"], want) {
		t.Errorf("h: lines %v, want %v", got["h"], want)
	}
	u = objtest.Unit(t, code, "-g0")
	if got := u.Lines(u.Items[0], 0); got != nil {
		t.Errorf("without debug information: got %v", got)
	}
}

// TestSameButLines compares a function with others that load other numbers, one instruction at a time.
func TestSameButLines(t *testing.T) {
	compile := func(insn string, line string) *unit.Unit {
		return objtest.Unit(t, "asm(\".file 1 \\\"x.c\\\"\\n.section .text.f,\\\"ax\\\"\\n.type f,@function\\nf: .loc 1 "+line+"\\n"+insn+"\\n.loc 1 900\\n ret\\n.size f,.-f\\n\");", "-g")
	}
	for _, c := range []struct {
		name, pre, preLine, post, postLine string
		same                               bool
	}{
		{"register", "mov $100,%esi", "100", "mov $103,%esi", "103", true},
		{"long register", "mov $100,%r8d", "100", "mov $103,%r8d", "103", true},
		{"stack", "pushq $1000", "1000", "pushq $1003", "1003", true},
		{"byte on the stack", "pushq $100", "100", "pushq $103", "103", true},
		{"memory", "movl $100,8(%rsp)", "100", "movl $103,8(%rsp)", "103", true},
		{"memory of the unit", "movl $100,f(%rip)", "100", "movl $103,f(%rip)", "103", true},
		{"a line behind", "mov $102,%esi", "100", "mov $105,%esi", "103", true},
		{"far behind", "mov $140,%esi", "100", "mov $143,%esi", "103", false},
		{"before", "mov $99,%esi", "100", "mov $102,%esi", "103", false},
		{"not by as much", "mov $100,%esi", "100", "mov $104,%esi", "103", false},
		{"the number alone", "mov $100,%esi", "100", "mov $103,%esi", "100", false},
		{"another register", "mov $100,%esi", "100", "mov $103,%edi", "103", false},
		{"addition", "add $1000,%esi", "1000", "add $1003,%esi", "1003", false},
		{"comparison", "cmp $1000,%esi", "1000", "cmp $1003,%esi", "1003", false},
		{"offset", "mov 1000(%rsi),%esi", "1000", "mov 1003(%rsi),%esi", "1003", false},
		{"another place", "movl $100,8(%rsp)", "100", "movl $103,9(%rsp)", "103", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			pre, post := compile(c.pre, c.preLine), compile(c.post, c.postLine)
			a, b := pre.ItemOf(pre.Obj.Symbol("f")), post.ItemOf(post.Obj.Symbol("f"))
			refs, err := pre.Refs(a)
			if err != nil {
				t.Fatal(err)
			}
			if got := unit.SameButLines(pre, post, a, b, refs); got != c.same {
				t.Errorf("%s at line %s, %s at line %s: got %v", c.pre, c.preLine, c.post, c.postLine, got)
			}
		})
	}
}
