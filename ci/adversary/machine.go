package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"livesplice/ci/vm"
)

// The limits of one machine. A script that hangs must not take the others with it. Emulated machines share this one's processors
// with whatever else runs.
const (
	machineLife = 3 * time.Hour
	scriptLife  = 5 * time.Minute
	memory      = 1024 // MiB
)

// runner runs scripts in a machine, and starts another one after one that died or hung.
type runner struct {
	config    vm.Config
	splicectl string // the program; "": the machine needs none
	vm        *vm.VM
	mark      uint64 // the log's next message after the last update
}

func newRunner(b *built, modules []string, cpus int, splicectl string) *runner {
	c := b.vmConfig(modules)
	c.Memory, c.CPUs, c.Timeout = memory, cpus, machineLife
	c.Append = "oops=panic quiet"
	return &runner{config: c, splicectl: splicectl}
}

// start boots the machine, unless it runs.
func (r *runner) start(ctx context.Context) (err error) {
	if r.vm != nil {
		return nil
	}
	if r.vm, err = vm.Start(ctx, r.config); err == nil && r.splicectl != "" {
		err = r.vm.CopyIn(ctx, r.splicectl, "/root/splicectl")
	}
	if err == nil {
		r.mark, err = r.vm.Mark(ctx)
	}
	if err != nil {
		return fmt.Errorf("machine: %w", err)
	}
	return nil
}

// run runs the steps of an update, whose files are in folder; "": none. died says why the machine did not survive them: the observations are then what there was.
func (r *runner) run(ctx context.Context, steps []step, folder, id string) (o observations, died string, err error) {
	if err := r.start(ctx); err != nil {
		return o, "", err
	}
	if folder != "" {
		files, err := os.ReadDir(folder)
		if err != nil {
			return o, "", err
		}
		for _, f := range files {
			if err := r.vm.CopyIn(ctx, filepath.Join(folder, f.Name()), "/root/"+id+"/"+f.Name()); err != nil {
				return o, "", err
			}
		}
	}
	one, stop := context.WithTimeout(ctx, scriptLife)
	res, rerr := r.vm.Run(one, script(steps))
	stop()
	if ctx.Err() != nil {
		return o, "", context.Cause(ctx)
	}
	log, lerr := r.newLines(ctx)
	if rerr == nil {
		rerr = lerr
	}
	o = observe(res.Stdout, log)
	if rerr != nil {
		died = reason(rerr)
		r.close()
	}
	return o, died, nil
}

// newLines are those of the kernel's log that have come since the last call.
func (r *runner) newLines(ctx context.Context) (texts []string, err error) {
	lines, err := r.vm.KernelLog(ctx)
	for _, l := range lines {
		if l.Seq >= r.mark {
			texts = append(texts, l.Text)
		}
	}
	if len(lines) > 0 {
		r.mark = lines[len(lines)-1].Seq + 1
	}
	return texts, err
}

// reason is the end of a machine in a few lines.
func reason(err error) string {
	var dead *vm.DiedError
	if errors.As(err, &dead) {
		return dead.Error()
	}
	return err.Error()
}

func (r *runner) close() {
	if r.vm != nil {
		_ = r.vm.Close() // its death has been told of
		r.vm = nil
	}
}
