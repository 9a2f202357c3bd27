package pkgfmt

import (
	"bufio"
	"context"
	"errors"
	"io"
	"io/fs"
)

// inputReader makes each read's error one that names the file, and stops when the context ends. It reads the payload of
// a package, and each file in it.
type inputReader struct {
	ctx  context.Context
	r    io.Reader
	fail func(error) error
	end  bool // a read found nothing more
}

func (r *inputReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := r.r.Read(p)
	if err == io.EOF {
		r.end = r.end || n == 0
		return n, err
	}
	if err != nil {
		err = r.fail(err)
	}
	return n, err
}

// damaged wraps the error of a decompressor or archive reader. It leaves alone what is no fault of the file: a context
// that ended, an error of the disk, and what it wrapped before.
func damaged(path, member, want string, err error) error {
	var input *InputError
	var pe *fs.PathError
	if errors.As(err, &input) || errors.As(err, &pe) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return &InputError{Path: path, Want: want, Got: member + " is damaged or cut off", Err: noEOF(err)}
}

// openPayload finds out how a payload is compressed and unpacks it. plain says what an uncompressed one begins with.
func openPayload(ctx context.Context, r io.Reader, plain func(head []byte) bool, fail func(error) error) (*inputReader, io.Closer, error) {
	br := bufio.NewReaderSize(r, 1<<16)
	head, err := br.Peek(sniffLen)
	if err != nil && err != io.EOF {
		return nil, nil, fail(err)
	}
	c := codecNone
	if !plain(head) {
		c = sniffCodec(head)
	}
	if c == codecInvalid {
		return nil, nil, fail(errors.New("it is " + fileKind(head)))
	}
	d, err := newDecompressor(c, br)
	if err != nil {
		return nil, nil, fail(err)
	}
	return &inputReader{ctx: ctx, r: d, fail: fail}, d, nil
}

// drain reads a payload to its end, where its checksums are.
func drain(r *inputReader) error {
	_, err := io.Copy(io.Discard, r)
	return err
}
