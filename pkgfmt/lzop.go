package pkgfmt

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/adler32"
	"hash/crc32"
	"io"

	"github.com/anchore/go-lzo"
)

const lzopMagic = "\x89LZO\x00\r\n\x1a\n"

// Flags of an lzop header. Source: the format as lib/decompress_unlzo.c reads it, v6.1, and lzop(1).
const (
	lzopAdlerPlain  = 0x00000001 // adler32 of each unpacked block
	lzopAdlerPacked = 0x00000002 // adler32 of each packed block
	lzopExtraField  = 0x00000040
	lzopCRCPlain    = 0x00000100
	lzopCRCPacked   = 0x00000200
	lzopFilter      = 0x00000800
	lzopHeaderCRC   = 0x00001000 // the header's own checksum is a crc32, not an adler32
)

// lzopMaxBlock is the largest unpacked block that lzop writes, in bytes. Its default is 256 KiB.
const lzopMaxBlock = 64 << 20

// lzopReader reads the one file of an lzop stream. lzop holds what LZO1X itself has not: sizes and checksums.
type lzopReader struct {
	r     *bufio.Reader
	flags uint32
	block []byte // unpacked and not yet read
	done  bool
}

func newLZOP(r io.Reader) (io.ReadCloser, error) {
	z := &lzopReader{r: bufio.NewReader(r)}
	if err := z.readHeader(); err != nil {
		return nil, fmt.Errorf("lzop header: %w", noEOF(err))
	}
	return z, nil
}

// readHeader reads what stands between the magic and the first block. All numbers are big-endian.
func (z *lzopReader) readHeader() error {
	magic := make([]byte, len(lzopMagic))
	if _, err := io.ReadFull(z.r, magic); err != nil {
		return err
	}
	if string(magic) != lzopMagic {
		return errors.New("no lzop magic")
	}
	var seen []byte // what the header's checksum covers
	field := func(n int) (uint32, error) {
		var b [4]byte
		if _, err := io.ReadFull(z.r, b[4-n:]); err != nil {
			return 0, err
		}
		seen = append(seen, b[4-n:]...)
		return binary.BigEndian.Uint32(b[:]), nil
	}
	var version, method, nameLen, sum uint32
	var err error
	read := func(dst *uint32, n int) {
		if err == nil {
			*dst, err = field(n)
		}
	}
	var unused uint32
	read(&version, 2)
	read(&unused, 2) // version of the LZO library
	if version >= 0x0940 {
		read(&unused, 2) // version needed to extract
	}
	read(&method, 1)
	if version >= 0x0940 {
		read(&unused, 1) // level
	}
	read(&z.flags, 4)
	if z.flags&lzopFilter != 0 {
		read(&unused, 4)
	}
	read(&unused, 4) // mode
	read(&unused, 4) // mtime
	if version >= 0x0940 {
		read(&unused, 4) // mtime, high half
	}
	read(&nameLen, 1)
	for range nameLen {
		read(&unused, 1)
	}
	want := adler32.Checksum(seen)
	if z.flags&lzopHeaderCRC != 0 {
		want = crc32.ChecksumIEEE(seen)
	}
	read(&sum, 4)
	switch {
	case err != nil:
		return err
	case sum != want:
		return errors.New("checksum does not match")
	case method < 1 || method > 3: // LZO1X-1, LZO1X-1(15), LZO1X-999: one stream format
		return fmt.Errorf("method %d is not LZO1X", method)
	case z.flags&(lzopFilter|lzopExtraField) != 0:
		return errors.New("filters and extra fields are not supported")
	}
	return nil
}

func (z *lzopReader) Close() error { return nil }

func (z *lzopReader) Read(p []byte) (int, error) {
	for len(z.block) == 0 {
		if z.done {
			return 0, io.EOF
		}
		if err := z.nextBlock(); err != nil {
			return 0, fmt.Errorf("lzop: %w", noEOF(err))
		}
	}
	n := copy(p, z.block)
	z.block = z.block[n:]
	return n, nil
}

// nextBlock reads: unpacked size (0 ends the file), packed size, the checksums that the flags name, the packed bytes.
func (z *lzopReader) nextBlock() error {
	plainLen, err := z.u32()
	if err != nil {
		return err
	}
	if plainLen == 0 {
		z.done = true
		return nil
	}
	packedLen, err := z.u32()
	if err != nil {
		return err
	}
	if plainLen > lzopMaxBlock || packedLen > plainLen {
		return fmt.Errorf("block of %d bytes packed into %d", plainLen, packedLen)
	}
	var sums [4]uint32
	kinds := [4]uint32{lzopAdlerPlain, lzopCRCPlain, lzopAdlerPacked, lzopCRCPacked}
	for i, kind := range kinds {
		if z.flags&kind == 0 || i >= 2 && packedLen == plainLen {
			continue // a block stored as it is has no checksum of the packed form
		}
		if sums[i], err = z.u32(); err != nil {
			return err
		}
	}
	packed, err := io.ReadAll(io.LimitReader(z.r, int64(packedLen))) // grows with the input, not with a size it claims
	if err != nil {
		return err
	}
	if len(packed) < int(packedLen) {
		return io.ErrUnexpectedEOF
	}
	if packedLen == plainLen {
		z.block = packed
	} else if z.block, err = unpackLZO(packed, int(plainLen)); err != nil {
		return err
	}
	if z.flags&lzopAdlerPlain != 0 && adler32.Checksum(z.block) != sums[0] ||
		z.flags&lzopCRCPlain != 0 && crc32.ChecksumIEEE(z.block) != sums[1] {
		return errors.New("block checksum does not match")
	}
	return nil
}

// unpackLZO unpacks one LZO1X block of a known size. The library checks most bounds; the guard is for those it does not.
func unpackLZO(packed []byte, plainLen int) (plain []byte, err error) {
	defer func() {
		if recover() != nil {
			plain, err = nil, errors.New("LZO1X data is damaged")
		}
	}()
	plain = make([]byte, plainLen)
	n, err := lzo.Decompress(packed, plain)
	if err == nil && n != plainLen {
		err = fmt.Errorf("block unpacks to %d bytes, want %d", n, plainLen)
	}
	return plain, err
}

func (z *lzopReader) u32() (uint32, error) {
	var b [4]byte
	_, err := io.ReadFull(z.r, b[:])
	return binary.BigEndian.Uint32(b[:]), err
}
