package diff_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"livesplice/kmod/arch"
	"livesplice/kmod/elfobj"
	"livesplice/kmod/unit/objtest"
)

// TestCompilers compares objects of compilers that the tests do not install, and assembly in the shapes of old ones;
// testdata/compilers/README.md says where they come from.
func TestCompilers(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(objtest.Folder(t), "../compilers/*/*/want.txt"))
	if err != nil || len(files) < 40 {
		t.Fatalf("%d cases, %v", len(files), err)
	}
	for _, file := range files {
		dir := filepath.Dir(file)
		t.Run(filepath.Base(filepath.Dir(dir))+"/"+filepath.Base(dir), func(t *testing.T) {
			t.Parallel()
			pre, post := object(t, dir, "pre"), object(t, dir, "post")
			heldTo(t, file, report(t, machineOf(t, pre), pre, post, false))
			identical(t, post, object(t, dir, "post"))
		})
	}
}

// machineOf gives the tools for an object.
func machineOf(t *testing.T, o *elfobj.Object) objtest.Machine {
	t.Helper()
	a, err := arch.For(o)
	if err != nil {
		t.Fatal(err)
	}
	machines := append(slices.Clone(objtest.Machines), objtest.LoongArch64)
	i := slices.IndexFunc(machines, func(m objtest.Machine) bool { return m.Name == a.Machine() })
	if i < 0 {
		t.Fatalf("no tools for %s", a.Machine())
	}
	return machines[i]
}

// object reads name.o of a folder, or assembles its name.s.
func object(t *testing.T, dir, name string) *elfobj.Object {
	t.Helper()
	path := filepath.Join(dir, name+".o")
	if source := filepath.Join(dir, name+".s"); exists(source) {
		path = filepath.Join(t.TempDir(), name+".o")
		objtest.Run(t, "binutils", "as", "-o", path, source)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	o, err := elfobj.Read(data)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
