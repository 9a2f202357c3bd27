package pipeline

import (
	"context"
	"slices"

	"livesplice/kmod/klpcore"
	"livesplice/kmod/module"
	"livesplice/kmod/vmlinux"
)

// predict asks the model of the kernel's livepatch core what the kernel will do with the finished module.
func (c *creation) predict(ctx context.Context) (*klpcore.Prediction, error) {
	return klpcore.Check(c.module, klpcore.Kernel{
		Release: c.kernel.Release,
		Symbols: func(name string) (addrs []uint64) {
			for _, s := range c.image.Lookup(name) {
				addrs = append(addrs, s.Addr)
			}
			slices.Sort(addrs)
			return addrs
		},
		Exported: func(name string) (string, bool) {
			e, ok := c.image.Export(name)
			return e.Namespace, ok
		},
		Exporter: func(name string) string {
			v, ok := c.vers[name]
			if _, inKernel := c.image.Export(name); !ok || inKernel || v.Module == vmlinux.Object {
				return ""
			}
			return module.NameOf(v.Module)
		},
		Module: func(name string) ([]byte, error) {
			l, err := c.targets.module(ctx, name)
			if err != nil {
				return nil, err
			}
			return l.ELF(), nil
		},
		StructSize: c.image.StructSize,
	})
}
