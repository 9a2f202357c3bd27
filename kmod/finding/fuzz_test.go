package finding_test

import (
	"os"
	"path/filepath"
	"testing"

	"livesplice/kmod/diff"
	"livesplice/kmod/elfobj"
	"livesplice/kmod/finding"
	"livesplice/kmod/unit/objtest"
)

// FuzzLook follows changed code that is damaged in one place.
func FuzzLook(f *testing.F) {
	const pre = `
int f(int n) { mutex_lock(&m); if (n) { mutex_unlock(&m); return 1; } while (n++ < x) schedule(); mutex_unlock(&m); return 0; }
struct ops { int (*f)(int); } ops = { f }; static int again(int n) { return f(n); } void *hand(void) { return again; }`
	const post = `
int f(int n) { mutex_lock(&m); if (n) { return 1; } while (n++ < x) schedule_timeout(5); mutex_unlock(&m); return 0; }
struct ops { int (*f)(int); } ops = { f }; static int fresh(int n) { return f(n) + 1; } void *hand(void) { return fresh; }`
	var objects [][]byte
	for i, code := range []string{pre, post} {
		src := filepath.Join(f.TempDir(), "unit.c")
		if err := os.WriteFile(src, []byte(decls+code), 0o644); err != nil {
			f.Fatal(err)
		}
		data, err := os.ReadFile(objtest.File(f, src, "-g0", "-I", objtest.Folder(f)))
		if err != nil {
			f.Fatal(err)
		}
		objects = append(objects, data)
		f.Add(uint8(i), uint32(0x40), []byte{0xeb, 0xfe})
	}
	f.Fuzz(func(t *testing.T, which uint8, at uint32, patch []byte) {
		data := append([]byte{}, objects[which%2]...)
		copy(data[int(at)%len(data):], patch)
		post, err := elfobj.Read(data)
		if err != nil {
			return
		}
		pre, err := elfobj.Read(objects[0])
		if err != nil {
			t.Fatal(err)
		}
		r, err := diff.Compare("unit.c", pre, post, diff.Options{})
		if err != nil {
			return
		}
		w, err := finding.Look(r)
		if err == nil {
			w.Sort()
		}
		if x, err := r.Extract(diff.Names{Prefix: "u0"}); err == nil {
			_, _ = finding.Update{Defines: func(name string) bool { return name == "x" },
				Leads: func(name string) finding.Callee {
					return finding.Callee{Object: "vmlinux", Name: name}
				}}.Holds(x)
		}
	})
}
