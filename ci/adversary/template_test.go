package main

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
)

func TestTemplate(t *testing.T) {
	const text = "$f(#0, @{old@|new #5@}) @k[a@|b@] @k[A@|B@] @{x@|y@|z@[1@|2@]@} @<live@|kept@>"
	parsed, err := parse("text", text)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for seed := range uint64(40) {
		d := newDraw("u000a_", random(seed, "instance"))
		d.fix(parsed)
		base := d.text(parsed)
		if base != d.text(parsed) {
			t.Errorf("seed %d: the text before the patch is drawn anew", seed)
		}
		p := d.patch(random(seed, "patch"))
		post := p.text(parsed)
		if post != p.text(parsed) {
			t.Errorf("seed %d: the text after the patch is drawn anew", seed)
		}
		p.refers = true
		if ref := p.text(parsed); ref != strings.Replace(post, "live", "kept", 1) {
			t.Errorf("seed %d: reference %q of %q", seed, ref, post)
		}
		if !strings.HasPrefix(base, fmt.Sprintf("u000a_f(%d, old) ", d.numbers[0])) || !strings.Contains(base, " x live") {
			t.Errorf("before the patch: %q", base)
		}
		if !strings.HasPrefix(post, fmt.Sprintf("u000a_f(%d, new %d) ", d.numbers[0], p.numbers[5])) || strings.Contains(post, " x ") {
			t.Errorf("after the patch: %q", post)
		}
		if a, b := strings.Contains(base, "a A"), strings.Contains(base, "b B"); a == b {
			t.Errorf("tied marks: %q", base)
		}
		f := strings.Fields(post)
		seen[f[5]] = true
	}
	if len(seen) != 3 { // y, z1, z2
		t.Errorf("alternatives drawn: %v", seen)
	}
}

func TestTemplateErrors(t *testing.T) {
	for _, text := range []string{"@", "@|", "@{a@}", "@{a@|b", "@{a@|b@]", "@x", "a@}"} {
		if _, err := parse("text", text); err == nil {
			t.Errorf("template %q is taken", text)
		}
	}
}

// TestDeterministic: a seed gives the same scaffold and the same patches, another one others.
func TestDeterministic(t *testing.T) {
	text := func(seed uint64) string {
		units, err := drawUnits(seed, len(kinds), kinds)
		if err != nil {
			t.Fatal(err)
		}
		s := hashFiles(scaffoldFiles(units))
		for _, u := range units {
			up := u.drawUpdate(seed, u.name+" 0 0")
			s += hashFiles(up.after) + hashFiles(up.reference) + fmt.Sprint(up.Order, up.Twice, up.setup, up.probe, up.undone)
		}
		return s
	}
	if first, again := text(1), text(1); first != again || first == text(2) {
		t.Error("what is drawn is not the seed's alone")
	}
}

// TestKinds compiles the units of a few seeds, before and after patches, without a kernel: testdata has what of its headers they
// need. Each kind must be able to change something.
func TestKinds(t *testing.T) {
	changed := map[string]bool{}
	for seed := range uint64(seeds) {
		units, err := drawUnits(seed, len(kinds), kinds)
		if err != nil {
			t.Fatal(err)
		}
		var texts [4]strings.Builder // before, after; of units, of their second files
		for _, u := range units {
			up := u.drawUpdate(seed, u.name)
			for i, files := range []map[string]string{up.before, up.after} {
				for j, name := range []string{u.name + ".c", u.name + "_b.c"} {
					include := "#include \"" + u.name + ".h\""
					texts[2*i+j].WriteString(strings.Replace(files[name], include, "#undef ADV_EXPORT\n"+files[u.name+".h"], 1))
					if strings.ContainsAny(files[name], "@$") || strings.Contains(files[name], "#0") {
						t.Errorf("%s: marks are left in %s:\n%s", up.Kinds, name, files[name])
					}
				}
			}
			for i := range 8 {
				if more := u.drawUpdate(seed, fmt.Sprint(u.name, i)); hashFiles(more.before) != hashFiles(more.after) {
					for _, k := range more.Kinds {
						changed[k] = true
					}
				}
			}
			if len(up.probe) == 0 {
				t.Errorf("%s: no probe", up.Kinds)
			}
		}
		for _, text := range texts {
			compile(t, text.String())
		}
	}
	for _, k := range kinds {
		if !changed[k.name] {
			t.Errorf("kind %s: no patch changes anything", k.name)
		}
	}
}

// seeds are how many TestKinds takes. One finds most mistakes.
const seeds = 2

// compile checks a source.
func compile(t *testing.T, text string) {
	cmd := exec.Command("gcc-12", "-fsyntax-only", "-std=gnu11", "-w", "-nostdinc", "-Itestdata/include", "-x", "c", "-")
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("gcc: %v\n%.3000s", err, out)
	}
}
