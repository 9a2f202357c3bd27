package main

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestSteps: the reference and the control do what the machine with the update does, but for the update.
func TestSteps(t *testing.T) {
	for _, o := range []order{moduleFirst, updateFirst, bothWays} {
		u := &update{Order: o, Twice: true, setup: []string{"u000 0"}, probe: []string{"&u000 1 3", "u000 2"}, undone: []string{"u000 1 4"}, modules: []string{"u000_b", "u000"}}
		names := func(m machine) (all []string) {
			for _, s := range u.steps(m, "0badcafe") {
				all = append(all, s.name)
			}
			return all
		}
		without := func(all []string, names ...string) []string {
			return slices.DeleteFunc(slices.Clone(all), func(s string) bool { return slices.Contains(names, s) })
		}
		l := names(live)
		if got := names(control); !slices.Equal(got, without(l, stepApply, stepUndo, stepTwice)) {
			t.Errorf("%s: control %q of %q", o, got, l)
		}
		if got := names(reference); !slices.Equal(got, without(l, stepApply, stepUndo, stepTwice, stepUndone)) {
			t.Errorf("%s: reference %q of %q", o, got, l)
		}
		if before := slices.Index(l, stepApply) < slices.Index(l, stepLoad); before != (o == updateFirst) {
			t.Errorf("%s: %q", o, l)
		}
		text := script(u.steps(live, "0badcafe"))
		check := exec.Command("sh", "-n")
		check.Stdin = strings.NewReader(text)
		if out, err := check.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s\n%s", o, err, out, text)
		}
	}
}
