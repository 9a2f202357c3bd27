package unit_test

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"livesplice/kmod/elfobj"
	"livesplice/kmod/unit"
	"livesplice/kmod/unit/objtest"
)

// TestDropDebug: a unit without its debug information holds none of the file's bytes but those of the kernel's sections, says
// of code, data and references what it said, and reads lines, places and inlined calls from the object once more.
func TestDropDebug(t *testing.T) {
	source := filepath.Join(t.TempDir(), "a.c")
	text := "static inline int twice(int n)\n{\n\treturn n * source(2);\n}\nint f(int n)\n{\n\tsink(\"text\");\n\treturn twice(n) + 1;\n}\n"
	if err := os.WriteFile(source, []byte("#include \"kernel.h\"\n"+text), 0o644); err != nil {
		t.Fatal(err)
	}
	path := objtest.File(t, source, "-g", "-I", objtest.Folder(t))
	read := func() (*elfobj.Object, error) {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		return elfobj.Read(data)
	}
	open := func() *unit.Unit {
		obj, err := read()
		if err != nil {
			t.Fatal(err)
		}
		u, err := unit.New(obj)
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	type facts struct {
		Name, Source string
		Bytes        []byte
		Refs         int
		Lines        [][]int
		Inlined      []unit.Inlined
		Known        bool
	}
	of := func(u *unit.Unit) (all []facts) {
		for _, it := range u.Items {
			refs, err := u.Refs(it)
			if err != nil {
				t.Fatal(err)
			}
			f := facts{Name: it.Name, Source: u.Source(it), Bytes: it.Bytes(), Refs: len(refs)}
			for off := range it.Size() {
				f.Lines = append(f.Lines, u.Lines(it, off))
			}
			f.Inlined, f.Known = u.Inlined(it)
			all = append(all, f)
		}
		return all
	}
	whole, dropped := open(), open()
	of(dropped) // what was read before does not stay
	dropped.DropDebug(read)
	size := 0
	for _, s := range dropped.Obj.Sections {
		size += len(s.Data) + len(s.Relocs)
		if cap(s.Data) > 2*len(s.Data)+64 {
			t.Errorf("section %s: %d bytes hold %d", s.Name, len(s.Data), cap(s.Data))
		}
	}
	if st, err := os.Stat(path); err != nil || size > int(st.Size())/4 {
		t.Errorf("%d bytes are left of an object of %d", size, st.Size())
	}
	want, got := of(whole), of(dropped)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	var lines, inlined int
	for _, f := range got {
		for _, l := range f.Lines {
			lines += len(l)
		}
		inlined += len(f.Inlined)
	}
	if lines == 0 || inlined == 0 {
		t.Errorf("%d lines, %d inlined calls: the object tells nothing", lines, inlined)
	}
	gone := open()
	gone.DropDebug(func() (*elfobj.Object, error) { return nil, errors.New("gone") })
	if it := gone.Items[0]; gone.Source(it) != "" || gone.Lines(it, 0) != nil {
		t.Errorf("an object that is gone tells %q, %v", gone.Source(it), gone.Lines(it, 0))
	}
}
