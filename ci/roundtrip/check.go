package main

import (
	"context"
	"fmt"
	"hash/fnv"
	"runtime"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"livesplice/kmod/diff"
	"livesplice/kmod/elfobj"
	"livesplice/pkgfmt"
)

// check is what came of the modules of one kernel.
type check struct {
	release string
	modules int
	bytes   int64
	readelf int // held against readelf too

	mu       sync.Mutex
	findings []string // by module, sorted
}

// roundTrips checks every module of a kernel, each by itself. One of `every` modules, chosen by its name, is held
// against readelf as well.
func roundTrips(ctx context.Context, k *pkgfmt.Kernel, every int) (*check, error) {
	c := &check{release: k.Release}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.NumCPU())
	err := k.EveryModule(gctx, func(name, path string, image []byte) error {
		c.modules++
		c.bytes += int64(len(image))
		h := fnv.New32a()
		h.Write([]byte(name))
		sampled := h.Sum32()%uint32(every) == 0
		if sampled {
			c.readelf++
		}
		g.Go(func() error { return c.one(gctx, path, image, sampled) })
		return nil
	})
	if cause := g.Wait(); cause != nil {
		err = cause // EveryModule only saw that it was to end
	}
	slices.Sort(c.findings)
	return c, err
}

// one checks one module. An error is not the module's fault, but the machine's.
func (c *check) one(ctx context.Context, path string, image []byte, sampled bool) error {
	found := func(format string, args ...any) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.findings = append(c.findings, path+": "+fmt.Sprintf(format, args...))
	}
	obj, err := elfobj.Read(image)
	if err != nil {
		found("%v", err)
		return nil
	}
	written, err := obj.Write()
	if err != nil {
		found("%v", err)
		return nil
	}
	if err := sameObject(image, written); err != nil {
		found("written back: %v", err)
	}
	if err := noChange(path, obj, image); err != nil {
		found("compared with itself: %v", err)
	}
	if sampled {
		differ, err := readelfDiffers(ctx, image, written)
		if err != nil {
			return err
		}
		if differ != "" {
			found("written back, by readelf: %s", differ)
		}
	}
	return nil
}

// noChange compares an object with the same bytes read anew.
func noChange(path string, pre *elfobj.Object, image []byte) error {
	post, err := elfobj.Read(image)
	if err != nil {
		return err
	}
	d, err := diff.Compare(path, pre, post, diff.Options{Module: true})
	if err != nil {
		return err
	}
	if len(d.Refusals) > 0 {
		return d.Refusals
	}
	if len(d.Changes) > 0 {
		return fmt.Errorf("%v", d.Changes)
	}
	return nil
}

func (c *check) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %d modules, %.1f MB: read, written back, and compared with themselves; %d written back compared by readelf too: %d findings\n",
		c.release, c.modules, float64(c.bytes)/1e6, c.readelf, len(c.findings))
	for _, f := range c.findings {
		b.WriteString(f + "\n")
	}
	return b.String()
}
