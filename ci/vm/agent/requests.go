package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"livesplice/ci/vm/wire"
)

// scratch is on tmpfs and goes with the machine.
const scratch = "/run/livesplice-agent"

// environment is what scripts see.
var environment = []string{
	"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
	"HOME=/root", "LC_ALL=C.UTF-8", "TERM=dumb", "DEBIAN_FRONTEND=noninteractive",
}

// run runs the script that follows and sends its output when it has ended. The output goes through files, so that a
// process which the script leaves behind in the background holds nothing up.
func (s *server) run(id uint32, r *request) (uint32, error) {
	dir, err := os.MkdirTemp(scratch, "run-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	script, err := os.Create(filepath.Join(dir, "script"))
	if err != nil {
		return 0, err
	}
	defer script.Close()
	if err := r.receive(func(b []byte) error { _, err := script.Write(b); return err }); err != nil {
		return 0, err
	}
	stdout, err := os.Create(filepath.Join(dir, "stdout"))
	if err != nil {
		return 0, err
	}
	defer stdout.Close()
	stderr, err := os.Create(filepath.Join(dir, "stderr"))
	if err != nil {
		return 0, err
	}
	defer stderr.Close()

	cmd := exec.Command("/bin/sh", script.Name())
	cmd.Dir, cmd.Env = "/root", environment
	cmd.Stdout, cmd.Stderr = stdout, stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	ended := make(chan struct{})
	go func() {
		select {
		case <-r.kill:
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		case <-ended:
		}
	}()
	err = cmd.Wait()
	close(ended)
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		return 0, err
	}
	for kind, f := range map[wire.Kind]*os.File{wire.Data: stdout, wire.Stderr: stderr} {
		if err := sendFile(f, wire.Sender{ID: id, Kind: kind, Send: s.send}); err != nil {
			return 0, err
		}
	}
	return exitCode(cmd.ProcessState), nil
}

// exitCode is that of a shell: 128 and the signal's number when a signal ended the process.
func exitCode(st *os.ProcessState) uint32 {
	if ws, ok := st.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return 128 + uint32(ws.Signal())
	}
	return uint32(st.ExitCode())
}

func sendFile(f *os.File, out wire.Sender) error {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	// A process in the background may go on writing: only what is there now counts.
	st, err := f.Stat()
	if err != nil {
		return err
	}
	_, err = io.CopyBuffer(out, struct{ io.Reader }{io.LimitReader(f, st.Size())}, make([]byte, wire.MaxPayload))
	return err
}

// put writes a file: whole under its name, or not at all.
func put(head []byte, r *request) error {
	mode, rest, err := wire.ParseNumber(head)
	if err != nil {
		return err
	}
	path := string(rest)
	if !filepath.IsAbs(path) {
		return fmt.Errorf("path %q: not absolute", path)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".livesplice-")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if err := r.receive(func(b []byte) error { _, err := f.Write(b); return err }); err != nil {
		return err
	}
	if err := f.Chmod(os.FileMode(mode) & os.ModePerm); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// get sends a regular file and returns its mode.
func get(path string, out wire.Sender) (uint32, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return 0, err
	}
	if !st.Mode().IsRegular() {
		return 0, fmt.Errorf("file %q: not a regular file", path)
	}
	_, err = io.CopyBuffer(out, struct{ io.Reader }{f}, make([]byte, wire.MaxPayload))
	return uint32(st.Mode().Perm()), err
}

// kmsg sends what the kernel's log holds now, one record in each frame.
// Source: Documentation/ABI/testing/dev-kmsg, v6.1: a read gives one record; EAGAIN is the end; EPIPE says that records
// were overwritten, and the next read continues with the oldest one.
func kmsg(out wire.Sender) error {
	fd, err := syscall.Open("/dev/kmsg", syscall.O_RDONLY|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("/dev/kmsg: %w", err)
	}
	defer syscall.Close(fd)
	buf := make([]byte, 8192)
	for {
		n, err := syscall.Read(fd, buf)
		switch {
		case errors.Is(err, syscall.EAGAIN):
			return nil
		case errors.Is(err, syscall.EPIPE), errors.Is(err, syscall.EINTR):
			continue
		case err != nil:
			return fmt.Errorf("/dev/kmsg: %w", err)
		}
		if _, err := out.Write(buf[:n]); err != nil {
			return err
		}
	}
}
