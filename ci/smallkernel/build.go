package smallkernel

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// makeAll configures and builds in top/obj, then makes the packages: the .debs come to be in top, the .rpms in top/rpm.
func makeAll(ctx context.Context, src, top string) error {
	k := &Kernel{Source: src, Object: filepath.Join(top, "obj")}
	if err := os.MkdirAll(k.Object, 0o755); err != nil {
		return err
	}
	fragment := filepath.Join(top, "config")
	if err := os.WriteFile(fragment, config, 0o644); err != nil {
		return err
	}
	for _, args := range [][]string{
		{"KCONFIG_ALLCONFIG=" + fragment, "allnoconfig"},
		{}, // what is there from a build that was stopped is not made again
		{"bindeb-pkg"},
		{"RPMOPTS=--define '_topdir " + filepath.Join(top, "rpm") + "'", "binrpm-pkg"},
	} {
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
