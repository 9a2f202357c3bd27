package vm

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"livesplice/pipeline/cache"
	"livesplice/pipeline/process"
	"livesplice/pkgfmt"
)

// bootFiles is all that QEMU reads.
type bootFiles struct {
	vmlinuz string
	initrd  string
	root    string // ext4 image, only ever used as a snapshot
	accel   string // "kvm" or "tcg"
	scratch string // holds initrd; of no use once QEMU has started
}

// kernelFiles is a shipped kernel on this machine's disk.
type kernelFiles struct {
	vmlinuz string
	modules string // "…/lib/modules/<release>"
}

func prepare(ctx context.Context, c *cache.Cache, cfg Config) (_ *bootFiles, err error) {
	if _, err := process.Look(qemuProgram); err != nil {
		return nil, err
	}
	kernel, err := findKernel(ctx, c, cfg)
	if err != nil {
		return nil, err
	}
	root, err := rootImage(ctx, c)
	if err != nil {
		return nil, err
	}
	agent, err := buildAgent(ctx, c)
	if err != nil {
		return nil, err
	}
	scratch, err := os.MkdirTemp("", "livesplice-vm-")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			os.RemoveAll(scratch)
		}
	}()
	b := &bootFiles{vmlinuz: kernel.vmlinuz, initrd: filepath.Join(scratch, "initrd"), root: root, scratch: scratch}
	if err := writeInitrd(ctx, b.initrd, agent, kernel, cfg.Modules); err != nil {
		return nil, err
	}
	b.accel = accelerator(ctx, c, kernel.vmlinuz)
	return b, nil
}

// findKernel is the kernel that cfg names, unpacked into the cache if it is a package.
func findKernel(ctx context.Context, c *cache.Cache, cfg Config) (kernelFiles, error) {
	switch {
	case cfg.Image != "" && (cfg.Vmlinuz != "" || cfg.ModulesDir != ""):
		return kernelFiles{}, errors.New("vm: both Image and Vmlinuz given")
	case cfg.Vmlinuz != "" && cfg.ModulesDir != "":
		return kernelFiles{cfg.Vmlinuz, cfg.ModulesDir}, nil
	case cfg.Image == "":
		return kernelFiles{}, errors.New("vm: neither Image nor Vmlinuz with ModulesDir given")
	}
	if st, err := os.Stat(cfg.Image); err == nil && st.IsDir() {
		return locateKernel(cfg.Image, cfg.Image)
	}
	packages := append([]string{cfg.Image}, cfg.Parts...)
	h := sha256.New()
	for _, p := range packages {
		sum, err := c.HashFile(p)
		if err != nil {
			return kernelFiles{}, err
		}
		fmt.Fprintln(h, sum)
	}
	dir, err := c.Dir(ctx, "vm-kernel", hex.EncodeToString(h.Sum(nil))[:32], func(ctx context.Context, dir string) error {
		return unpackKernel(ctx, packages, dir)
	})
	if err != nil {
		return kernelFiles{}, err
	}
	return locateKernel(cfg.Image, dir)
}

// unpackKernel unpacks what a machine needs of the packages of a kernel: vmlinuz and modules.
func unpackKernel(ctx context.Context, packages []string, dir string) error {
	for _, name := range packages {
		p, err := pkgfmt.Open(name)
		if err != nil {
			return err
		}
		err = p.Extract(ctx, dir, func(name string) bool {
			return strings.HasPrefix(name, "boot/vmlinuz-") || strings.HasPrefix(strings.TrimPrefix(name, "usr/"), "lib/modules/")
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// locateKernel finds vmlinuz and modules of the one kernel below dir. Since Debian 13 the modules are in usr/lib, and since
// Linux 7.0 vmlinuz is with them.
func locateKernel(origin, dir string) (kernelFiles, error) {
	var images []string
	for _, pattern := range []string{"boot/vmlinuz-*", "usr/lib/modules/*/vmlinuz"} {
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return kernelFiles{}, err
		}
		images = append(images, found...)
	}
	if len(images) != 1 {
		return kernelFiles{}, fmt.Errorf("file %q: %d kernel images (boot/vmlinuz-*), want the package of a kernel image with one", origin, len(images))
	}
	release, named := strings.CutPrefix(filepath.Base(images[0]), "vmlinuz-")
	if !named {
		release = filepath.Base(filepath.Dir(images[0]))
	}
	for _, lib := range []string{"lib", "usr/lib"} {
		modules := filepath.Join(dir, lib, "modules", release)
		if st, err := os.Stat(filepath.Join(modules, "kernel")); err == nil && st.IsDir() {
			return kernelFiles{images[0], modules}, nil
		}
	}
	return kernelFiles{}, fmt.Errorf("file %q: no modules of %s", origin, release)
}
