package match_test

import (
	"os"
	"testing"

	"livesplice/ci/archive"
	"livesplice/kmod/diff"
	"livesplice/kmod/elfobj"
	"livesplice/kmod/match"
	"livesplice/kmod/vmlinux"
	"livesplice/pipeline/cache"
	"livesplice/pipeline/rebuild"
	"livesplice/pipeline/source"
	"livesplice/pkgfmt"
)

// shippedUnits are parts of vmlinux that differ in what they hold: hand-written assembly, tables of operations, static
// keys and calls, per-CPU data, thousands of same-named static functions, weak ones.
var shippedUnits = []string{"fs/namei.o", "kernel/sched/core.o", "kernel/sys.o", "net/core/skbuff.o", "net/ipv4/tcp_input.o", "mm/memory.o",
	"fs/fcntl.o", "kernel/fork.o", "block/blk-core.o", "lib/vsprintf.o", "security/commoncap.o", "drivers/tty/tty_io.o",
	"arch/x86/kernel/apic/x2apic_cluster.o"}

// TestShippedKernel proves every function of these units in the newest Debian 12 kernel of the archive, apart from weak
// ones that others override and code that a kernel without modules never has; and finds no difference between an object
// and itself.
func TestShippedKernel(t *testing.T) {
	ctx := t.Context()
	kernels, err := archive.Kernels(ctx, "6.1")
	if err != nil {
		t.Fatal(err)
	}
	files, err := kernels[len(kernels)-1].Fetch(ctx)
	if err != nil {
		t.Fatal(err)
	}
	c, err := cache.Open("")
	if err != nil {
		t.Fatal(err)
	}
	src, err := source.Open(ctx, c, files.Source)
	if err != nil {
		t.Fatal(err)
	}
	k, err := pkgfmt.OpenKernel(ctx, c, []string{files.Image, files.Headers, files.HeadersCommon})
	if err != nil {
		t.Fatal(err)
	}
	tree, err := rebuild.Prepare(ctx, c, src, k, rebuild.Options{})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(k.Vmlinux)
	if err != nil {
		t.Fatal(err)
	}
	run, err := vmlinux.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tree.Record(ctx, shippedUnits...); err != nil {
		t.Fatal(err)
	}
	functions, strict, byInsn, unmatched := 0, 0, 0, 0
	for _, name := range shippedUnits {
		obj, err := tree.Compile(ctx, name, nil)
		if err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(obj.Path)
		if err != nil {
			t.Fatal(err)
		}
		d, err := diff.Compare(obj.Source, read(t, data), read(t, data), diff.Options{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if len(d.Changes) > 0 || len(d.Refusals) > 0 {
			t.Errorf("%s: differs from itself: %v %v", name, d.Changes, d.Refusals)
		}
		r, err := match.Match(obj.Source, d.Pre, run)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := match.Join(r.Conflicts(), r.Unexplained()); err != nil {
			t.Error(err)
		}
		functions, strict, byInsn, unmatched = functions+len(r.Functions), strict+r.Strict, byInsn+r.ByInsn, unmatched+r.Unmatched
	}
	t.Logf("%d units, %d functions: %d by bytes, %d by instruction, %d not (weak or discarded)", len(shippedUnits), functions, strict, byInsn, unmatched)
	if functions < 1400 || strict+byInsn+unmatched != functions || unmatched > 10 {
		t.Errorf("%d functions: %d by bytes, %d by instruction, %d not", functions, strict, byInsn, unmatched)
	}
}

func read(t *testing.T, data []byte) *elfobj.Object {
	t.Helper()
	obj, err := elfobj.Read(data)
	if err != nil {
		t.Fatal(err)
	}
	return obj
}
