package pkgfmt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
)

// maxVmlinux bounds an unpacked kernel image, in bytes. Debian's 6.1 has 62 MB.
const maxVmlinux = 512 << 20

// bzImage is what is read of an x86 kernel image's setup header.
// Source: Documentation/x86/boot.rst, v6.1 (Documentation/arch/x86/boot.rst since v6.7).
type bzImage struct {
	protocol uint16 // boot protocol, 0x020f is 2.15
	payload  []byte // the compressed kernel
}

// Offsets in the setup header, which are those in the file.
const (
	offSetupSects  = 0x1f1 // u8, sectors of real-mode code after the first; 0 means 4
	offSyssize     = 0x1f4 // u32, protected-mode code in units of 16 bytes
	offHdrS        = 0x202 // magic
	offProtocol    = 0x206 // u16
	offPayload     = 0x248 // u32, from the start of the protected-mode code; protocol 2.08 on
	offPayloadLen  = 0x24c // u32
	setupHeaderEnd = 0x250
)

func isBzImage(b []byte) bool {
	return len(b) >= offProtocol+2 && string(b[offHdrS:offHdrS+4]) == "HdrS"
}

func parseBzImage(b []byte) (*bzImage, error) {
	if !isBzImage(b) {
		return nil, errors.New("this is " + fileKind(b[:min(len(b), sniffLen)]) + ", want a kernel image (bzImage) or its vmlinux")
	}
	if len(b) < setupHeaderEnd {
		return nil, fmt.Errorf("kernel image is cut off in its setup header: %d bytes", len(b))
	}
	le := binary.LittleEndian
	img := &bzImage{protocol: le.Uint16(b[offProtocol:])}
	if img.protocol < 0x0208 {
		return nil, fmt.Errorf("boot protocol %d.%02d has no payload field, want 2.08 (Linux 2.6.25) or later", img.protocol>>8, img.protocol&0xff)
	}
	sects := uint64(b[offSetupSects])
	if sects == 0 {
		sects = 4
	}
	code := (sects + 1) * 512
	size := uint64(len(b))
	if end := code + 16*uint64(le.Uint32(b[offSyssize:])); end > size {
		return nil, fmt.Errorf("kernel image is cut off: its header says %d bytes, there are %d", end, size)
	}
	start := code + uint64(le.Uint32(b[offPayload:]))
	length := uint64(le.Uint32(b[offPayloadLen:]))
	if start > size || length > size-start {
		return nil, fmt.Errorf("kernel image is cut off: its payload ends at byte %d, the file at %d", start+length, size)
	}
	img.payload = b[start : start+length]
	return img, nil
}

// Vmlinux returns the x86-64 ELF image in a bzImage, or vmlinuz itself if it is that ELF already. The kernel's build may
// have put its own relocation table after the ELF (CONFIG_X86_NEED_RELOCS): it is returned too. Payloads are gzip, bzip2,
// lzma, xz, lzo, lz4 or zstd. Errors do not name a file: the caller does.
func Vmlinux(vmlinuz []byte) ([]byte, error) {
	image := vmlinuz
	if !bytes.HasPrefix(vmlinuz, []byte("\x7fELF")) {
		img, err := parseBzImage(vmlinuz)
		if err != nil {
			return nil, err
		}
		if image, err = img.unpack(); err != nil {
			return nil, err
		}
	}
	if err := checkX8664(image); err != nil {
		return nil, err
	}
	return image, nil
}

func (img *bzImage) codec() codec { return sniffCodec(img.payload) }

// unpack undoes what arch/x86/boot/compressed/Makefile did. Its last 4 bytes are the unpacked size: gzip's own trailer,
// or appended to the stream of any other program (size_append in scripts/Makefile.lib).
func (img *bzImage) unpack() ([]byte, error) {
	c := img.codec()
	if c == codecInvalid || len(img.payload) < 8 {
		return nil, errors.New("kernel image: its payload has no known compression, want gzip, bzip2, lzma, xz, lzo, lz4 or zstd")
	}
	tail := len(img.payload) - 4
	size := binary.LittleEndian.Uint32(img.payload[tail:])
	if size > maxVmlinux {
		return nil, fmt.Errorf("kernel image: its %s payload unpacks to %d bytes, at most %d are supported", c, size, maxVmlinux)
	}
	packed := img.payload
	if c != codecGzip {
		packed = packed[:tail]
	}
	out, err := unpackAll(c, packed, int(size))
	if err != nil {
		return nil, fmt.Errorf("kernel image: %s payload of %d bytes is damaged: %w", c, len(img.payload), noEOF(err))
	}
	return out, nil
}

// unpackAll unpacks a stream whose unpacked size is known. The buffer grows with what really comes out.
func unpackAll(c codec, packed []byte, size int) ([]byte, error) {
	if c == codecZstd {
		return unpackZstd(packed, size)
	}
	d, err := newDecompressor(c, bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	defer d.Close()
	var out bytes.Buffer
	out.Grow(firstGuess(packed, size) + bytes.MinRead)
	n, err := io.Copy(&out, io.LimitReader(d, int64(size)+1))
	if err != nil {
		return nil, err
	}
	if n != int64(size) {
		return nil, fmt.Errorf("it unpacks to %d bytes or more, its end says %d", n, size)
	}
	return out.Bytes(), nil
}

// unpackZstd does without a window of its own, which is 128 MiB for zstd --ultra -22.
func unpackZstd(packed []byte, size int) ([]byte, error) {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderMaxMemory(max(uint64(size)+1, maxWindow)))
	if err != nil {
		return nil, err
	}
	defer d.Close()
	out, err := d.DecodeAll(packed, make([]byte, 0, firstGuess(packed, size)))
	if err == nil && len(out) != size {
		err = fmt.Errorf("it unpacks to %d bytes, its end says %d", len(out), size)
	}
	return out, err
}

// firstGuess is how much to allocate for size bytes that a damaged file may only claim to have. Kernels pack to 1:5 to
// 1:9 (Debian 6.1.190: 1:8.1); a guess that is too low doubles the buffer.
func firstGuess(packed []byte, size int) int { return min(size, 16*len(packed)) }

// checkX8664 looks at the ELF header alone.
func checkX8664(b []byte) error {
	const wantELF = ", want a 64-bit x86 kernel (vmlinux)"
	if len(b) < 64 || string(b[:4]) != "\x7fELF" {
		return errors.New("kernel image holds " + fileKind(b[:min(len(b), sniffLen)]) + wantELF)
	}
	if b[4] != 2 || b[5] != 1 {
		return errors.New("kernel image holds an ELF file that is not 64-bit little-endian" + wantELF)
	}
	if machine := binary.LittleEndian.Uint16(b[18:]); machine != 62 {
		return fmt.Errorf("kernel image holds an ELF file of machine %d"+wantELF, machine)
	}
	return nil
}
