// Package wire is what the VM harness and its agent in the guest say to each other over a virtio-serial port.
//
// The harness numbers its requests; several may be under way, and each frame names the request that it belongs to. The
// agent answers a request with any number of data frames and then one Done or Fail.
//
// The package uses nothing but the standard library, as the agent is built apart from this module's dependencies.
package wire

import (
	"encoding/binary"
	"fmt"
	"io"
)

// PortName is the name of the virtio-serial port.
const PortName = "livesplice"

// MaxPayload is the largest payload of one frame, in bytes. What is longer goes in several frames.
const MaxPayload = 64 << 10

// Kind says what a frame is.
type Kind uint8

// The kinds of frames, with who sends them and their payload.
const (
	Hello  Kind = iota + 1 // guest: it serves now; the kernel release
	Run                    // host: begin of a script; followed by Data and End
	Put                    // host: write a file: 4 bytes mode, path; followed by Data and End
	Get                    // host: send a file; path
	Kmsg                   // host: send the kernel log, one record in each Data
	Reboot                 // host: stop everything and restart the machine
	Kill                   // host: end the request's script
	Data                   // both: a piece of a script, a file or a log; guest: standard output
	Stderr                 // guest: a piece of standard error
	End                    // host: no more Data
	Done                   // guest: the request is done; 4 bytes: exit code or mode
	Fail                   // guest: the request could not be done; the reason
)

// Frame is one message.
type Frame struct {
	ID      uint32 // of the request; 0 in Hello
	Kind    Kind
	Payload []byte // at most MaxPayload bytes
}

// headerSize: 4 bytes length of the payload, 4 bytes ID, 1 byte kind; big-endian.
const headerSize = 9

// Write sends one frame in one write.
func Write(w io.Writer, f Frame) error {
	if len(f.Payload) > MaxPayload {
		return fmt.Errorf("frame: payload of %d bytes, at most %d", len(f.Payload), MaxPayload)
	}
	b := make([]byte, headerSize, headerSize+len(f.Payload))
	binary.BigEndian.PutUint32(b, uint32(len(f.Payload)))
	binary.BigEndian.PutUint32(b[4:], f.ID)
	b[8] = byte(f.Kind)
	_, err := w.Write(append(b, f.Payload...))
	return err
}

// Read receives one frame. A clean end of the stream is io.EOF.
func Read(r io.Reader) (Frame, error) {
	var h [headerSize]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return Frame{}, err
	}
	n := binary.BigEndian.Uint32(h[:])
	f := Frame{ID: binary.BigEndian.Uint32(h[4:]), Kind: Kind(h[8])}
	if n > MaxPayload || f.Kind < Hello || f.Kind > Fail {
		return Frame{}, fmt.Errorf("frame: %d bytes of kind %d: the stream is out of step", n, f.Kind)
	}
	f.Payload = make([]byte, n)
	if _, err := io.ReadFull(r, f.Payload); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return Frame{}, err
	}
	return f, nil
}

// Sender writes what is written to it as frames of one request.
type Sender struct {
	ID   uint32
	Kind Kind
	Send func(Frame) error // one frame at a time
}

// Write sends p in as many frames as it needs.
func (s Sender) Write(p []byte) (int, error) {
	sent := 0
	for len(p) > 0 {
		n := min(len(p), MaxPayload)
		if err := s.Send(Frame{ID: s.ID, Kind: s.Kind, Payload: p[:n]}); err != nil {
			return sent, err
		}
		sent += n
		p = p[n:]
	}
	return sent, nil
}

// Number is the payload of Done, and the head of that of Put.
func Number(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }

// ParseNumber reads what Number wrote, and returns what follows it.
func ParseNumber(b []byte) (n uint32, rest []byte, err error) {
	if len(b) < 4 {
		return 0, nil, fmt.Errorf("frame: payload of %d bytes, want 4", len(b))
	}
	return binary.BigEndian.Uint32(b), b[4:], nil
}
