package vm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"livesplice/ci/vm/wire"
)

// client is our side of the agent's port.
type client struct {
	conn net.Conn
	qemu *qemu

	sending sync.Mutex

	mu      sync.Mutex
	last    uint32
	pending map[uint32]*call
	hellos  chan string
}

// call is one request under way.
type call struct {
	id     uint32
	frames chan wire.Frame
	gone   chan struct{} // closed when nobody listens any more
}

func newClient(conn net.Conn, q *qemu) *client {
	c := &client{conn: conn, qemu: q, pending: map[uint32]*call{}, hellos: make(chan string, 1)}
	go c.receive()
	return c
}

func (c *client) receive() {
	for {
		f, err := wire.Read(c.conn)
		if err != nil {
			// QEMU's end closes the socket too. Anything else is a broken agent, and the machine is of no use then.
			select {
			case <-c.qemu.dead:
			case <-time.After(panicGrace):
				c.qemu.kill(c.qemu.died(fmt.Sprintf("agent's port: %v", err)))
			}
			return
		}
		if f.Kind == wire.Hello {
			select {
			case c.hellos <- string(f.Payload):
			default:
			}
			continue
		}
		c.mu.Lock()
		call := c.pending[f.ID]
		c.mu.Unlock()
		if call == nil {
			continue
		}
		select {
		case call.frames <- f:
		case <-call.gone:
		}
	}
}

// hello waits until the agent serves and returns the guest's kernel release.
func (c *client) hello(ctx context.Context) (string, error) {
	select {
	case release := <-c.hellos:
		return release, nil
	case <-c.qemu.dead:
		return "", c.qemu.cause()
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

func (c *client) close() { c.conn.Close() }

func (c *client) send(f wire.Frame) error {
	c.sending.Lock()
	defer c.sending.Unlock()
	if err := wire.Write(c.conn, f); err != nil {
		select {
		case <-c.qemu.dead:
			return c.qemu.cause()
		case <-time.After(panicGrace):
			return fmt.Errorf("vm: agent's port: %w", err)
		}
	}
	return nil
}

func (c *client) begin() *call {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last++
	call := &call{id: c.last, frames: make(chan wire.Frame, 16), gone: make(chan struct{})}
	c.pending[call.id] = call
	return call
}

func (c *client) end(call *call) {
	c.mu.Lock()
	delete(c.pending, call.id)
	c.mu.Unlock()
	close(call.gone)
}

// killGrace is how long a killed script's output may take to arrive.
const killGrace = 5 * time.Second

// do sends a request with body, if any, and hands each frame of the answer before Done to take. It returns Done's
// number. When ctx ends, the request is killed in the guest; what it had put out by then still reaches take.
func (c *client) do(ctx context.Context, head wire.Frame, body io.Reader, take func(wire.Frame) error) (uint32, error) {
	if err := ctx.Err(); err != nil {
		return 0, context.Cause(ctx)
	}
	call := c.begin()
	defer c.end(call)
	sent := make(chan error, 1)
	go func() { sent <- c.sendRequest(call.id, head, body) }()

	done := ctx.Done()
	var giveUp <-chan time.Time
	for {
		select {
		case err := <-sent:
			if err != nil {
				return 0, err
			}
			sent = nil
		case f := <-call.frames:
			switch f.Kind {
			case wire.Done:
				n, _, err := wire.ParseNumber(f.Payload)
				if err == nil && done == nil {
					err = context.Cause(ctx)
				}
				return n, err
			case wire.Fail:
				if done == nil {
					return 0, context.Cause(ctx)
				}
				return 0, errors.New(string(f.Payload))
			}
			if err := take(f); err != nil {
				return 0, err
			}
		case <-c.qemu.dead:
			return 0, c.qemu.cause()
		case <-done:
			done, giveUp = nil, time.After(killGrace)
			go func() { _ = c.send(wire.Frame{ID: call.id, Kind: wire.Kill}) }()
		case <-giveUp:
			return 0, context.Cause(ctx)
		}
	}
}

func (c *client) sendRequest(id uint32, head wire.Frame, body io.Reader) error {
	head.ID = id
	if err := c.send(head); err != nil || body == nil {
		return err
	}
	data := wire.Sender{ID: id, Kind: wire.Data, Send: c.send}
	// The wrapper keeps io.CopyBuffer from using WriterTo, which would ignore the buffer's size.
	if _, err := io.CopyBuffer(data, struct{ io.Reader }{body}, make([]byte, wire.MaxPayload)); err != nil {
		// The guest must not wait for the rest.
		return errors.Join(err, c.send(wire.Frame{ID: id, Kind: wire.Kill}))
	}
	return c.send(wire.Frame{ID: id, Kind: wire.End})
}

// writeFile is os.WriteFile for a stream that comes in frames: whole under its name, or not at all.
func writeFile(path string, fill func(io.Writer) (os.FileMode, error)) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".livesplice-")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	mode, err := fill(f)
	if err == nil {
		err = f.Chmod(mode)
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
