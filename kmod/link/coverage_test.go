package link

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"livesplice/kmod/diff"
	"livesplice/kmod/unit"
	"livesplice/kmod/unit/objtest"
)

// TestCoverage lets package diff forget a function that changed, and expects Verify's own comparison to miss it.
func TestCoverage(t *testing.T) {
	for _, c := range []struct {
		name, forgotten string
		want            []string
	}{
		{"body", "", nil},
		{"notrace-inline", "", nil},
		{"bug-line", "", nil},
		{"line-number", "", nil},
		{"line-in-text", "", nil},
		{"fresh-names", "", nil},
		{"dynamic-debug", "", nil},
		{"static-local-kept", "", nil},
		{"ubsan", "", nil},
		{"body", "f", []string{"f: changed, but not replaced, and other units can call it"}},
		{"literal", "g", []string{"g: changed, but not replaced, and other units can call it"}},
		{"cold-part", "f", []string{"f: changed, but not replaced, and other units can call it"}},
		{"cswtch", "f", []string{"f: changed, but not replaced, and other units can call it"}},
		{"bug-flags", "f", []string{"f: changed, but not replaced, and other units can call it"}},
		{"alternative", "f", []string{"f: changed, but not replaced, and other units can call it"}},
		{"notrace-inline", "g", []string{"g: changed, but not replaced, and other units can call it",
			"inner: changed, but not replaced, and g calls it, which the module does not bring",
			"inner: changed, but not replaced, and middle calls it, which the module does not bring"}},
		{"function-pointer", "f", []string{
			"f: changed, but not replaced, and g has its address", "f: changed, but not replaced, and ops has its address"}},
		{"address-taken-by-itself", "cb", []string{
			"cb: changed, but not replaced, and cb has its address",
			"cb: changed, but not replaced, and arm calls it, which the module does not bring",
			"arm: changed, but not replaced, and other units can call it"}},
		{"address-taken-by-pre-only", "cb", []string{
			"cb: changed, but not replaced, and arm of the shipped code has its address"}},
		{"isra", "second.isra.0", []string{
			"second.isra.0: changed, but not replaced, and f calls it, which the module does not bring",
			"second.isra.0: changed, but not replaced, and g calls it, which the module does not bring",
			"f: changed, but not replaced, and other units can call it", "g: changed, but not replaced, and other units can call it"}},
	} {
		t.Run(c.name+" without "+c.forgotten, func(t *testing.T) {
			dir := filepath.Join(objtest.Folder(t), c.name)
			r, err := diff.Compare("unit.c", objtest.Object(t, filepath.Join(dir, "pre.c")), objtest.Object(t, filepath.Join(dir, "post.c")), diff.Options{})
			if err != nil {
				t.Fatal(err)
			}
			s, err := newSide(Unit{Diff: r}, nil)
			if err != nil {
				t.Fatal(err)
			}
			v := &verifier{home: map[*unit.Item]*unit.Item{}}
			for it := range s.replaced {
				if it.Name == c.forgotten {
					delete(s.replaced, it)
				} else {
					v.home[it] = it // as if the module had it
				}
			}
			if c.forgotten != "" {
				s.local = map[*unit.Item]bool{}
				if err := s.findLocal(); err != nil {
					t.Fatal(err)
				}
			}
			for it := range s.local {
				if c.forgotten == "" {
					v.home[it] = it
				}
			}
			var got []string
			for _, err := range v.coverage(s) {
				got = append(got, strings.TrimPrefix(err.Error(), "unit.c: "))
			}
			slices.Sort(got)
			slices.Sort(c.want)
			if !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
