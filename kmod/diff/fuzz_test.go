package diff_test

import (
	"os"
	"path/filepath"
	"testing"

	"livesplice/kmod/diff"
	"livesplice/kmod/elfobj"
	"livesplice/kmod/unit/objtest"
)

// FuzzCompare compares an object with one that is damaged in one place, and extracts what changed.
func FuzzCompare(f *testing.F) {
	var objects [][]byte
	for _, c := range []string{"alternative-aux", "extable", "jump-label", "literal-end", "new-data", "bug-new", "shared-sections", "static-local-kept", "bug-entry", "call-padding", "fixup", "paravirt", "constant-walked", "constant-renamed"} {
		for _, name := range []string{"pre.c", "post.c"} {
			data, err := os.ReadFile(objtest.File(f, filepath.Join(objtest.Folder(f), c, name), "-g0"))
			if err != nil {
				f.Fatal(err)
			}
			objects = append(objects, data)
			f.Add(uint8(len(objects)-1), uint32(0x40), []byte{0xe8})
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, at uint32, patch []byte) {
		i := int(which) % len(objects)
		post := append([]byte{}, objects[i]...)
		copy(post[int(at)%len(post):], patch)
		pre, err := elfobj.Read(objects[i&^1])
		if err != nil {
			t.Fatal(err)
		}
		obj, err := elfobj.Read(post)
		if err != nil {
			return
		}
		r, err := diff.Compare("unit.c", pre, obj, diff.Options{})
		if err != nil || len(r.Refusals) > 0 {
			return
		}
		x, err := r.Extract(diff.Names{Prefix: "u0"})
		if err != nil {
			return
		}
		if data, err := x.Obj.Write(); err == nil {
			if _, err := elfobj.Read(data); err != nil {
				t.Fatal(err)
			}
		}
	})
}
