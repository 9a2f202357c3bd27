package diff_test

import (
	"os"
	"path/filepath"
	"testing"

	"livesplice/kmod/diff"
	"livesplice/kmod/elfobj"
	"livesplice/kmod/unit/objtest"
)

// FuzzPair compares any two files, reports on them and extracts what changed. The seeds are objects of each machine and
// of other compilers, with and without debug information and sections of their own.
func FuzzPair(f *testing.F) {
	for _, m := range objtest.Machines {
		for i, flags := range [][]string{{"-g0"}, {"-g"}, {"-g0", "-fno-function-sections", "-fno-data-sections"}, {"-g"}, {"-g"}} {
			name := []string{"machine-tables", "clones", "static-local-kept", "same-name-other-scope", "last-writer-of-table"}[i]
			var pair [2][]byte
			for k, side := range []string{"pre.c", "post.c"} {
				data, err := os.ReadFile(m.File(f, filepath.Join(objtest.Folder(f), name, side), flags...))
				if err != nil {
					f.Fatal(err)
				}
				pair[k] = data
			}
			f.Add(pair[0], pair[1])
		}
	}
	f.Fuzz(func(t *testing.T, a, b []byte) {
		pre, err := elfobj.Read(a)
		if err != nil {
			return
		}
		post, err := elfobj.Read(b)
		if err != nil {
			return
		}
		r, err := diff.Compare("unit.c", pre, post, diff.Options{})
		if err != nil {
			return
		}
		var x *diff.Extract
		if len(r.Refusals) == 0 {
			x, _ = r.Extract(diff.Names{Prefix: "u0"})
		}
		rep := r.Report(x, r.Refusals)
		if items := len(rep.Functions) + len(rep.Data); items > len(r.Pre.Items)+len(r.Post.Items)+len(pre.Symbols)+len(post.Symbols) {
			t.Fatalf("%d verdicts", items)
		}
		if x == nil {
			return
		}
		if data, err := x.Obj.Write(); err == nil {
			if _, err := elfobj.Read(data); err != nil {
				t.Fatal(err)
			}
		}
	})
}
