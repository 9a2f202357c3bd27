package pkgfmt

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// packers pack a kernel image as arch/x86/boot/compressed/Makefile does, by the name of the codec. All but gzip are
// followed by the unpacked size.
var packers = map[string][]string{
	"gzip":  {"gzip", "-n", "-f", "-9"},
	"bzip2": {"bzip2", "-9"},
	"lzma":  {"lzma", "-9"},
	"xz":    {"xz", "--check=crc32", "--x86", "--lzma2=dict=32MiB"},
	"lzo":   {"lzop", "-9"},
	"lz4":   {"lz4", "-l", "-9", "-", "-"},
	"zstd":  {"zstd", "-22", "--ultra"},
}

// lightPackers make the same formats with small windows, for tests that unpack thousands of times.
var lightPackers = map[string][]string{
	"gzip":  {"gzip", "-n", "-f", "-9"},
	"bzip2": {"bzip2", "-1"},
	"lzma":  {"lzma", "--lzma1=dict=64KiB"},
	"xz":    {"xz", "--check=crc32", "--x86", "--lzma2=dict=64KiB"},
	"lzo":   {"lzop", "-9"},
	"lz4":   {"lz4", "-l", "-9", "-", "-"},
	"zstd":  {"zstd", "-3"},
}

func packLight(t testing.TB, codec string, image []byte) []byte {
	t.Helper()
	return packWith(t, lightPackers[codec], codec, image)
}

func pack(t testing.TB, codec string, image []byte) []byte {
	t.Helper()
	return packWith(t, packers[codec], codec, image)
}

func packWith(t testing.TB, argv []string, codec string, image []byte) []byte {
	t.Helper()
	packed := tool(t, image, argv[0], argv[1:]...)
	if codec != "gzip" {
		packed = binary.LittleEndian.AppendUint32(packed, uint32(len(image)))
	}
	return packed
}

// makeBzImage puts a payload behind a setup header, and what a signature would be behind both.
func makeBzImage(payload []byte) []byte {
	const sects, offset = 3, 0x2cc
	b := make([]byte, (sects+1)*512+offset)
	copy(b[offHdrS:], "HdrS")
	le := binary.LittleEndian
	b[offSetupSects] = sects
	le.PutUint16(b[offProtocol:], 0x020f)
	le.PutUint32(b[offPayload:], offset)
	le.PutUint32(b[offPayloadLen:], uint32(len(payload)))
	b = append(b, payload...)
	for (len(b)-(sects+1)*512)%16 != 0 {
		b = append(b, 0)
	}
	le.PutUint32(b[offSyssize:], uint32(len(b)-(sects+1)*512)/16)
	return append(b, "signature"...)
}

// testProgram is the test's own binary: an x86-64 ELF with plenty of code for xz's x86 filter.
func testProgram(t testing.TB) []byte {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(exe)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// smallImage is as little as counts as a 64-bit x86 kernel.
func smallImage() []byte {
	b := make([]byte, 300)
	copy(b, "\x7fELF\x02\x01\x01")
	b[18] = 62
	copy(b[100:], "some content, some content")
	return b
}

func TestVmlinuxOfEachCodec(t *testing.T) {
	program := testProgram(t)
	for codec := range packers {
		t.Run(codec, func(t *testing.T) {
			sizes := []int{1 << 20, 1<<20 + 3}
			if codec == "lz4" {
				sizes = append(sizes, 9<<20+1) // its blocks hold 8 MiB
			}
			for _, size := range sizes {
				image := bytes.Repeat(program, 1+size/len(program))[:size]
				got, err := Vmlinux(makeBzImage(pack(t, codec, image)))
				if err != nil {
					t.Fatalf("%d bytes: %v", size, err)
				}
				if !bytes.Equal(got, image) {
					t.Errorf("%d bytes: unpacked to %d others", size, len(got))
				}
			}
		})
	}
}

func TestVmlinuxAsItIs(t *testing.T) {
	image := smallImage()
	if got, err := Vmlinux(image); err != nil || !bytes.Equal(got, image) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

func TestVmlinuxErrors(t *testing.T) {
	sound := makeBzImage(pack(t, "gzip", smallImage()))
	change := func(f func(b []byte)) []byte {
		b := bytes.Clone(sound)
		f(b)
		return b
	}
	arm := smallImage()
	arm[18] = 183
	elf32 := smallImage()
	elf32[4] = 1
	le := binary.LittleEndian
	long := pack(t, "xz", smallImage())
	le.PutUint32(long[len(long)-4:], 299)
	huge := pack(t, "xz", smallImage())
	le.PutUint32(huge[len(huge)-4:], 1<<30)
	for _, tt := range []struct {
		name string
		in   []byte
		want string
	}{
		{"empty", nil, "this is an empty file, want a kernel image (bzImage) or its vmlinux"},
		{"text", []byte("hello\n"), "this is a text file, want a kernel image (bzImage) or its vmlinux"},
		{"header cut", sound[:0x240], "kernel image is cut off in its setup header: 576 bytes"},
		{"old protocol", change(func(b []byte) { b[offProtocol] = 7 }), "boot protocol 2.07 has no payload field, want 2.08 (Linux 2.6.25) or later"},
		{"cut", sound[:2500], "kernel image is cut off: its header says 2"},
		{"payload outside", change(func(b []byte) { le.PutUint32(b[offPayload:], 0xfffffff0) }), "kernel image is cut off: its payload ends at byte 42949"},
		{"no codec", change(func(b []byte) { le.PutUint32(b[offPayload:], 0) }), "kernel image: its payload has no known compression, want gzip, bzip2, lzma, xz, lzo, lz4 or zstd"},
		{"no ELF", makeBzImage(pack(t, "gzip", bytes.Repeat([]byte("text "), 30))), "kernel image holds a text file, want a 64-bit x86 kernel (vmlinux)"},
		{"arm", makeBzImage(pack(t, "gzip", arm)), "kernel image holds an ELF file of machine 183, want a 64-bit x86 kernel (vmlinux)"},
		{"32 bits", makeBzImage(pack(t, "gzip", elf32)), "kernel image holds an ELF file that is not 64-bit little-endian, want a 64-bit x86 kernel (vmlinux)"},
		{"longer than it says", makeBzImage(long), "kernel image: xz payload of "},
		{"too large", makeBzImage(huge), "kernel image: its xz payload unpacks to 1073741824 bytes, at most 536870912 are supported"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Vmlinux(tt.in)
			if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("%d bytes, error %v, want %s", len(got), err, tt.want)
			}
		})
	}
}

// A kernel image cut off anywhere is an error; so is one with any byte of the payload changed, or it is unpacked rightly.
func TestDamagedVmlinuz(t *testing.T) {
	want := smallImage()
	for codec := range packers {
		t.Run(codec, func(t *testing.T) {
			sound := makeBzImage(packLight(t, codec, want))
			for n := range len(sound) - len("signature") {
				if _, err := Vmlinux(sound[:n]); err == nil {
					t.Fatalf("no error when cut to %d of %d bytes", n, len(sound))
				}
			}
			for i := range sound {
				b := bytes.Clone(sound)
				b[i] ^= 0x5b
				got, err := Vmlinux(b)
				if err != nil {
					continue
				}
				// The frames of lz4 -l and lzma have no checksum.
				if !bytes.Equal(got, want) && codec != "lz4" && codec != "lzma" {
					t.Errorf("byte %d changed: unpacked to something else", i)
				}
			}
		})
	}
}

// A payload cut short inside must not be taken for a whole one, though the header says that it is all there.
func TestVmlinuzWithShortPayload(t *testing.T) {
	image := testProgram(t)[:1<<18]
	for codec := range packers {
		packed := packLight(t, codec, image)
		for _, n := range []int{0, 1, 7, 20, 100, len(packed) / 2, len(packed) - 5} {
			short := append(packed[:n:n], packed[len(packed)-4:]...)
			if _, err := Vmlinux(makeBzImage(short)); err == nil {
				t.Errorf("%s: no error with %d of %d bytes", codec, n, len(packed)-4)
			}
		}
	}
}

// The dictionary that an .lzma header claims is not allocated unless it is a sound size.
func TestLZMADictionary(t *testing.T) {
	packed := pack(t, "lzma", smallImage())
	binary.LittleEndian.PutUint32(packed[1:], 1<<31)
	_, err := Vmlinux(makeBzImage(packed))
	if err == nil || !strings.Contains(err.Error(), "lzma: dictionary of 2147483648 bytes, at most 134217728 are supported") {
		t.Errorf("error %v", err)
	}
}

func FuzzVmlinux(f *testing.F) {
	for codec := range packers {
		f.Add(makeBzImage(packLight(f, codec, smallImage())))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := Vmlinux(b)
		if err == nil && checkX8664(got) != nil {
			t.Error("result is no 64-bit x86 ELF")
		}
	})
}

// FuzzPayload lets the fuzzer past the header.
func FuzzPayload(f *testing.F) {
	for codec := range packers {
		f.Add(packLight(f, codec, smallImage()))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		got, err := (&bzImage{payload: payload}).unpack()
		if err == nil && len(got) > maxVmlinux {
			t.Errorf("unpacked to %d bytes", len(got))
		}
	})
}

func TestBanner(t *testing.T) {
	const debian = "Linux version 6.1.0-54-amd64 (debian-kernel@lists.debian.org) (gcc-12 (Debian 12.2.0-14+deb12u1) 12.2.0, GNU ld (GNU Binutils for Debian) 2.40) #1 SMP PREEMPT_DYNAMIC Debian 6.1.190-1 (2026-10-16)"
	const weak = "Linux version 6.1.0-54-amd64 (debian-kernel@lists.debian.org) (gcc-12 (Debian 12.2.0-14+deb12u1) 12.2.0, GNU ld (GNU Binutils for Debian) 2.40) # SMP PREEMPT_DYNAMIC Debian 6.1.190-1 (2026-10-16)"
	want := Banner{debian, "6.1.0-54-amd64", "gcc-12 (Debian 12.2.0-14+deb12u1) 12.2.0", "GNU ld (GNU Binutils for Debian) 2.40", "#1 SMP PREEMPT_DYNAMIC Debian 6.1.190-1 (2026-10-16)"}
	const clang = "Linux version 6.6.1 (u@h) (Debian clang version 16.0.6 (15), Debian LLD 16.0.6) #2 SMP Thu Nov 9 2023"
	const old = "Linux version 5.4.0-150-generic (buildd@bos03-amd64-012) (gcc version 7.5.0 (Ubuntu 7.5.0-3ubuntu1~18.04)) #167 SMP"
	for _, tt := range []struct {
		name, image string
		want        Banner
	}{
		{"the only one", "\x00x" + debian + "\n\x00", want},
		{"after the weak one", weak + "\n\x00" + debian + "\n\x00", want},
		{"before the weak one", debian + "\n\x00" + weak + "\n\x00", want},
		{"after the format of another", "Linux version %s (%s)\n\x00Linux version \x00" + debian + "\n", want},
		{"clang", clang + "\n", Banner{clang, "6.6.1", "Debian clang version 16.0.6 (15)", "Debian LLD 16.0.6", "#2 SMP Thu Nov 9 2023"}},
		{"before 5.8", old + "\n", Banner{old, "5.4.0-150-generic", "gcc version 7.5.0 (Ubuntu 7.5.0-3ubuntu1~18.04)", "", "#167 SMP"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := findBanner([]byte(tt.image))
			if err != nil || got != tt.want {
				t.Errorf("got %+v, %v\nwant %+v", got, err, tt.want)
			}
		})
	}
	for _, bad := range []string{"", "Linux version ", "Linux version 6.1\n", "Linux version 6.1 (a) (b", "Linux version 6.1 (a (b) #1\n", "Linux version 6.1 a b\n", debian, debian + "\x00"} {
		if got, err := findBanner([]byte(bad)); err == nil {
			t.Errorf("%q gives %+v", bad, got)
		}
	}
}

// linkImage links an ELF image with a banner and, if idFlag asks for it, a build ID.
func linkImage(t testing.TB, banner, idFlag string) string {
	t.Helper()
	dir := t.TempDir()
	src := filepath.Join(dir, "image.c")
	text := "const char linux_banner[] = \"" + strings.ReplaceAll(banner, `"`, `\"`) + "\\n\"; void _start(void) { for (;;); }\n"
	if err := os.WriteFile(src, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := exec.LookPath("ld"); err != nil {
		t.Fatal("ld is missing: install the package binutils")
	}
	out := filepath.Join(dir, "vmlinux")
	tool(t, nil, "gcc", "-nostdlib", "-static", "-ffreestanding", "-Wl,--build-id="+idFlag, "-o", out, src)
	return out
}

func TestBuildID(t *testing.T) {
	path := linkImage(t, "x", "sha1")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := openELF(b)
	if err != nil {
		t.Fatal(err)
	}
	id, err := buildID(f)
	if err != nil || len(id) != 20 {
		t.Fatalf("build ID %x, %v", id, err)
	}
	if out := string(tool(t, nil, "readelf", "-n", path)); !strings.Contains(out, "Build ID: "+HexBytes(id).String()) {
		t.Errorf("build ID %x, readelf says\n%s", id, out)
	}
	none, err := os.ReadFile(linkImage(t, "x", "none"))
	if err != nil {
		t.Fatal(err)
	}
	if f, err = openELF(none); err != nil {
		t.Fatal(err)
	}
	if id, err := buildID(f); err == nil {
		t.Errorf("build ID %x of an image without one", id)
	}
}

func FuzzImageFacts(f *testing.F) {
	b, err := os.ReadFile(linkImage(f, "Linux version 6.1.0 (a@b) (gcc 12, ld 2) #1 SMP", "sha1"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		facts, err := imageFactsOf(b)
		if err == nil && facts.Release == "" {
			t.Error("no release")
		}
	})
}
