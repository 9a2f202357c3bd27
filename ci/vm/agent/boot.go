package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

// Layout of the initramfs, as the harness makes it.
const (
	orderFile  = "/boot-modules/order" // file names in /boot-modules, one a line, in the order to load them
	extraTree  = "/lib/modules"        // optional: goes to /lib/modules of the root
	rootDevice = "/dev/vda"
	newRoot    = "/sysroot"
)

type mount struct {
	source, target, kind string
	flags                uintptr
	data                 string
}

// boot brings the machine to where a script can run: the root is / and the usual file systems are mounted.
func boot() error {
	err := mountAll([]mount{
		{"devtmpfs", "/dev", "devtmpfs", 0, ""},
		{"proc", "/proc", "proc", 0, ""},
		{"sysfs", "/sys", "sysfs", 0, ""},
	})
	if err != nil {
		return err
	}
	if err := loadModules(); err != nil {
		return err
	}
	if err := waitFor(rootDevice); err != nil {
		return err
	}
	if err := mountAll([]mount{{rootDevice, newRoot, "ext4", 0, ""}}); err != nil {
		return err
	}
	if err := copyTree(extraTree, newRoot+"/usr/lib/modules"); err != nil {
		return err
	}
	for _, dir := range []string{"/dev", "/proc", "/sys"} {
		if err := syscall.Mount(dir, newRoot+dir, "", syscall.MS_MOVE, ""); err != nil {
			return fmt.Errorf("move %s: %w", dir, err)
		}
	}
	if err := enterRoot(); err != nil {
		return err
	}
	if err := syscall.Sethostname([]byte("livesplice")); err != nil {
		return fmt.Errorf("hostname: %w", err)
	}
	return mountAll([]mount{
		{"tmpfs", "/run", "tmpfs", syscall.MS_NOSUID | syscall.MS_NODEV, "mode=755"},
		{"tmpfs", "/tmp", "tmpfs", syscall.MS_NOSUID | syscall.MS_NODEV, "mode=1777"},
		{"tmpfs", "/dev/shm", "tmpfs", syscall.MS_NOSUID | syscall.MS_NODEV, "mode=1777"},
		{"devpts", "/dev/pts", "devpts", 0, "mode=620,ptmxmode=666"},
	})
}

func mountAll(mounts []mount) error {
	for _, m := range mounts {
		if err := os.MkdirAll(m.target, 0o755); err != nil {
			return err
		}
		// EBUSY: the kernel was built with DEVTMPFS_MOUNT and did it itself.
		err := syscall.Mount(m.source, m.target, m.kind, m.flags, m.data)
		if err != nil && !errors.Is(err, syscall.EBUSY) {
			return fmt.Errorf("mount %s: %w", m.target, err)
		}
	}
	return nil
}

// enterRoot makes newRoot the root of this process and of all that come after it.
func enterRoot() error {
	if err := os.Chdir(newRoot); err != nil {
		return err
	}
	if err := syscall.Mount(".", "/", "", syscall.MS_MOVE, ""); err != nil {
		return fmt.Errorf("move root: %w", err)
	}
	if err := syscall.Chroot("."); err != nil {
		return fmt.Errorf("chroot: %w", err)
	}
	return os.Chdir("/")
}

func loadModules() error {
	order, err := os.ReadFile(orderFile)
	if err != nil {
		return err
	}
	for _, name := range strings.Fields(string(order)) {
		b, err := os.ReadFile(filepath.Join(filepath.Dir(orderFile), name))
		if err != nil {
			return err
		}
		params := []byte{0}
		_, _, e := syscall.Syscall(syscall.SYS_INIT_MODULE,
			uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), uintptr(unsafe.Pointer(&params[0])))
		if e != 0 && e != syscall.EEXIST {
			return fmt.Errorf("module %s: %w", name, e)
		}
	}
	return nil
}

// waitFor waits until path is there: devices are found after their driver's module has been loaded.
func waitFor(path string) error {
	for range 3000 {
		if _, err := os.Stat(path); err == nil {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return fmt.Errorf("%s: has not appeared within 30 s", path)
}

// copyTree copies folders and regular files; no source is no error.
func copyTree(from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && path == from {
			return nil
		}
		if err != nil {
			return err
		}
		target := filepath.Join(to, strings.TrimPrefix(path, from))
		if d.IsDir() {
			return os.MkdirAll(target, 0o755)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(target, b, 0o644)
	})
}
