package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"strings"

	"livesplice/kmod/livepatch"
)

// alone wraps what takes no arguments.
func alone(do func() error) action {
	return func(_ context.Context, args []string) error {
		if len(args) > 0 {
			return usageError("expected no arguments")
		}
		return do()
	}
}

func (p *program) printJSON(v any) error {
	enc := json.NewEncoder(p.stdout)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// line prints one line of a listing.
func (p *program) line(u livepatch.UpdateStatus) {
	title, _, _ := strings.Cut(u.Description, "\n")
	kind := "single"
	if u.Replace {
		kind = fmt.Sprintf("r%d", u.Revision)
	}
	text := fmt.Sprintf("%s  %-6s  %-10s  %s", u.ID, kind, u.State, title)
	if len(u.Fixes) > 0 {
		text += " (" + strings.Join(u.Fixes, ", ") + ")"
	}
	fmt.Fprintln(p.stdout, strings.TrimRight(text, " "))
}

func (p *program) view(_ *flag.FlagSet) action {
	return alone(func() error {
		s, err := p.host.Status()
		if err != nil {
			return err
		}
		none := true
		for _, u := range s.Updates {
			if u.State == livepatch.Applied {
				p.line(u)
				none = false
			}
		}
		if none {
			fmt.Fprintln(p.stdout, "no update is applied")
		}
		return nil
	})
}

func (p *program) status(fs *flag.FlagSet) action {
	asJSON := fs.Bool("json", false, "as JSON, whose members stay as they are")
	return alone(func() error {
		s, err := p.host.Status()
		if err != nil {
			return err
		}
		if *asJSON {
			return p.printJSON(s)
		}
		if s.Elsewhere != "" {
			fmt.Fprintf(p.stdout, "kernel    not this root's to change: %s\n", s.Elsewhere)
		} else {
			fmt.Fprintf(p.stdout, "kernel    %s\nbuild-id  %s\n", s.Kernel, s.BuildID)
		}
		if s.Unable != "" {
			fmt.Fprintf(p.stdout, "unable    %s\n", s.Unable)
		}
		if s.OptedOut {
			fmt.Fprintf(p.stdout, "opted out by %s on the kernel's command line\n", livepatch.OptOut)
		}
		for _, u := range s.Updates {
			p.line(u)
			if u.State == livepatch.Pending && u.Release != "" && u.Release != s.Kernel {
				fmt.Fprintf(p.stdout, "          for kernel %s\n", u.Release)
			}
			if u.Why != "" {
				fmt.Fprintf(p.stdout, "          %s\n", u.Why)
			}
		}
		for _, f := range s.Foreign {
			fmt.Fprintf(p.stdout, "%s  not of livesplice\n", f)
		}
		p.disabled(s.Disabled)
		return nil
	})
}

// disabled counts the modules that stay loaded, with their memory, and says why.
func (p *program) disabled(modules []livepatch.DisabledModule) {
	if len(modules) == 0 {
		return
	}
	var total int64
	for _, m := range modules {
		total += m.Memory
	}
	fmt.Fprintf(p.stdout, "loaded, disabled: %d, %s\n", len(modules), kib(total))
	for _, m := range modules {
		fmt.Fprintf(p.stdout, "%s  %s, stays %s\n", m.ID, kib(m.Memory), m.Why)
	}
}

// kib writes a number of bytes in KiB, rounded up.
func kib(bytes int64) string { return fmt.Sprintf("%d KiB", (bytes+1023)>>10) }

func (p *program) show(fs *flag.FlagSet) action {
	asJSON := fs.Bool("json", false, "the manifest itself")
	return func(_ context.Context, args []string) error {
		if len(args) != 1 {
			return usageError("expected one ID")
		}
		u, err := p.host.Find(args[0])
		if err != nil {
			return err
		}
		if *asJSON {
			return p.printJSON(u.Manifest)
		}
		m := u.Manifest
		row := func(name, format string, a ...any) {
			text := strings.ReplaceAll(fmt.Sprintf(format, a...), "\n", "\n"+strings.Repeat(" ", 13))
			fmt.Fprintln(p.stdout, strings.TrimRight(fmt.Sprintf("%-12s %s", name, text), " "))
		}
		row("id", "%s", m.ID)
		row("folder", "/%s", u.Dir)
		row("kernel", "%s", m.Release)
		row("build-id", "%s", m.BuildID)
		if m.Replace {
			row("revision", "%d, cumulative", m.Revision)
		} else {
			row("revision", "%d, a single update", m.Revision)
		}
		row("description", "%s", strings.TrimSpace(m.Description))
		row("fixes", "%s", strings.Join(m.Fixes, " "))
		if len(m.NeedsReboot) > 0 {
			row("needs reboot", "%s", strings.Join(m.NeedsReboot, " "))
		}
		for _, patch := range m.Patches {
			row("patch", "%s", patch.Name)
		}
		for _, w := range m.Warnings {
			row("warning", "%s: %s [%s]; %s", w.Subject, w.Reason, w.Code, w.Remedy)
		}
		switch {
		case m.Empty():
		case m.MayUnload():
			row("unload", "its module is unloaded once it is disabled and no task is in it")
		case m.Unload == nil:
			row("unload", "its module stays loaded, disabled: its maker does not say that nothing holds addresses in it")
		default:
			for _, r := range m.Unload.Reasons {
				row("unload", "its module stays loaded, disabled: %s", r)
			}
		}
		row("compiler", "%s", m.Toolchain.Compiler)
		for _, o := range m.Objects {
			if len(o.Functions) == 0 {
				row("adds", "code to %s, and replaces nothing of it", o.Name)
			}
			for _, f := range o.Functions {
				row("replaces", "%s of %s, %s, %d bytes", f.Name, o.Name, f.Address, f.Size)
			}
		}
		return nil
	}
}

func (p *program) blockers(_ *flag.FlagSet) action {
	return alone(func() error {
		l, err := p.host.Transitioning()
		if err != nil {
			return err
		}
		if l == nil {
			fmt.Fprintln(p.stdout, "no transition is in progress")
			return nil
		}
		way := "undone"
		if l.Enabled {
			way = "applied"
		}
		found := p.host.Blockers(*l)
		fmt.Fprintf(p.stdout, "livepatch %s is being %s; tasks that hold it up: %d\n", l.Module, way, len(found))
		for _, b := range found {
			fmt.Fprintf(p.stdout, "task %d of process %d %q\n", b.TID, b.PID, b.Comm)
			for _, f := range b.Stack {
				fmt.Fprintf(p.stdout, "    %s\n", f)
			}
		}
		return nil
	})
}

func (p *program) uname(_ *flag.FlagSet) action {
	return alone(func() error {
		text, err := p.host.Uname()
		if err == nil {
			fmt.Fprintln(p.stdout, text)
		}
		return err
	})
}

func (p *program) version(_ *flag.FlagSet) action {
	return alone(func() error {
		fmt.Fprintln(p.stdout, "splicectl", version)
		return nil
	})
}
