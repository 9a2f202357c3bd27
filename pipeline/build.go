package pipeline

import (
	"context"
	"path/filepath"

	"livesplice/kconfig"
	"livesplice/pipeline/rebuild"
	"livesplice/pipeline/source"
	"livesplice/pkgfmt"
)

// openBuild reads the image package and finds the source of the finished build. The build has what headers would: its
// Module.symvers is the one that modprobe's are checked against, since readSymvers holds it against the image.
func (c *creation) openBuild(ctx context.Context) error {
	var dir string
	var err error
	if c.build, dir, err = rebuild.FindSource(c.opts.BuildTree); err != nil {
		return err
	}
	if c.opts.Source != "" {
		given, err := filepath.Abs(c.opts.Source)
		if err == nil {
			given, err = filepath.EvalSymlinks(given)
		}
		if err != nil || given != dir {
			return &kconfig.UsageError{Thing: `flag "--source"`, Reason: "the build tree was built from " + dir + ", which is read: leave the flag out, or name that folder"}
		}
	}
	if c.source, err = source.OpenBuilt(dir); err != nil {
		return err
	}
	if c.kernel, err = pkgfmt.OpenImage(ctx, c.cache, c.opts.Kernel); err != nil {
		return err
	}
	c.kernel.Symvers = filepath.Join(c.build, "Module.symvers")
	return nil
}
