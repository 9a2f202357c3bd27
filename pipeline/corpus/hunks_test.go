package corpus

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"livesplice/pipeline/source"
)

func TestFewest(t *testing.T) {
	for _, c := range []struct {
		name       string
		candidates string
		holds      func(string) bool
		want       string
	}{
		{"one of one", "a", func(s string) bool { return s == "a" }, "a"},
		{"one of many", "abcdefgh", func(s string) bool { return strings.Contains(s, "g") }, "g"},
		{"two far apart", "abcdefgh", func(s string) bool { return strings.Contains(s, "a") && strings.Contains(s, "h") }, "ah"},
		{"all", "abc", func(s string) bool { return len(s) == 3 }, "abc"},
		{"the earlier of two that do alike", "abcdef", func(s string) bool { return strings.ContainsAny(s, "be") }, "b"},
	} {
		asked := 0
		got, err := fewest(strings.Split(c.candidates, ""), func(part []string) (bool, error) {
			asked++
			part = slices.Sorted(slices.Values(part))
			return c.holds(strings.Join(part, "")), nil
		})
		slices.Sort(got)
		if s := strings.Join(got, ""); err != nil || s != c.want {
			t.Errorf("%s: got %q, %v, want %q", c.name, s, err, c.want)
		}
		if asked > 2*len(c.candidates)+1 {
			t.Errorf("%s: asked %d times", c.name, asked)
		}
	}
}

func TestHunks(t *testing.T) {
	before, after := t.TempDir(), t.TempDir()
	lines := func(edit map[int]string) string {
		var b strings.Builder
		for i := range 30 {
			if text, ok := edit[i]; ok {
				b.WriteString(text)
				continue
			}
			fmt.Fprintf(&b, "line %d\n", i)
		}
		return b.String()
	}
	for path, text := range map[string]string{
		filepath.Join(before, "a.h"): lines(nil), filepath.Join(after, "a.h"): lines(map[int]string{2: "two\nand more\n", 12: "", 25: "x\n"}),
		filepath.Join(after, "new.h"): "new\n",
	} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	w := &work{old: &tree{&source.Tree{Dir: before}}, after: after}
	all, err := w.hunks(t.Context(), "a.h")
	if err != nil || len(all) != 3 {
		t.Fatalf("%d hunks, %v", len(all), err)
	}
	fresh, err := w.hunks(t.Context(), "new.h")
	if err != nil || len(fresh) != 1 {
		t.Fatalf("%d hunks, %v", len(fresh), err)
	}
	var ch change
	if err := w.takeHunks(&ch, []hunk{all[2], fresh[0], all[0]}); err != nil {
		t.Fatal(err)
	}
	if got, want := string(ch.headers["a.h"]), lines(map[int]string{2: "two\nand more\n", 25: "x\n"}); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := string(ch.headers["new.h"]); got != "new\n" || len(ch.headers) != 2 {
		t.Errorf("new.h: %q, of %d headers", got, len(ch.headers))
	}
}
