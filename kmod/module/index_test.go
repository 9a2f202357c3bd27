package module

import (
	"slices"
	"testing"
)

func TestIndex(t *testing.T) {
	ix := NewIndex()
	for _, m := range []struct {
		name  string
		units []string
	}{{"a", []string{unitA}}, {"b_c", []string{unitB, unitC}}, {"c", []string{unitC}}} {
		if err := ix.Add(m.name, build(t, m.units...)); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string][]string{
		"same": {"a", "b_c"}, "entry_c": {"b_c", "c"}, "state": {"a"}, "once": {"b_c", "c"},
		"elsewhere": nil, // undefined in a
		"info":      {"a"}, "nothing": nil, "": nil,
	} {
		if got := ix.Defining(name); !slices.Equal(got, want) {
			t.Errorf("%q is defined by %q, want %q", name, got, want)
		}
	}
	// same, state, entry_a, pointer, info; same, once, entry_b, setup, once, entry_c; once, entry_c
	if ix.Modules() != 3 || ix.Symbols() != 13 {
		t.Errorf("%d modules, %d symbols", ix.Modules(), ix.Symbols())
	}
	for _, tt := range []struct {
		names, want []string
		n           int
	}{
		{[]string{"same", "entry_b", "setup"}, []string{"b_c"}, 3},
		{[]string{"once", "entry_c", "none"}, []string{"b_c", "c"}, 2},
		{[]string{"same", "same", "entry_c", "once"}, []string{"b_c"}, 3}, // a name counts once
		{[]string{"none"}, nil, 0},
		{nil, nil, 0},
	} {
		if got, n := ix.DefiningMost(tt.names); !slices.Equal(got, tt.want) || n != tt.n {
			t.Errorf("%q: most by %q (%d), want %q (%d)", tt.names, got, n, tt.want, tt.n)
		}
	}
	if err := ix.Add("text", []byte("hello")); err == nil || ix.Modules() != 3 {
		t.Errorf("a text was added: %v", err)
	}
}
