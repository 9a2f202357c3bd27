package smallkernel

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"livesplice/pipeline/process"
)

// make configures and builds in top/obj, then makes the packages: the .debs come to be in top, the .rpms in top/rpm.
func (f form) make(ctx context.Context, src, top string) error {
	// A build that came as far as its packages is not gone on with: kbuild would link anew, and count up the packages' revision.
	if stale, err := filepath.Glob(filepath.Join(top, "*.deb")); err != nil {
		return err
	} else if len(stale) > 0 {
		if err := os.RemoveAll(top); err != nil {
			return err
		}
	}
	k := &Kernel{Source: src, Object: filepath.Join(top, "obj")}
	if f.inPlace {
		if err := os.RemoveAll(k.Object); err != nil {
			return err
		}
		// Hard links: kbuild writes new files only.
		if _, err := process.Run(ctx, process.Cmd{Path: "cp", Args: []string{"-al", src, k.Object}}); err != nil {
			return err
		}
		k.Source = k.Object
	}
	if err := os.MkdirAll(k.Object, 0o755); err != nil {
		return err
	}
	fragment := filepath.Join(top, "config")
	if err := os.WriteFile(fragment, []byte(f.config), 0o644); err != nil {
		return err
	}
	steps := [][]string{
		{"KCONFIG_ALLCONFIG=" + fragment, "allnoconfig"},
		{}, // what is there from a build that was stopped is not made again
	}
	if !f.bare {
		steps = append(steps, []string{"bindeb-pkg"})
	}
	if f.rpm {
		steps = append(steps, []string{"RPMOPTS=--define '_topdir " + filepath.Join(top, "rpm") + "'", "binrpm-pkg"})
	}
	for _, args := range steps {
		res, err := k.Make(ctx, k.Object, args...)
		if err != nil {
			return fmt.Errorf("make %q: %w\n%s", args, err, lastLines(res.Stderr))
		}
	}
	// What rpmbuild installed once more.
	return os.RemoveAll(filepath.Join(top, "rpm", "BUILDROOT"))
}

// lastLines are the last 4 KiB of a log.
func lastLines(log []byte) []byte { return log[max(0, len(log)-4096):] }
