package vm

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"livesplice/ci/vm/wire"
)

// Result is what a script left in the guest.
type Result struct {
	Stdout, Stderr string
	ExitCode       int // 128 and the signal's number when a signal ended it
}

// Run runs a shell script in the guest, as root in /root, with standard input empty. A script that ends with another
// code than 0 is no error. Processes that it leaves in the background go on. When ctx ends, the script and its children
// are killed; the Result then holds what it had written.
func (v *VM) Run(ctx context.Context, script string) (Result, error) {
	var stdout, stderr bytes.Buffer
	code, err := v.agent.do(ctx, wire.Frame{Kind: wire.Run}, strings.NewReader(script), func(f wire.Frame) error {
		if f.Kind == wire.Stderr {
			stderr.Write(f.Payload)
		} else {
			stdout.Write(f.Payload)
		}
		return nil
	})
	res := Result{Stdout: stdout.String(), Stderr: stderr.String(), ExitCode: int(code)}
	if err != nil {
		return res, fmt.Errorf("script %q: %w", firstLine(script), err)
	}
	return res, nil
}

func firstLine(s string) string {
	line, rest, _ := strings.Cut(strings.TrimSpace(s), "\n")
	if rest != "" {
		line += " …"
	}
	return line
}

// CopyIn copies a regular file into the guest, with its permissions. Missing folders are made.
func (v *VM) CopyIn(ctx context.Context, hostPath, guestPath string) error {
	f, err := os.Open(hostPath)
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	if !st.Mode().IsRegular() {
		return fmt.Errorf("file %q: not a regular file", hostPath)
	}
	head := wire.Frame{Kind: wire.Put, Payload: append(wire.Number(uint32(st.Mode().Perm())), guestPath...)}
	if _, err := v.agent.do(ctx, head, f, func(wire.Frame) error { return nil }); err != nil {
		return fmt.Errorf("copy %q into the guest: %w", hostPath, err)
	}
	return nil
}

// CopyOut copies a regular file out of the guest, with its permissions.
func (v *VM) CopyOut(ctx context.Context, guestPath, hostPath string) error {
	err := writeFile(hostPath, func(w io.Writer) (os.FileMode, error) {
		head := wire.Frame{Kind: wire.Get, Payload: []byte(guestPath)}
		mode, err := v.agent.do(ctx, head, nil, func(f wire.Frame) error {
			_, err := w.Write(f.Payload)
			return err
		})
		return os.FileMode(mode) & os.ModePerm, err
	})
	if err != nil {
		return fmt.Errorf("copy %q out of the guest: %w", guestPath, err)
	}
	return nil
}

// Reboot restarts the guest and returns when its agent answers again. The disk keeps its state, all else is new.
func (v *VM) Reboot(ctx context.Context) error {
	if err := v.reboot(ctx); err != nil {
		return fmt.Errorf("reboot: %w", err)
	}
	return nil
}

func (v *VM) reboot(ctx context.Context) error {
	if err := v.qemu.monitor.onReboot(ctx, "reset"); err != nil {
		return err
	}
	if _, err := v.agent.do(ctx, wire.Frame{Kind: wire.Reboot}, nil, func(wire.Frame) error { return nil }); err != nil {
		return err
	}
	if _, err := v.agent.hello(ctx); err != nil {
		return err
	}
	return v.qemu.monitor.onReboot(ctx, "shutdown")
}
