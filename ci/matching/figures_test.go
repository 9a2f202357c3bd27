package main

import (
	"slices"
	"testing"

	"livesplice/kmod/match"
	"livesplice/pipeline/rebuild"
)

// result makes the matching of one unit.
func result(functions ...match.Function) *match.Result {
	r := &match.Result{Functions: functions}
	for _, f := range functions {
		switch f.Proof {
		case match.Strict:
			r.Strict++
		case match.ByInsn:
			r.ByInsn++
		case match.None:
			r.Unmatched++
		}
	}
	return r
}

func TestTable(t *testing.T) {
	f := &figures{Date: "2026-11-21", Release: "6.1.0-56-amd64", Version: "#1 SMP Debian 6.1.192-2", Compiler: "gcc-12 12.2.0", Of: "all", Units: 13513, Sample: 4, Seed: 7}
	proven := match.Function{Name: "a", Proof: match.Strict}
	f.add(rebuild.Owner{Unit: "kernel/a.o", Kind: rebuild.BuiltIn, Target: "vmlinux"}, result(proven, proven,
		match.Function{Name: "weak", Proof: match.None, Why: "weak", Absent: match.Overridden},
		match.Function{Name: "b_exit", Proof: match.None, Why: "discarded", Absent: match.Discarded}))
	f.add(rebuild.Owner{Unit: "lib/b.o", Kind: rebuild.Library, Target: "vmlinux"}, result(proven))
	f.add(rebuild.Owner{Unit: "fs/x/c.o", Kind: rebuild.InModule, Target: "x"}, result(match.Function{Name: "c", Proof: match.ByInsn},
		match.Function{Name: "z", Proof: match.None, Why: "different code"}, match.Function{Name: "d", Proof: match.None, Why: "different code"}))
	f.Failed = append(f.Failed, finding{Unit: "fs/y/y.o", Target: "y", Why: "does not compile"})
	f.sort()
	const want = `date       2026-11-21
kernel     6.1.0-56-amd64, #1 SMP Debian 6.1.192-2
compiler   gcc-12 12.2.0
units      4 of 13513 (all), seed 7

                                     vmlinux   modules       all
units                                      2         1         3
functions                                  5         3         8
  proven by bytes                          3         0         3
  proven by instruction                    0         1         1
  not there: discarded exit code           1         0         1
  not there: weak, overridden              1         0         1
  unexplained                              0         2         2
x fs/x/c.o d: different code
x fs/x/c.o z: different code
y fs/y/y.o: does not compile
`
	if got := f.table(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if len(f.Absent) != 2 || f.Absent[0].Function != "b_exit" {
		t.Errorf("absent: %+v", f.Absent)
	}
}

func TestSample(t *testing.T) {
	var all []rebuild.Owner
	for _, name := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
		all = append(all, rebuild.Owner{Unit: name})
	}
	one, again, other := sample(all, 5, 1), sample(all, 5, 1), sample(all, 5, 2)
	if len(one) != 5 || !slices.Equal(one, again) || slices.Equal(one, other) {
		t.Errorf("samples %v, %v of the same seed, %v of another", one, again, other)
	}
	for i, u := range one {
		if !slices.Contains(all, u) || slices.Contains(one[:i], u) {
			t.Errorf("%v in the sample twice, or from elsewhere", u)
		}
	}
	if all[0].Unit != "a" || all[7].Unit != "h" {
		t.Error("the list itself was shuffled")
	}
	if got := sample(all, 0, 1); !slices.Equal(got, all) {
		t.Errorf("0 units: %v, want all", got)
	}
	if got := sample(all, 99, 1); !slices.Equal(got, all) {
		t.Errorf("99 units of 8: %v, want all", got)
	}
}
