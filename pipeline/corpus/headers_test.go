package corpus

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"livesplice/pipeline/source"
)

func TestDistance(t *testing.T) {
	headers := []string{"include/linux/fs.h", "net/ipv4/tcp.h", "net/ipv4x/a.h", "net/core.h", "net/ipv6/b.h"}
	slices.SortStableFunc(headers, func(a, b string) int { return distance("net/ipv4/tcp.c", a) - distance("net/ipv4/tcp.c", b) })
	if want := []string{"net/ipv4/tcp.h", "net/core.h", "include/linux/fs.h", "net/ipv4x/a.h", "net/ipv6/b.h"}; !slices.Equal(headers, want) {
		t.Errorf("got %q, want %q", headers, want)
	}
}

func TestMissing(t *testing.T) {
	const log = `fs/a.c: In function 'f':
fs/a.c:36:21: error: implicit declaration of function 'IOPRIO_PRIO_LEVEL'; did you mean 'IOPRIO_NR_LEVELS'? [-Werror=implicit-function-declaration]
fs/a.c:37:22: error: 'struct sock' has no member named 'sk_use_task_frag'
fs/a.c:38:17: error: too many arguments to function 'icsk->icsk_af_ops->syn_recv_sock'
fs/a.c:60:5: error: conflicting types for 'audit_mark_compare'; have 'int(struct audit_fsnotify_mark *, u64,  dev_t)'
fs/a.c:3:10: fatal error: linux/units_new.h: No such file or directory
cc1: some warnings being treated as errors
`
	want := []string{"IOPRIO_PRIO_LEVEL", "audit_mark_compare", "linux/units_new.h", "sk_use_task_frag", "sock", "syn_recv_sock"}
	if got := missing(log); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestBrings(t *testing.T) {
	before, after := t.TempDir(), t.TempDir()
	for path, text := range map[string]string{
		filepath.Join(before, "old.h"): "int old(void);\n", filepath.Join(after, "old.h"): "int old(void);\nint fresh_one(struct s *s);\n",
		filepath.Join(after, "new.h"): "#define FRESH(x) x\n",
	} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	w := &work{old: &tree{&source.Tree{Dir: before}}, after: after}
	for _, c := range []struct {
		header, name string
		want         bool
	}{{"old.h", "fresh_one", true}, {"old.h", "old", false}, {"old.h", "fresh", false}, {"old.h", "s", true}, {"new.h", "FRESH", true}, {"new.h", "x.h", false}} {
		if got := w.brings(c.header, []string{"other", c.name}); got != c.want {
			t.Errorf("%s brings %s: got %t", c.header, c.name, got)
		}
	}
	if !w.brings("include/linux/new.h", []string{"linux/new.h"}) {
		t.Error("a header does not bring itself")
	}
}

func TestVisible(t *testing.T) {
	for _, c := range []struct {
		file, header string
		want         bool
	}{
		{"drivers/net/ethernet/a.c", "include/linux/fs.h", true},
		{"drivers/net/ethernet/a.c", "drivers/net/b.h", true},
		{"drivers/net/ethernet/a.c", "drivers/netx/b.h", false},
		{"drivers/net/ethernet/a.c", "drivers/gpu/b.h", false},
		{"mm/slab.c", "mm/slab.h", true},
		{"mm/slab.c", "fs/internal.h", false},
	} {
		if got := visible(c.file, c.header); got != c.want {
			t.Errorf("%s in %s: got %t", c.header, c.file, got)
		}
	}
}
