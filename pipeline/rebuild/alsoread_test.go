package rebuild

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"livesplice/pipeline/source"
	"livesplice/pkgfmt"
)

// TestPostReadsMore patches a unit to include a header that nothing of the build has read, and then changes the header: what the
// cache has of the unit was made of another one.
func TestPostReadsMore(t *testing.T) {
	top := t.TempDir()
	src, obj := filepath.Join(top, "src"), filepath.Join(top, "obj")
	b := fakeBuild(t, src, obj)
	header := filepath.Join(src, "include/linux/more.h")
	write := func(name, text string) {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	touch := func(name string, when time.Time) {
		if err := os.Chtimes(name, when, when); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(obj, "include/generated/autoconf.h"), "")
	files := map[string][]byte{"fs/open.c": []byte("#include \"../include/linux/more.h\"\n#include \"../include/linux/new.h\"\nint f(void) { return MORE + NEW; }\n"),
		"include/linux/new.h": []byte("#define NEW 4\n")}
	old := time.Now().Add(-time.Hour)
	compile := func(value string) (cached, has bool) {
		t.Helper()
		write(header, "#define MORE "+value+"\n")
		touch(header, old)
		clear(b.stats)
		for range 2 { // the second one as another run finds it
			o, err := b.Compile(t.Context(), "fs/open.o", files)
			if err != nil {
				t.Fatal(err)
			}
			data, err := os.ReadFile(o.Path)
			if err != nil {
				t.Fatal(err)
			}
			cached, has = o.Cached, strings.Contains(string(data), "\xb8\x04\x11\x00\x00") // mov $0x1104,%eax
		}
		return cached, has
	}
	if cached, has := compile("0x1100"); !cached || !has {
		t.Errorf("the first header: found again %v, in the object %v", cached, has)
	}
	for _, value := range []string{"0x2200", "0x3300"} {
		if cached, has := compile(value); !cached || has {
			t.Errorf("header %s: found again %v, that before it in the object %v", value, cached, has)
		}
	}
	if cached, has := compile("0x1100"); !cached || !has {
		t.Errorf("the first header again: found again %v, in the object %v", cached, has)
	}
	write(header, "#define MORE 0x4400\n")
	touch(header, time.Now().Add(time.Hour))
	clear(b.stats)
	var mismatch *pkgfmt.MismatchError
	if _, err := b.Compile(t.Context(), "fs/open.o", files); !errors.As(err, &mismatch) || !strings.Contains(err.Error(), `more.h": a file changed after fs/open.o was compiled`) {
		t.Errorf("a header changed after the build: %v", err)
	}
}

// TestExternalKey names what the finished build at a place is, not just the place.
func TestExternalKey(t *testing.T) {
	top := t.TempDir()
	b := fakeBuild(t, filepath.Join(top, "src"), filepath.Join(top, "obj"))
	module := &source.Tree{ID: "id"}
	before := b.externalKey(module)
	if again := b.externalKey(module); again != before {
		t.Errorf("the same build: keys %s and %s", before, again)
	}
	later := time.Now().Add(time.Minute)
	if err := os.Chtimes(filepath.Join(b.Object, "lib/.l.o.cmd"), later, later); err != nil {
		t.Fatal(err)
	}
	var err error
	if b.users, err = openUsers(t.Context(), b.cache, b.finished, b.Source, 2); err != nil {
		t.Fatal(err)
	}
	if after := b.externalKey(module); after == before {
		t.Errorf("after lib/l.o was compiled once more: the same key %s", after)
	}
}
