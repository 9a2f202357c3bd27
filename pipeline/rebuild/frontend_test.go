package rebuild

import (
	"errors"
	"maps"
	"slices"
	"testing"
)

func TestParsePrototypes(t *testing.T) {
	const text = `/* compiled from: . */
/* a.h:2:NC */ extern int kill_pid (struct pid *, int, int);
/* a.h:3:NC */ extern void (*signal_it (int, void (*) (int))) (int);
/* a.h:4:NC */ extern const char *name (const struct s *const );
/* a.c:5:NF */ extern const char *name (const struct s *x); /* (x) const struct s *x; */
/* a.c:6:NF */ extern int alone (int (*a) (int, char), cb_t cb, ...); /* (a, cb) int (*a)(); cb_t cb; */
/* a.c:7:OC */ extern int oldstyle (/* ??? */);
/* a.c:9:NF */ static int own (int q); /* (q) int q; */
`
	want := map[string]string{
		"kill_pid":  "int kill_pid (struct pid *, int, int)",
		"signal_it": "void (*signal_it (int, void (*) (int))) (int)",
		"name":      "char *name (struct s *)",
		"alone":     "int alone (int (*a) (int, char), cb_t cb, ...)",
	}
	if got := parsePrototypes(text); !maps.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestRead(t *testing.T) {
	s := shippedTree(t)
	r, err := s.tree.Read(t.Context(), "fs/open.o", nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := r.Prototypes["vfs_truncate"], "long int vfs_truncate (struct path *, loff_t)"; got != want {
		t.Errorf("vfs_truncate: got %q, want %q", got, want)
	}
	for _, f := range []string{"fs/internal.h", "fs/open.c", "include/linux/fs.h"} {
		if !slices.Contains(r.Files, f) {
			t.Errorf("file %s is not among the %d read", f, len(r.Files))
		}
	}
	// Headers in the place of the tree's are the ones that count, whether they stand beside the unit or not.
	files := s.edit(t, "fs/internal.h", "extern struct file *alloc_empty_file(int, const struct cred *);",
		"extern struct file *alloc_empty_file(int, const struct cred *);\nextern int only_in_post(int);")
	if r, err = s.tree.Read(t.Context(), "fs/open.o", files); err != nil {
		t.Fatal(err)
	}
	if got, want := r.Prototypes["only_in_post"], "int only_in_post (int)"; got != want {
		t.Errorf("only_in_post: got %q, want %q", got, want)
	}
	if !slices.Contains(r.Files, "fs/internal.h") {
		t.Errorf("file fs/internal.h is not among the %d read", len(r.Files))
	}
	files = s.edit(t, "include/linux/fs.h", "long vfs_truncate(const struct path *, loff_t);", "long vfs_truncate(const struct path *, int);")
	var build *BuildError
	if _, err = s.tree.Read(t.Context(), "fs/open.o", files); !errors.As(err, &build) {
		t.Errorf("got %v, want a BuildError of the conflicting types", err)
	}
}
