package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"livesplice/pipeline/cache"
	"livesplice/pipeline/process"
	"livesplice/pipeline/rebuild"
	"livesplice/pipeline/source"
	"livesplice/pkgfmt"
)

// kernelTree is the kernel as the runs before left it in the cache.
type kernelTree struct {
	kernel *pkgfmt.Kernel
	tree   *rebuild.Tree
}

func (b *setting) open(ctx context.Context) (*kernelTree, error) {
	c, err := cache.Open(b.cache)
	if err != nil {
		return nil, err
	}
	t := &kernelTree{}
	if t.kernel, err = pkgfmt.OpenKernel(ctx, c, []string{b.files.Image, b.files.Headers, b.files.HeadersCommon}); err != nil {
		return nil, err
	}
	src, err := source.Open(ctx, c, b.files.Source)
	if err != nil {
		return nil, err
	}
	t.tree, err = rebuild.Prepare(ctx, c, src, t.kernel, rebuild.Options{Jobs: len(b.cores)})
	return t, err
}

// beside measures kbuild alone, as a packager would call it, in a build folder of its own: what livesplice has it do
// besides compiling with other flags.
func (b *setting) beside(ctx context.Context, t *kernelTree) ([]timed, error) {
	obj, mod := filepath.Join(b.dir, "obj"), filepath.Join(b.dir, "module")
	for _, dir := range []string{obj, mod} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return nil, err
		}
	}
	sample := filepath.Join(t.tree.Source, "samples/livepatch/livepatch-sample.c")
	for from, to := range map[string]string{t.kernel.Config: filepath.Join(obj, ".config"), sample: filepath.Join(mod, "main.c")} {
		data, err := os.ReadFile(from)
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(to, data, 0o644); err != nil {
			return nil, err
		}
	}
	if err := os.WriteFile(filepath.Join(mod, "Kbuild"), []byte("obj-m := main.o\n"), 0o644); err != nil {
		return nil, err
	}
	made := filepath.Join(obj, unitName)
	var list []timed
	for _, s := range []struct {
		name string
		gone string // removed before, so that it must be made
		args []string
	}{
		{"make modules_prepare", "", []string{"modules_prepare"}},
		{"make " + unitName + ", first", "", []string{unitName}},
		{"make " + unitName + ", again", made, []string{unitName}},
		{"make of a livepatch module", "", []string{"M=" + mod, "KBUILD_MODPOST_WARN=1", "modules"}},
	} {
		if s.gone != "" {
			if err := os.Remove(s.gone); err != nil {
				return nil, fmt.Errorf("%s: want the object made before: %w", s.name, err)
			}
		}
		res, err := b.make(ctx, t, obj, s.args...)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
		list = append(list, timed{Name: s.name, Wall: res.Wall})
	}
	for _, want := range []string{made, filepath.Join(mod, "main.ko")} {
		if _, err := os.Stat(want); err != nil {
			return nil, fmt.Errorf("make left no such file: %w", err)
		}
	}
	return list, nil
}

func (b *setting) make(ctx context.Context, t *kernelTree, obj string, args ...string) (process.Result, error) {
	all := []string{"-j" + strconv.Itoa(len(b.cores)), "-C", t.tree.Source, "O=" + obj, "ARCH=x86", "CC=" + t.tree.CC, "HOSTCC=" + t.tree.CC,
		"KERNELRELEASE=" + t.kernel.Release}
	return b.run(ctx, nil, "make", append(all, args...)...)
}
