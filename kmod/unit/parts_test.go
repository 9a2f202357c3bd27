package unit_test

import (
	"testing"

	"livesplice/kmod/unit/objtest"
)

// TestParts finds the functions of parts by any of their aliases, and comes to an end where functions are parts of each other.
func TestParts(t *testing.T) {
	u := objtest.Unit(t, `#include "kernel.h"
asm(".globl other; .pushsection .text.own,\"ax\"; .type own,@function; .type own.cold,@function; own: own.cold: ret; .size own,1; .size own.cold,1;"
	".popsection; .pushsection .text.a,\"ax\"; .type a.cold,@function; .type b,@function; a.cold: b: ret; .size a.cold,1; .size b,1;"
	".popsection; .pushsection .text.b,\"ax\"; .type b.cold,@function; .type a,@function; b.cold: a: ret; .size b.cold,1; .size a,1; .popsection");
void cold oops(void); int named(int n) { if (unlikely(n)) { oops(); sink(&n); return 3; } return source(n); }
extern int other(int n) __attribute__((alias("named")));`)
	parents := map[string]string{}
	for _, it := range u.Items {
		hops := 0
		for p := it; p.Parent != nil; p = p.Parent {
			if hops++; hops > 3 {
				t.Fatalf("%s: a part of itself", it)
			}
		}
		if it.Parent != nil {
			parents[it.Name] = it.Parent.Name
		}
	}
	if parents["named.cold"] != "other" || len(parents) > 2 {
		t.Errorf("got %v", parents)
	}
}
