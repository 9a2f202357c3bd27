package pipeline

import (
	"testing"

	"livesplice/kmod/diff"
	"livesplice/kmod/layout"
	"livesplice/kmod/unit/objtest"
)

// TestComparePrototypes tells exported functions from others, as kernels before and since 6.5 export them.
func TestComparePrototypes(t *testing.T) {
	const (
		old   = "int f(int n) { return n; }\nint g(int n) { return n; }\nint h(int n) { return n; }\n"
		other = "int f(long n) { return n; }\nint g(int n, int m) { return n; }\nvoid h(int n) { }\n"
		table = "asm(\".section \\\"___ksymtab_gpl+f\\\",\\\"a\\\"\\n.long f - .\\n.long 0,0\\n.section .export_symbol,\\\"a\\\"\\n__export_symbol_g: .asciz \\\"GPL\\\"\\n.text\\n\");"
	)
	read := func(code string) *compiled {
		t.Helper()
		obj := objtest.Text(t, code+table, "-g")
		raw, err := obj.Write()
		if err != nil {
			t.Fatal(err)
		}
		types, err := layout.Read(raw)
		if err != nil {
			t.Fatal(err)
		}
		return &compiled{obj: obj, types: types}
	}
	c, r := &creation{}, &diff.Result{}
	c.comparePrototypes(PlannedUnit{Source: "unit.c"}, read(old), read(other), r)
	want := map[string]string{
		"f": `the prototype changes from "int f(int)" to "int f(long int)", and it is exported: modules that are built for this kernel call it as before (its CRC would change)`,
		"g": `the prototype changes from "int g(int)" to "int g(int, int)", and it is exported: modules that are built for this kernel call it as before (its CRC would change)`,
		"h": `the prototype changes from "int h(int)" to "void h(int)", and code of other files calls it as before`,
	}
	for _, one := range r.Refusals {
		if one.Code != codePrototype || one.Reason != want[one.Subject] {
			t.Errorf("%s: got %s, want %s", one.Subject, one.Reason, want[one.Subject])
		}
	}
	if len(r.Refusals) != len(want) {
		t.Errorf("%d refusals, want %d", len(r.Refusals), len(want))
	}
}
