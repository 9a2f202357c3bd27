package pipeline

import (
	"context"
	"fmt"
	"os"

	"livesplice/kmod/elfobj"
	"livesplice/kmod/link"
	"livesplice/kmod/match"
	"livesplice/kmod/unit"
	"livesplice/pkgfmt"
)

// matchBuilt holds the object that the finished build left of a unit against the shipped binary: it was compiled without
// sections of its own, as the shipped one was, so that nothing of it may differ. It must have each replaced function where pre,
// which livesplice compiled, has it. Where pre is not in the binary it tells whether the build's own object is.
func (c *creation) matchBuilt(ctx context.Context, object string, u *link.Unit, run match.Run) ([]match.Difference, error) {
	file, err := c.tree.Built(ctx, object)
	if err != nil {
		return nil, err
	}
	built, err := c.matchObject(file, u.Diff.Unit, run)
	if err != nil {
		return nil, err
	}
	byAddress, byName := map[uint64]match.Function{}, map[string]match.Function{}
	for _, f := range built.Functions {
		if f.Proof != match.None {
			byAddress[f.Address], byName[f.Name] = f, f
		}
	}
	var wrong []match.Difference
	for _, f := range u.Extract.Functions {
		if f.Pre == nil {
			continue
		}
		d := match.Difference{Unit: u.Diff.Unit, Subject: f.Pre.Name}
		addr, located := u.Match.Located(f.Pre)
		own, there := byAddress[addr]
		switch named, ok := byName[f.Pre.Name]; {
		case located && there:
			c.built[own.Proof]++
			continue
		case located:
			d.Address, d.Reason = addr, fmt.Sprintf("the object of the build tree, %s, does not have it there: it is not what the shipped binary was linked from", object)
		case ok:
			d.Address, d.Reason = named.Address, fmt.Sprintf("the object of the build tree, %s, has it there; what its command compiles today is something else: the compiler or a file that it reads was changed", object)
		default:
			d.Reason = fmt.Sprintf("neither the object of the build tree, %s, has it in the shipped binary, nor what its command compiles: the tree is not that of the shipped kernel", object)
		}
		wrong = append(wrong, d)
	}
	return wrong, nil
}

func (c *creation) matchObject(file, name string, run match.Run) (*match.Result, error) {
	fail := func(err error) (*match.Result, error) {
		return nil, &pkgfmt.InputError{Path: file, Want: "an object of a kernel build", Err: err}
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return fail(err)
	}
	obj, err := elfobj.Read(data)
	if err != nil {
		return fail(err)
	}
	u, err := unit.New(obj)
	if err != nil {
		return fail(err)
	}
	u.Types = c.image
	return match.Match(name, u, run)
}

// builtText says what matchBuilt found, for people; "" where there is no build.
func (c *creation) builtText() string {
	if c.build == "" || c.opts.ModuleSource != "" {
		return ""
	}
	return fmt.Sprintf("; of the build's own objects, %d replaced functions by bytes, %d by instruction", c.built[match.Strict], c.built[match.ByInsn])
}
