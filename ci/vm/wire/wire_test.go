package wire

import (
	"bytes"
	"errors"
	"io"
	"testing"
)

func TestFrameOnTheWire(t *testing.T) {
	var b bytes.Buffer
	if err := Write(&b, Frame{ID: 0x01020304, Kind: Get, Payload: []byte("/x")}); err != nil {
		t.Fatal(err)
	}
	want := []byte{0, 0, 0, 2, 1, 2, 3, 4, byte(Get), '/', 'x'}
	if !bytes.Equal(b.Bytes(), want) {
		t.Fatalf("bytes % x, want % x", b.Bytes(), want)
	}
	f, err := Read(&b)
	if err != nil || f.ID != 0x01020304 || f.Kind != Get || string(f.Payload) != "/x" {
		t.Errorf("read back %+v, %v", f, err)
	}
	if _, err := Read(&b); !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %v, want EOF", err)
	}
}

func TestReadRejects(t *testing.T) {
	for name, tc := range map[string]struct {
		in   []byte
		want string
	}{
		"cut header":   {[]byte{0, 0, 0}, "unexpected EOF"},
		"cut payload":  {[]byte{0, 0, 0, 2, 0, 0, 0, 1, byte(Data), 'x'}, "unexpected EOF"},
		"no payload":   {[]byte{0, 0, 0, 2, 0, 0, 0, 1, byte(Data)}, "unexpected EOF"},
		"too long":     {[]byte{0, 1, 0, 1, 0, 0, 0, 1, byte(Data)}, "frame: 65537 bytes of kind 8: the stream is out of step"},
		"unknown kind": {[]byte{0, 0, 0, 0, 0, 0, 0, 1, 99}, "frame: 0 bytes of kind 99: the stream is out of step"},
	} {
		if _, err := Read(bytes.NewReader(tc.in)); err == nil || err.Error() != tc.want {
			t.Errorf("%s: error %v, want %s", name, err, tc.want)
		}
	}
	if err := Write(io.Discard, Frame{Kind: Data, Payload: make([]byte, MaxPayload+1)}); err == nil {
		t.Error("a payload that is too long was written")
	}
}

func TestSenderCutsIntoFrames(t *testing.T) {
	var sizes []int
	s := Sender{ID: 7, Kind: Stderr, Send: func(f Frame) error {
		if f.ID != 7 || f.Kind != Stderr {
			t.Errorf("frame of request %d, kind %d", f.ID, f.Kind)
		}
		sizes = append(sizes, len(f.Payload))
		return nil
	}}
	n, err := s.Write(make([]byte, MaxPayload+1))
	if n != MaxPayload+1 || err != nil || len(sizes) != 2 || sizes[0] != MaxPayload || sizes[1] != 1 {
		t.Errorf("wrote %d, %v in frames of %v", n, err, sizes)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte{0, 0, 0, 2, 1, 2, 3, 4, byte(Get), '/', 'x'})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 1})
	f.Fuzz(func(t *testing.T, in []byte) {
		fr, err := Read(bytes.NewReader(in))
		if err != nil {
			return
		}
		var b bytes.Buffer
		if err := Write(&b, fr); err != nil || !bytes.HasPrefix(in, b.Bytes()) {
			t.Errorf("%+v does not write back as it was read (%v)", fr, err)
		}
	})
}
