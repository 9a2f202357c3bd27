package unit_test

import (
	"os"
	"path/filepath"
	"testing"

	"livesplice/kmod/elfobj"
	"livesplice/kmod/unit"
	"livesplice/kmod/unit/objtest"
)

// FuzzUnit reads items, references and tables of arbitrary objects.
func FuzzUnit(f *testing.F) {
	for _, c := range []string{"alternative-aux", "extable", "jump-label", "literal-end", "new-data", "bug-new", "shared-sections", "comdat", "line-number-beside", "fixup", "paravirt"} {
		data, err := os.ReadFile(objtest.File(f, filepath.Join(objtest.Folder(f), c, "post.c"), "-g0"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	debug, err := os.ReadFile(objtest.File(f, filepath.Join(objtest.Folder(f), "line-number-beside", "post.c"), "-g"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(debug)
	f.Fuzz(func(t *testing.T, data []byte) {
		obj, err := elfobj.Read(data)
		if err != nil {
			return
		}
		u, err := unit.New(obj)
		if err != nil {
			return
		}
		for _, it := range u.Items {
			refs, err := u.Refs(it)
			if err != nil {
				continue
			}
			for _, r := range refs {
				if (r.To == nil) == (r.External == nil && r.Table == nil) {
					t.Fatalf("%s: reference at %#x leads to %v, %v, %v", it, r.Offset, r.To, r.External, r.Table)
				}
				if r.Offset+uint64(r.Field.Size) > it.Size() {
					t.Fatalf("%s: reference at %#x", it, r.Offset)
				}
			}
		}
		if len(u.Items) > 0 {
			u.Source(u.Items[0])
			u.Lines(u.Items[0], 0)
			u.SourcePlace(u.Items[0], 0)
			unit.SameButLines(u, u, u.Items[0], u.Items[len(u.Items)-1], nil)
		}
		tables, err := u.Tables()
		if err != nil {
			return
		}
		for it, entries := range tables {
			for _, e := range entries {
				if len(e.Refs) == 0 || e.Refs[0].To != it || len(e.Data()) == 0 {
					t.Fatalf("%s: entry of %s: %+v", it, e.Section.Name, e)
				}
				e.Replacement.Data()
			}
		}
	})
}
