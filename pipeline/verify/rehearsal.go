package verify

import (
	"context"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"livesplice/ci/vm"
	"livesplice/kmod/livepatch"
	"livesplice/pkgfmt"
)

// rehearsal takes one update through a machine.
type rehearsal struct {
	options Options
	update  *pkgfmt.Update
	host    string // package of splicectl
	objects []Object
	result  *Result

	machine Machine
	before  []string // what is redirected without the update
	loaded  []string // objects that are there
	mark    uint64   // of the kernel's log, up to where it was read
	known   []string // lines of the log that come without the update
}

// step does one thing and keeps what became of it. A *Failed ends the rehearsal, as an error of the machine does.
func (r *rehearsal) step(ctx context.Context, name, what string, do func(ctx context.Context) error) error {
	start := time.Now()
	s := Step{Name: name, What: what}
	err := do(ctx)
	var bad problems
	switch {
	case errors.As(err, &bad):
		s.Problems = bad
	case err != nil:
		s.Problems = []string{err.Error()}
	}
	s.Seconds = time.Since(start).Seconds()
	r.result.Steps = append(r.result.Steps, s)
	if r.options.Tell != nil {
		r.options.Tell(s)
	}
	if bad != nil {
		return &Failed{Package: r.options.Package, Step: s}
	}
	if err != nil {
		return fmt.Errorf("package %q: %s: %w", r.options.Package, name, err)
	}
	return nil
}

// problems are what is wrong with the update, as opposed to the machine.
type problems []string

func (p problems) Error() string { return strings.Join(p, "; ") }

// managers are the package managers' commands, by format. %s is a file, in remove a package's name.
var managers = map[pkgfmt.Format]struct{ install, remove string }{
	pkgfmt.FormatDeb: {"dpkg -i %s", "dpkg -P %s"},
	pkgfmt.FormatRPM: {"rpm -i %s", "rpm -e %s"},
}

// rehearse is the whole life of an update on a machine.
func (r *rehearsal) rehearse(ctx context.Context, m Machine) error {
	r.machine = m
	manager, module, id := managers[r.update.Format], r.update.Manifest.Module, r.update.Manifest.ID
	file, host := "/root/"+filepath.Base(r.options.Package), "/root/splicectl"+filepath.Ext(r.host)
	installHost, install := fmt.Sprintf(manager.install, host), fmt.Sprintf(manager.install, file)
	remove := fmt.Sprintf(manager.remove, r.update.Name)
	for _, s := range []struct {
		name, what string
		do         func(ctx context.Context) error
	}{
		{"prepare", "modules, " + installHost, func(ctx context.Context) error { return r.prepare(ctx, host, file, installHost) }},
		{"install", install, func(ctx context.Context) error { return r.explain(ctx, r.patched(ctx, install, Settle(module))) }},
		{"work", "a workload on the patched kernel", func(ctx context.Context) error { return r.patched(ctx, Work) }},
		{"undo", "splicectl undo " + id, func(ctx context.Context) error { return r.unpatched(ctx, "splicectl undo "+id) }},
		{"apply", "splicectl apply " + id, func(ctx context.Context) error { return r.patched(ctx, "splicectl apply "+id, Settle(module)) }},
		{"late", "modules that come after the update", r.late},
		{"remove", remove, func(ctx context.Context) error { return r.removed(ctx, remove) }},
	} {
		if err := r.step(ctx, s.name, s.what, s.do); err != nil {
			return err
		}
	}
	return nil
}

// run runs scripts; one that ends badly is a problem.
func (r *rehearsal) run(ctx context.Context, scripts ...string) error {
	for _, s := range scripts {
		res, err := r.machine.Run(ctx, s)
		if err != nil {
			return err
		}
		if res.ExitCode != 0 {
			return problems{fmt.Sprintf("%s: exit code %d: %s", strings.SplitN(s, "\n", 2)[0], res.ExitCode, strings.TrimSpace(res.Stdout+res.Stderr))}
		}
	}
	return nil
}

// explain adds to a problem of the installation what splicectl says of it: a package whose update cannot be applied installs
// all the same.
func (r *rehearsal) explain(ctx context.Context, err error) error {
	var bad problems
	if !errors.As(err, &bad) {
		return err
	}
	if res, err := r.machine.Run(ctx, "splicectl status"); err == nil && res.Stdout != "" {
		bad = append(bad, "splicectl status: "+strings.Join(strings.Fields(res.Stdout), " "))
	}
	return bad
}

// prepare brings the packages and loads the modules that the update patches. What these write into the kernel's log is
// not the update's doing.
func (r *rehearsal) prepare(ctx context.Context, host, file, install string) error {
	if err := r.machine.CopyIn(ctx, r.host, host); err != nil {
		return err
	}
	if err := r.machine.CopyIn(ctx, r.options.Package, file); err != nil {
		return err
	}
	if err := r.run(ctx, Prepare, install); err != nil {
		return err
	}
	var err error
	if r.mark, err = r.machine.Mark(ctx); err != nil {
		return err
	}
	for _, o := range r.objects {
		if o.Name != livepatch.VMLinux {
			if slices.Contains(r.result.Absent, o.Name) {
				continue
			}
			res, err := r.machine.Run(ctx, "modprobe "+o.Name)
			if err != nil {
				return err
			}
			if res.ExitCode != 0 {
				r.result.Absent = append(r.result.Absent, o.Name)
				continue
			}
		}
		r.loaded = append(r.loaded, o.Name)
	}
	warnings, err := r.machine.Warnings(ctx, r.mark)
	if err != nil {
		return err
	}
	for _, w := range warnings {
		r.known = append(r.known, w.Text)
	}
	r.before, err = Redirected(ctx, r.machine)
	return err
}

// patched runs scripts, after which the update must be in force.
func (r *rehearsal) patched(ctx context.Context, scripts ...string) error {
	if err := r.run(ctx, scripts...); err != nil {
		return err
	}
	bad, err := Patched(ctx, r.machine, r.update.Manifest.Module, r.objects, r.loaded, r.before)
	if err != nil {
		return err
	}
	return r.quiet(ctx, bad)
}

// unpatched runs scripts, after which nothing of the update may be left in the kernel, but for its module, disabled, if its
// manifest does not say that nothing holds it.
func (r *rehearsal) unpatched(ctx context.Context, scripts ...string) error {
	if err := r.run(ctx, scripts...); err != nil {
		return err
	}
	var bad problems
	now, err := Redirected(ctx, r.machine)
	if err != nil {
		return err
	}
	if !slices.Equal(now, r.before) {
		bad = append(bad, fmt.Sprintf("ftrace redirects %q, want %q", now, r.before))
	}
	module := r.update.Manifest.Module
	gone := "/sys/kernel/livepatch/" + module
	if r.update.Manifest.MayUnload() {
		gone += " /sys/module/" + module
	}
	res, err := r.machine.Run(ctx, "ls -d "+gone+" 2>/dev/null")
	if err != nil {
		return err
	}
	if left := strings.Fields(res.Stdout); len(left) > 0 {
		bad = append(bad, fmt.Sprintf("%s is still there", strings.Join(left, ", ")))
	}
	return r.quiet(ctx, bad)
}

// late unloads what it can of the patched modules and loads them again: they must come up patched. One that another imports from
// can go only after that.
func (r *rehearsal) late(ctx context.Context) error {
	var back []string
	rest := slices.DeleteFunc(slices.Clone(r.loaded), func(name string) bool { return name == livepatch.VMLinux })
	for again := true; again && len(rest) > 0; {
		var stay []string
		for _, name := range rest {
			if res, err := r.machine.Run(ctx, "rmmod "+name); err != nil {
				return err
			} else if res.ExitCode == 0 {
				back = append(back, "modprobe "+name)
			} else {
				stay = append(stay, name)
			}
		}
		again, rest = len(stay) < len(rest), stay
	}
	return r.patched(ctx, back...)
}

// removed removes the package: the kernel must be as it was, and no file may be left.
func (r *rehearsal) removed(ctx context.Context, remove string) error {
	if err := r.unpatched(ctx, remove); err != nil {
		return err
	}
	res, err := r.machine.Run(ctx, "ls -d '/"+path.Clean(r.update.Dir)+"' 2>/dev/null")
	if err != nil {
		return err
	}
	if left := strings.TrimSpace(res.Stdout); left != "" {
		return problems{fmt.Sprintf("%s is still there", left)}
	}
	return nil
}

// quiet reads the kernel's log since the last time.
func (r *rehearsal) quiet(ctx context.Context, bad problems) error {
	warnings, err := r.machine.Warnings(ctx, r.mark)
	if err != nil {
		return err
	}
	if r.mark, err = r.machine.Mark(ctx); err != nil {
		return err
	}
	for _, w := range warnings {
		if !slices.Contains(r.known, w.Text) {
			bad = append(bad, "kernel log: "+w.String())
		}
	}
	if len(bad) == 0 {
		return nil
	}
	return bad
}

var _ Machine = (*vm.VM)(nil)
