package pipeline

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"livesplice/kconfig"
	"livesplice/kmod/module"
	"livesplice/kmod/vmlinux"
	"livesplice/pipeline/source"
	"livesplice/pkgfmt"
)

// openExternal makes the out-of-tree modules' source the one whose units are patched, and finds the shipped file of each
// module. One that is nowhere is missed when a patch touches it.
func (c *creation) openExternal(ctx context.Context) error {
	src, err := source.OpenModule(ctx, c.opts.ModuleSource)
	if err != nil {
		return err
	}
	if c.tree, err = c.tree.External(ctx, src); err != nil {
		return err
	}
	c.stages.cost("prepare", c.tree.Prepared)
	images, err := c.givenModules(ctx)
	if err != nil {
		return err
	}
	var text []string
	for _, name := range c.tree.Modules() {
		im := images[name]
		if im == nil {
			c.external[name] = ""
			found, err := openModule(ctx, c.kernel, name, "")
			var missing *pkgfmt.InputError
			switch {
			case errors.As(err, &missing): // or damaged: an error once it is asked for
				continue
			case err != nil:
				return err
			}
			if im = found; im.InTree() {
				continue
			}
		}
		text = append(text, im.Strings()...)
	}
	if dir := c.tree.BuiltIn(text); dir != "" {
		c.stages.Note("%s: its modules were built in %s, by their own strings", c.opts.ModuleSource, dir)
	}
	return c.addExports()
}

// givenModules reads the files that --module names, each of which the source must make.
func (c *creation) givenModules(ctx context.Context) (map[string]*module.Image, error) {
	c.external = map[string]string{}
	images := map[string]*module.Image{}
	made := c.tree.Modules()
	for _, file := range c.opts.Modules {
		im, err := readModule(ctx, c.kernel, file, file)
		switch {
		case err != nil:
			return nil, err
		case !slices.Contains(made, im.Name):
			return nil, &pkgfmt.MismatchError{Path: file, Got: "module " + im.Name, Want: fmt.Sprintf("one that %s makes: %s", c.opts.ModuleSource, strings.Join(made, ", "))}
		case im.InTree():
			return nil, &pkgfmt.MismatchError{Path: file, Got: "module " + im.Name + " of the kernel itself (intree=Y)", Want: "the one made from " + c.opts.ModuleSource}
		case images[im.Name] != nil:
			return nil, &kconfig.UsageError{Thing: `flag "--module"`, Reason: fmt.Sprintf("%q and %q are both module %s", c.external[im.Name], file, im.Name)}
		}
		images[im.Name], c.external[im.Name] = im, file
	}
	return images, nil
}

// addExports adds what the modules export to what the kernel and its modules do: one may import from another. An
// out-of-tree module takes the place of one of the kernel's of the same name.
func (c *creation) addExports() error {
	path := c.tree.Exports()
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	own, err := vmlinux.ParseSymvers(f)
	if err != nil {
		return &pkgfmt.InputError{Path: path, Want: "a Module.symvers", Err: err}
	}
	c.vers = maps.Clone(c.vers)
	maps.DeleteFunc(c.vers, func(_ string, v vmlinux.Symver) bool {
		_, replaced := c.external[module.NameOf(v.Module)]
		return replaced
	})
	maps.Copy(c.vers, own)
	return nil
}
