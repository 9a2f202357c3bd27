package pkgfmt

import (
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/ulikunitz/xz/lzma"
	"github.com/xi2/xz"
)

// codec is a compression that package payloads, modules or kernel images come in.
type codec int

const (
	codecInvalid codec = iota
	codecNone
	codecGzip
	codecBzip2
	codecXZ
	codecLZMA // the .lzma file format ("alone")
	codecZstd
	codecLZ4  // the legacy frame of lz4 -l, which the kernel uses
	codecLZOP // the file format of lzop
)

var codecNames = [...]string{"invalid", "none", "gzip", "bzip2", "xz", "lzma", "zstd", "lz4", "lzo"}

func (c codec) String() string { return codecNames[c] }

// maxWindow bounds the memory of a decompressor, in bytes. xz -9 needs 64 MiB; zstd --ultra -22, with which the kernel's
// image is packed, 128 MiB.
const maxWindow = 128 << 20

// sniffCodec tells a compressed stream by its first bytes; codecInvalid if it is none of those known.
func sniffCodec(b []byte) codec {
	switch {
	case bytes.HasPrefix(b, []byte("\x1f\x8b\x08")):
		return codecGzip
	case bytes.HasPrefix(b, []byte("BZh")):
		return codecBzip2
	case bytes.HasPrefix(b, []byte("\xfd7zXZ\x00")):
		return codecXZ
	case bytes.HasPrefix(b, []byte("\x28\xb5\x2f\xfd")):
		return codecZstd
	case bytes.HasPrefix(b, []byte("\x02\x21\x4c\x18")):
		return codecLZ4
	case bytes.HasPrefix(b, []byte(lzopMagic)):
		return codecLZOP
	case isLZMA(b):
		return codecLZMA
	}
	return codecInvalid
}

// isLZMA knows a .lzma header: a properties byte, the dictionary size, the unpacked size. It has no magic, so only
// what xz and lzma write is taken: properties 0x5d (lc=3 lp=0 pb=2) and a dictionary of 2^n or 2^n + 2^(n-1) bytes.
func isLZMA(b []byte) bool {
	if len(b) < 13 || b[0] != 0x5d {
		return false
	}
	dict := binary.LittleEndian.Uint32(b[1:])
	if dict < 4096 {
		return false
	}
	for dict&1 == 0 {
		dict >>= 1
	}
	return dict == 1 || dict == 3
}

// newDecompressor reads r, which is compressed with c. The result is closed by the caller; r is not.
func newDecompressor(c codec, r io.Reader) (io.ReadCloser, error) {
	switch c {
	case codecNone:
		return io.NopCloser(r), nil
	case codecGzip:
		return gzip.NewReader(r)
	case codecBzip2:
		return io.NopCloser(bzip2.NewReader(r)), nil
	case codecXZ:
		// A port of XZ Embedded: it knows the x86 filter of kernel images, and is 4 times as fast as ulikunitz/xz
		// (400 MB of modules: 5.2 s; xz(1): 3.7 s), so that no xz process is needed.
		x, err := xz.NewReader(r, maxWindow)
		return io.NopCloser(x), err
	case codecLZMA:
		return newLZMA(r)
	case codecZstd:
		d, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, err
		}
		return d.IOReadCloser(), nil
	case codecLZ4:
		return io.NopCloser(lz4.NewReader(r)), nil
	case codecLZOP:
		return newLZOP(r)
	}
	return nil, fmt.Errorf("compression %d is not known", c)
}

// newLZMA checks the dictionary's size first: the library allocates what the header asks for, up to 4 GiB.
func newLZMA(r io.Reader) (io.ReadCloser, error) {
	head := make([]byte, lzma.HeaderLen)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, noEOF(err)
	}
	if dict := binary.LittleEndian.Uint32(head[1:]); dict > maxWindow {
		return nil, fmt.Errorf("lzma: dictionary of %d bytes, at most %d are supported", dict, maxWindow)
	}
	d, err := lzma.NewReader(io.MultiReader(bytes.NewReader(head), r))
	if err != nil {
		return nil, err
	}
	return io.NopCloser(d), nil
}

// noEOF turns an end of input into an unexpected one.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
