package diff_test

import (
	"strings"
	"testing"

	"livesplice/kmod/diff"
	"livesplice/kmod/unit/objtest"
)

// TestTableUnknown: where a table cannot be split into entries, no verdict is given, and it is refused by name.
func TestTableUnknown(t *testing.T) {
	const code = `#include "kernel.h"
int f(int *p)
{
	int v = 0;
	asm("1:\tmov %1, %0\n2:\n.pushsection __ex_table,\"a\"\n\t.long 1b - .\n\t.long 7\n\t.long 2b - .\n.popsection\n" : "+r" (v) : "m" (*p));
	return source(v);
}
int g(int n) { return source(n) + 1; }
`
	r, err := diff.Compare("unit.c", objtest.Text(t, code), objtest.Text(t, strings.Replace(code, "+ 1", "+ 2", 1)), diff.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if !r.Undecided || len(r.Refusals) != 1 || r.Refusals[0].Code != diff.UnknownSection || r.Refusals[0].Subject != "__ex_table" {
		t.Errorf("undecided %v, refusals %v", r.Undecided, r.Refusals)
	}
	rep := r.Report(nil, r.Refusals)
	for _, f := range rep.Functions {
		if f.Verdict != diff.Undecided {
			t.Errorf("%s: %s", f.Name, f.Verdict)
		}
	}
	if len(rep.Functions) != 2 || rep.Result != "refused" {
		t.Errorf("%d functions, %s", len(rep.Functions), rep.Result)
	}
}
