package main

import (
	"context"
	"flag"
	"os"
	"path/filepath"

	"livesplice/kmod/livepatch"
)

func (p *program) apply(_ *flag.FlagSet) action {
	return func(ctx context.Context, args []string) error {
		switch len(args) {
		case 0:
			return p.host.Reconcile(ctx, livepatch.ReconcileOptions{})
		case 1:
			return p.host.Apply(ctx, args[0])
		}
		return usageError("expected one ID or path")
	}
}

func (p *program) undo(fs *flag.FlagSet) action {
	all := fs.Bool("all", false, "undo every update")
	forget := fs.Bool("forget", false, "do not remember it as undone: the files are about to be removed, as a package does")
	return func(ctx context.Context, args []string) error {
		switch {
		case *all && len(args) == 0:
			return p.host.UndoAll(ctx, *forget)
		case !*all && len(args) == 1:
			return p.host.Undo(ctx, args[0], *forget)
		}
		return usageError("expected an ID, or --all")
	}
}

func (p *program) reconcile(fs *flag.FlagSet) action {
	boot := fs.Bool("boot", false, "this is the boot: arm the crash guard before anything is loaded, and heed the last boot's")
	healthy := fs.Bool("healthy", false, "only clear the crash guard: this boot has stayed up")
	retry := fs.Bool("retry", false, "leave alone what this boot's kernel has refused, and say only what changed: for a timer")
	return func(ctx context.Context, args []string) error {
		switch {
		case len(args) > 0:
			return usageError("expected no arguments")
		case *healthy && *boot:
			return usageError("expected one of --boot and --healthy")
		case *healthy:
			return p.host.Healthy(ctx)
		}
		return p.host.Reconcile(ctx, livepatch.ReconcileOptions{Boot: *boot, Retry: *retry})
	}
}

// upgrade leaves the fetching to the package manager, which knows where updates
// come from and whom to trust for them.
func (p *program) upgrade(_ *flag.FlagSet) action {
	return func(_ context.Context, args []string) error {
		if len(args) > 0 {
			return usageError("expected no arguments")
		}
		release, err := p.host.Release()
		if err != nil {
			return err
		}
		managers := []struct{ program, command string }{
			{"apt-get", "apt-get update && apt-get install linux-livesplice-" + release},
			{"dnf", "dnf upgrade --refresh kernel-livesplice-" + release},
			{"zypper", "zypper update kernel-livesplice-" + release},
		}
		for _, m := range managers {
			if _, err := os.Stat(filepath.Join(p.host.Root, "usr/bin", m.program)); err == nil {
				return &livepatch.Refused{Thing: "upgrade", Reason: "updates come with the package manager; run: " + m.command}
			}
		}
		return &livepatch.Refused{Thing: "upgrade", Reason: "updates come with the package manager, and neither apt-get, dnf nor zypper is in /usr/bin; install kernel-livesplice-" + release + " or linux-livesplice-" + release}
	}
}
