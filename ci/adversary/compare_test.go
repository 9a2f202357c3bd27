package main

import (
	"slices"
	"testing"
)

// sample is what an update of a module gives where nothing is wrong, on each machine.
func sample() (u *update, live, reference, control observations) {
	u = &update{Order: bothWays, setup: []string{"u000 0"}, probe: []string{"u000 1"}, undone: []string{"u000 1"}, modules: []string{"u000"}}
	live = observations{Output: map[string][]string{stepLoad: nil, stepSetup: nil, stepApply: nil, stepProbe: {"new 1", "new 2"}, stepUnload: nil,
		stepReload: nil, stepAgain: {"new 1"}, stepUndo: nil, stepUndone: {"old 1"}, stepEnd: nil}, Log: map[string][]string{stepProbe: {"WARNING in f"}}}
	reference = observations{Output: map[string][]string{stepLoad: nil, stepSetup: nil, stepProbe: {"new 1", "new 2"}, stepAgain: {"new 1"}, stepEnd: nil},
		Log: map[string][]string{stepProbe: {"WARNING in f"}}}
	control = observations{Output: map[string][]string{stepLoad: nil, stepSetup: nil, stepProbe: {"old 1", "old 2"}, stepUndone: {"old 1"}, stepEnd: nil}}
	return u, live, reference, control
}

// TestCompare notices each difference that is made up in an update that is right.
func TestCompare(t *testing.T) {
	u, live, reference, control := sample()
	if d := compare(u, live, reference, control); len(d) > 0 {
		t.Errorf("no difference, but %q", d)
	}
	for _, c := range []struct {
		name, want string
		change     func(live *observations)
	}{
		{"another result", `probe: line 2: "old 2", reference has "new 2"`, func(o *observations) { o.Output[stepProbe][1] = "old 2" }},
		{"a result is missing", `probe: line 2: none, reference has "new 2"`, func(o *observations) { o.Output[stepProbe] = o.Output[stepProbe][:1] }},
		{"one too many", `again: line 2: "more", reference has none`, func(o *observations) { o.Output[stepAgain] = append(o.Output[stepAgain], "more") }},
		{"no warning", `log of probe: line 1: none, reference has "WARNING in f"`, func(o *observations) { o.Log = nil }},
		{"a fault", `log of undo: line 1: "BUG: unable to handle page fault", nothing has none`, func(o *observations) {
			o.Log[stepUndo] = []string{"BUG: unable to handle page fault"}
		}},
		{"not loaded", `apply: line 1: "insmod: 1", nothing has none`, func(o *observations) { o.Output[stepApply] = []string{"insmod: 1"} }},
		{"not undone", `undone: line 1: "new 1", control has "old 1"`, func(o *observations) { o.Output[stepUndone][0] = "new 1" }},
		{"other state", `setup: line 1: "x", control has none`, func(o *observations) { o.Output[stepSetup] = []string{"x"} }},
		{"the module does not come again", `reload: line 1: "modprobe: 1", reference has none`, func(o *observations) { o.Output[stepReload] = []string{"modprobe: 1"} }},
		{"cut short", "the script did not come to its end", func(o *observations) { delete(o.Output, stepEnd) }},
	} {
		u, live, reference, control := sample()
		c.change(&live)
		if got := compare(u, live, reference, control); !slices.Equal(got, []string{c.want}) {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

func TestObserve(t *testing.T) {
	o := observe("== load\n== probe\none\ntwo\n", []string{
		"adversary step probe", "something else", "u000: adv_log said", "------------[ cut here ]------------",
		"WARNING: CPU: 1 PID: 88 at adversary/u000.c:12 u000a_f.constprop.0+0x1/0x2 [u000]", "adversary step undo", "BUG: kernel NULL pointer dereference"})
	if !slices.Equal(o.Output[stepProbe], []string{"one", "two"}) || o.Output[stepLoad] != nil {
		t.Errorf("output %q", o.Output)
	}
	if !slices.Equal(o.Log[stepProbe], []string{"u000: adv_log said", "WARNING in u000a_f"}) || len(o.Log["undo"]) != 1 {
		t.Errorf("log %q", o.Log)
	}
}

// TestStore: a file that was cut short is read as far as it goes, and written on.
func TestStore(t *testing.T) {
	path := t.TempDir() + "/store"
	s, err := openStore[result](path)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.put("a", result{Unit: "u001"}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.file.WriteString(`{"key":"b","value":{"unit":"u0`); err != nil { // killed here
		t.Fatal(err)
	}
	s.close()
	for range 2 {
		if s, err = openStore[result](path); err != nil {
			t.Fatal(err)
		}
		if a, ok := s.get("a"); !ok || a.Unit != "u001" {
			t.Errorf("a: %v", a)
		}
		if _, ok := s.get("b"); ok {
			t.Error("half a line is taken")
		}
		s.put("c", result{})
		s.close()
	}
	if _, ok := s.get("c"); !ok {
		t.Error("what follows half a line is lost")
	}
}
