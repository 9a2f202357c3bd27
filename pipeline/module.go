package pipeline

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"livesplice/kmod/diff"
	"livesplice/kmod/elfobj"
	"livesplice/kmod/link"
	"livesplice/kmod/match"
)

// match proves pre against the shipped image.
func (c *creation) match(ctx context.Context) (string, error) {
	if err := c.undefined(ctx); err != nil {
		return "", err
	}
	strict, byInsn, unmatched := 0, 0, 0
	var wrong match.Mismatch
	c.built = map[match.Proof]int{}
	for i := range c.units {
		u := &c.units[i]
		run, err := c.targets.run(ctx, u.Target)
		if err != nil {
			return "", err
		}
		if u.Match, err = match.Match(u.Diff.Unit, u.Diff.Pre, run); err != nil {
			return "", err
		}
		u.Match.Target = u.Target
		u.Diff.Pre.ForgetRefs() // of all functions, while few are looked at again
		if c.build != "" && c.opts.ModuleSource == "" {
			differences, err := c.matchBuilt(ctx, c.objects[i], u, run)
			if err != nil {
				return "", err
			}
			wrong.Differences = append(wrong.Differences, differences...)
		}
		strict, byInsn, unmatched = strict+u.Match.Strict, byInsn+u.Match.ByInsn, unmatched+u.Match.Unmatched
	}
	if len(wrong.Differences) > 0 {
		return "", &wrong
	}
	if err := c.unloading(); err != nil {
		return "", err
	}
	var err error
	if c.id, err = c.updateID(); err != nil {
		return "", err
	}
	c.link, err = link.NewPlan("livesplice_"+c.id, c.units)
	var refused diff.Refusals
	if errors.As(err, &refused) {
		return "", c.refuse(refused)
	}
	if err != nil {
		return "", err
	}
	if err := c.refuse(c.freed()); err != nil {
		return "", err
	}
	if c.debug, err = c.checkDebugInfo(ctx); err != nil {
		return "", err
	}
	return fmt.Sprintf("%d functions proven by bytes, %d by instruction, %d not located%s%s", strict, byInsn, unmatched, c.builtText(), c.debug), nil
}

// freed refuses references to what the kernel frees after boot, or once a module is loaded (vmlinux's symbols stay in
// kallsyms), and functions that the image has elsewhere than was taken for granted.
func (c *creation) freed() (out diff.Refusals) {
	for _, u := range c.units {
		out = append(out, misplaced(u.Diff.Unit, u.Diff, u.Match, c.imageOf(u.Target))...)
	}
	for _, u := range c.units {
		for _, n := range u.Extract.Needs {
			if b, ok := c.link.Symbols[n.Sym.Name]; ok && c.imageOf(b.Object).Freed(b.Addr) {
				out = append(out, diff.Refusal{Code: diff.NotExtractable, Unit: u.Diff.Unit, Subject: b.Name,
					Reason: "the patched code refers to it, and the running kernel has freed it after boot (__init, __initdata)",
					Remedy: "take the reference out of the patch, or reboot into a fixed kernel"})
			}
		}
	}
	return out
}

// updateID is a hash over what decides the update's bytes: the shipped kernel by its build-id, the flags and patches,
// and what the compiler and livesplice made of them.
func (c *creation) updateID() (string, error) {
	if c.opts.ID != "" {
		return c.opts.ID, nil
	}
	h := sha256.New()
	fmt.Fprintf(h, "livesplice %s\nkernel %x\nrevision %d\nstack %v\ndescription %q\n", Version(), c.kernel.BuildID, c.opts.Revision, c.opts.Stack, c.opts.Description)
	for _, f := range c.opts.Fixes {
		fmt.Fprintf(h, "fixes %q\n", f)
	}
	for _, f := range c.opts.NeedsReboot {
		fmt.Fprintf(h, "needs reboot %q\n", f)
	}
	for _, p := range c.plan.Patches {
		fmt.Fprintf(h, "patch %x\n", sha256.Sum256(p.data))
	}
	io.WriteString(h, c.signedBy())
	images := c.targets.opened()
	for _, name := range slices.Sorted(maps.Keys(images)) {
		if _, external := c.external[name]; external { // the kernel's own are as it is
			fmt.Fprintf(h, "module %s %x\n", name, images[name].BuildID)
		}
	}
	for _, u := range c.units {
		obj, err := u.Extract.Obj.Write()
		if err != nil {
			return "", err
		}
		fmt.Fprintf(h, "object %s %x\n", u.Diff.Unit, sha256.Sum256(obj))
	}
	return fmt.Sprintf("%x", h.Sum(nil)[:4]), nil
}

// linkModule lets kbuild link the module, then writes its livepatch relocations.
func (c *creation) linkModule(ctx context.Context) (string, error) {
	if err := c.link.ForgetUnloaded(c.image); err != nil {
		return "", err
	}
	files, err := c.link.Sources(c.id, c.kernel.Release, c.description(), !c.opts.Stack)
	if err != nil {
		return "", err
	}
	for i, u := range c.units {
		if files[fmt.Sprintf("u%d.o", i)], err = u.Extract.Obj.Write(); err != nil {
			return "", err
		}
	}
	m, err := c.tree.BuildModule(ctx, c.link.Module, files, "KCFLAGS=-g0")
	if err != nil {
		return "", err
	}
	c.stages.cost("link", m.Cost)
	for _, line := range strings.Split(m.Log, "\n") {
		if strings.Contains(line, "objtool: ") {
			c.stages.Note("%s", strings.TrimSpace(line))
		}
	}
	ko, err := elfobj.Read(m.KO)
	if err != nil {
		return "", fmt.Errorf("module %s: %w", c.link.Module, err)
	}
	exported := func(name string) (uint64, bool) {
		e, ok := c.image.Export(name)
		return e.Addr, ok && e.Namespace == ""
	}
	if err := link.Convert(ko, c.link, exported); err != nil {
		return "", err
	}
	if c.module, err = ko.Write(); err != nil {
		return "", fmt.Errorf("module %s: %w", c.link.Module, err)
	}
	return fmt.Sprintf("%s.ko, %d bytes", c.link.Module, len(c.module)), nil
}

// verify reads the module back and holds it against post and the shipped tables.
func (c *creation) verify(ctx context.Context) (string, error) {
	err := link.Verify(c.module, c.units, link.Kernel{Run: c.image, Modules: c.targets.opened(), Export: c.image.Export, Symvers: c.vers, Release: c.kernel.Release, Vermagic: c.vermagic()})
	if err != nil {
		return "", fmt.Errorf("the module is not what was meant, which is a fault of livesplice:\n%w", err)
	}
	if c.predicted, err = c.predict(ctx); err != nil {
		return "", fmt.Errorf("the kernel would do with the module what was not meant, which is a fault of livesplice:\n%w", err)
	}
	return splices(len(c.link.Splices)) + addedOnly(c.link.Objects()), nil
}

func splices(n int) string {
	if n == 1 {
		return "1 splice"
	}
	return fmt.Sprintf("%d splices", n)
}

// addedOnly names the modules to which the update only adds code.
func addedOnly(objects []link.Object) string {
	var names []string
	for _, o := range objects {
		if len(o.Splices) == 0 {
			names = append(names, o.Name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return ", and new code of " + strings.Join(names, ", ")
}

// vermagic is what the shipped kernel compares a module's with; "" if the image's symbol table does not know it.
//
// Source: kernel/module/main.c, vermagic[], v5.10 to v7.0.
func (c *creation) vermagic() string {
	const longest = 256
	for _, s := range c.image.Lookup("vermagic") {
		if b, ok := c.image.Bytes(s.Addr, longest); ok {
			text, _, _ := bytes.Cut(b, []byte{0})
			return string(text)
		}
	}
	return ""
}

// description is the module's: one line.
func (c *creation) description() string {
	if c.opts.Description != "" {
		return firstLine(c.opts.Description)
	}
	return "live update " + c.id + " of " + c.kernel.Release
}

func (c *creation) splice(entry string) link.Splice {
	for _, s := range c.link.Splices {
		if s.Entry == entry {
			return s
		}
	}
	return link.Splice{}
}
