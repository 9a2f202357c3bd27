package pkgfmt

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// sampleModule compiles an object with the .modinfo that modpost makes.
func sampleModule(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	src := filepath.Join(dir, "m.s")
	text := ".section .modinfo,\"a\"\n"
	for _, field := range []string{"license=GPL", "description=a sample", "livepatch=Y", "srcversion=ABC123", "depends=libcrc32c,ext4", "name=livesplice_x", "vermagic=6.1.0-54-amd64 SMP preempt mod_unload modversions "} {
		text += ".asciz \"" + field + "\"\n"
	}
	if err := os.WriteFile(src, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "m.ko")
	tool(t, nil, "gcc", "-c", "-o", out, src)
	return out
}

func TestDescribe(t *testing.T) {
	parts := sampleKernel(t)
	image := writeFiles(t, map[string]string{"vmlinuz": parts.image["boot/vmlinuz-"+sampleRelease]})
	module := sampleModule(t)
	vmlinux := linkImage(t, sampleBanner, "none")
	st, err := os.Stat(vmlinux)
	if err != nil {
		t.Fatal(err)
	}
	if st.Size() == 0 {
		t.Fatal("empty vmlinux")
	}
	signed := filepath.Join(t.TempDir(), "signed.ko.xz")
	plain, err := os.ReadFile(module)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(signed, tool(t, append(plain, "signature"+moduleSigMagic...), "xz", "--check=crc32"), 0o644); err != nil {
		t.Fatal(err)
	}
	moduleText := `module:        livesplice_x
description:   a sample
license:       GPL
vermagic:      6.1.0-54-amd64 SMP preempt mod_unload modversions
srcversion:    ABC123
depends:       libcrc32c, ext4
livepatch:     yes
`
	imageText := "release:       " + sampleRelease + "\nversion:       " + sampleVersion + "\ncompiler:      " + sampleCompiler + "\nlinker:        " + sampleLinker + "\n"
	for _, tt := range []struct{ path, kind, want string }{
		{module, "module", moduleText + "signed:        no\ncompression:   none\n"},
		{signed, "module", moduleText + "signed:        yes\ncompression:   xz\n"},
		{parts.debs(t)[0], "deb", "package:       linux-image-6.1.0-54-amd64\nversion:       6.1.190-1\narchitecture:  amd64\nsource:        linux-sample (1.0)\nsummary:       a sample\n"},
		{makeRPM(t, writeFiles(t, map[string]string{"a": ""}), "kernel", "6.1", "w1.gzdio"), "rpm", "package:       kernel\nversion:       2:6.1-7.el9\narchitecture:  x86_64\nsource:        kernel-6.1-7.el9.src.rpm\nsummary:       a sample\n"},
		{filepath.Join(image, "vmlinuz"), "vmlinuz", imageText},
		{vmlinux, "vmlinux", imageText + "compression:   none\n"},
	} {
		d, err := Describe(t.Context(), tt.path)
		if err != nil {
			t.Errorf("%s: %v", tt.path, err)
			continue
		}
		if want := "file:          " + tt.path + "\nkind:          " + tt.kind + "\n" + tt.want; !strings.HasPrefix(d.String(), want) {
			t.Errorf("got\n%swant\n%s", d, want)
		}
		if b, err := json.Marshal(d); err != nil || !strings.Contains(string(b), `"kind":"`+tt.kind+`"`) {
			t.Errorf("JSON %s, %v", b, err)
		}
	}
	d, err := Describe(t.Context(), filepath.Join(image, "vmlinuz"))
	if err != nil || d.Image.Compression != "xz" || d.Image.BootProtocol != "2.15" || len(d.Image.BuildID) != 20 {
		t.Errorf("%+v, %v", d, err)
	}
}

func TestDescribeWrongFiles(t *testing.T) {
	text := filepath.Join(writeFiles(t, map[string]string{"text": "hello\n"}), "text")
	_, err := Describe(t.Context(), text)
	checkInputError(t, err, text, `file "`+text+`": this is a text file, want `+wantDescribable)
	packed := filepath.Join(t.TempDir(), "text.xz")
	if err := os.WriteFile(packed, tool(t, []byte("hello\n"), "xz"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err = Describe(t.Context(), packed)
	checkInputError(t, err, packed, `file "`+packed+`": the file holds a text file, want a kernel module`)
	_, err = Describe(t.Context(), t.TempDir())
	var input *InputError
	if !errors.As(err, &input) {
		t.Errorf("error %v for a folder", err)
	}
	program := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(program, smallImage(), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err = Describe(t.Context(), program)
	checkInputError(t, err, program, "")
}

func FuzzDescribe(f *testing.F) {
	module, err := os.ReadFile(sampleModule(f))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(module)
	f.Add(makeBzImage(packLight(f, "gzip", smallImage())))
	path := filepath.Join(f.TempDir(), "fuzz")
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		d, err := Describe(t.Context(), path)
		var input *InputError
		if err != nil && !errors.As(err, &input) || err == nil && d.String() == "" {
			t.Errorf("%v, error %v", d, err)
		}
	})
}
