package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"livesplice/ci/vm/wire"
)

// server answers the harness. Each request runs in a goroutine of its own.
type server struct {
	port *os.File

	sending sync.Mutex // one frame at a time on the port

	mu      sync.Mutex
	pending map[uint32]*request // those that still get Data, or may be killed
}

// request is one that needs more than its first frame.
type request struct {
	frames chan wire.Frame // Data and End of the request, in order
	kill   chan struct{}   // closed by Kill
	once   sync.Once
}

func serve() error {
	path, err := portPath()
	if err != nil {
		return err
	}
	port, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(scratch, 0o700); err != nil {
		return err
	}
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return err
	}
	s := &server{port: port, pending: map[uint32]*request{}}
	if err := s.send(wire.Frame{Kind: wire.Hello, Payload: bytes.TrimSpace(release)}); err != nil {
		return err
	}
	for {
		f, err := wire.Read(port)
		if err != nil {
			return fmt.Errorf("port %s: %w", path, err)
		}
		s.dispatch(f)
	}
}

// portPath finds the device of the harness's port: without udev there is no /dev/virtio-ports.
func portPath() (string, error) {
	names, err := filepath.Glob("/sys/class/virtio-ports/*/name")
	if err != nil {
		return "", err
	}
	for _, n := range names {
		b, err := os.ReadFile(n)
		if err == nil && strings.TrimSpace(string(b)) == wire.PortName {
			path := "/dev/" + filepath.Base(filepath.Dir(n))
			return path, waitFor(path)
		}
	}
	return "", fmt.Errorf("no virtio-serial port named %q", wire.PortName)
}

func (s *server) send(f wire.Frame) error {
	s.sending.Lock()
	defer s.sending.Unlock()
	return wire.Write(s.port, f)
}

// dispatch hands a frame to its request. It must not block for long: it is what reads the port.
func (s *server) dispatch(f wire.Frame) {
	switch f.Kind {
	case wire.Data, wire.End, wire.Kill:
		s.mu.Lock()
		r := s.pending[f.ID]
		s.mu.Unlock()
		if r == nil {
			return // it has ended already
		}
		if f.Kind == wire.Kill {
			r.once.Do(func() { close(r.kill) })
			return
		}
		select {
		case r.frames <- f:
		case <-r.kill:
		}
		return
	}
	r := &request{frames: make(chan wire.Frame, 16), kill: make(chan struct{})}
	s.mu.Lock()
	s.pending[f.ID] = r
	s.mu.Unlock()
	go func() {
		number, err := s.handle(f, r)
		// Whatever still comes for the request is dropped, not waited for.
		r.once.Do(func() { close(r.kill) })
		s.mu.Lock()
		delete(s.pending, f.ID)
		s.mu.Unlock()
		answer := wire.Frame{ID: f.ID, Kind: wire.Done, Payload: wire.Number(number)}
		if err != nil {
			answer.Kind, answer.Payload = wire.Fail, []byte(err.Error())
		}
		if err := s.send(answer); err != nil {
			fatal(err)
		}
		if f.Kind == wire.Reboot && answer.Kind == wire.Done {
			fatal(syscall.Reboot(syscall.LINUX_REBOOT_CMD_RESTART))
		}
	}()
}

func (s *server) handle(f wire.Frame, r *request) (uint32, error) {
	out := wire.Sender{ID: f.ID, Kind: wire.Data, Send: s.send}
	switch f.Kind {
	case wire.Run:
		return s.run(f.ID, r)
	case wire.Put:
		return 0, put(f.Payload, r)
	case wire.Get:
		return get(string(f.Payload), out)
	case wire.Kmsg:
		return 0, kmsg(out)
	case wire.Reboot:
		return 0, quiesce()
	}
	return 0, fmt.Errorf("frame of kind %d: not a request", f.Kind)
}

// errKilled ends a request whose asker has gone.
var errKilled = errors.New("killed")

// receive hands the request's Data to take until End.
func (r *request) receive(take func([]byte) error) error {
	for {
		select {
		case f := <-r.frames:
			if f.Kind == wire.End {
				return nil
			}
			if err := take(f.Payload); err != nil {
				return err
			}
		case <-r.kill:
			return errKilled
		}
	}
}

// quiesce leaves the root as an orderly shutdown does: no process but init and this one, nothing unwritten.
func quiesce() error {
	_ = syscall.Kill(-1, syscall.SIGKILL)
	syscall.Sync()
	// What a process just killed held open may take a moment to go; the journal covers it if it stays.
	_ = syscall.Mount("", "/", "", syscall.MS_REMOUNT|syscall.MS_RDONLY, "")
	return nil
}
