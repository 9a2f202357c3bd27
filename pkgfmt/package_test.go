package pkgfmt

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// sampleFiles have what packages of kernels have: folders, links of both kinds, an empty file, one of several blocks.
func sampleFiles(t testing.TB) string {
	dir := writeFiles(t, map[string]string{
		"boot/vmlinuz-6.1.0":             strings.Repeat("not a kernel, but long enough for several blocks\n", 3000),
		"boot/config-6.1.0":              "CONFIG_A=y\n",
		"usr/src/linux-headers-6.1.0/A":  "",
		"usr/src/linux-headers-6.1.0/to": "-> ../../../boot",
	})
	if err := os.Link(filepath.Join(dir, "boot/config-6.1.0"), filepath.Join(dir, "boot/config-link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(dir, "boot/config-6.1.0"), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// listing walks a package: "name kind size content-hash-or-target" a line, sorted, without folders.
func listing(ctx context.Context, p *Package) ([]string, error) {
	var lines []string
	err := p.Walk(ctx, func(e Entry, r io.Reader) error {
		b, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		if int64(len(b)) != e.Size {
			return fmt.Errorf("%s: %d bytes read, size is %d", e.Name, len(b), e.Size)
		}
		switch {
		case e.Hardlink != "":
			lines = append(lines, "link "+e.Name+" = "+e.Hardlink)
		case e.Mode&fs.ModeSymlink != 0:
			lines = append(lines, "symlink "+e.Name+" -> "+e.Linkname)
		case e.Mode.IsRegular():
			lines = append(lines, fmt.Sprintf("file %s %v %q", e.Name, e.Mode, b[:min(len(b), 20)]))
		}
		return nil
	})
	slices.Sort(lines)
	return lines, err
}

var wantListing = []string{
	`file boot/config-6.1.0 -rwxr-xr-x "CONFIG_A=y\n"`,
	`file boot/vmlinuz-6.1.0 -rw-r--r-- "not a kernel, but lo"`,
	`file usr/src/linux-headers-6.1.0/A -rw-r--r-- ""`,
	`link boot/config-link = boot/config-6.1.0`,
	`symlink usr/src/linux-headers-6.1.0/to -> ../../../boot`,
}

func TestDeb(t *testing.T) {
	dir := sampleFiles(t)
	for _, compression := range []string{"none", "gzip", "xz", "zstd"} {
		t.Run(compression, func(t *testing.T) {
			path := makeDeb(t, dir, "linux-image-sample", "1:6.1.190-1", compression)
			p, err := Open(path)
			if err != nil {
				t.Fatal(err)
			}
			want := Package{Path: path, Format: FormatDeb, Name: "linux-image-sample", Version: "1:6.1.190-1", Arch: "amd64", Source: "linux-sample (1.0)", Summary: "a sample"}
			if *p != want {
				t.Errorf("got %+v, want %+v", *p, want)
			}
			checkWalk(t, p)
			// dpkg-deb is the oracle of the names and their order.
			var names []string
			if err := p.Walk(t.Context(), func(e Entry, _ io.Reader) error { names = append(names, e.Name); return nil }); err != nil {
				t.Fatal(err)
			}
			oracle := strings.Fields(string(tool(t, tool(t, nil, "dpkg-deb", "--fsys-tarfile", path), "tar", "-t")))
			for i := range oracle {
				oracle[i] = filepath.Clean(oracle[i])
			}
			if !slices.Equal(names, oracle) {
				t.Errorf("names %q, dpkg-deb has %q", names, oracle)
			}
		})
	}
}

func TestRPM(t *testing.T) {
	dir := sampleFiles(t)
	for _, payload := range []string{"w9.gzdio", "w6.xzdio", "w3.zstdio", "w9.bzdio", "w.ufdio", "w6.lzdio"} {
		t.Run(payload, func(t *testing.T) {
			path := makeRPM(t, dir, "kernel-sample", "6.1.190", payload)
			p, err := Open(path)
			if err != nil {
				t.Fatal(err)
			}
			want := Package{Path: path, Format: FormatRPM, Name: "kernel-sample", Version: "2:6.1.190-7.el9", Arch: "x86_64", Source: "kernel-sample-6.1.190-7.el9.src.rpm", Summary: "a sample"}
			if *p != want {
				t.Errorf("got %+v, want %+v", *p, want)
			}
			query := string(tool(t, nil, "rpm", "-qp", "--nosignature", "--qf", "%{NAME} %{EPOCHNUM}:%{VERSION}-%{RELEASE} %{ARCH} %{SOURCERPM}", path))
			if got := strings.Join([]string{p.Name, p.Version, p.Arch, p.Source}, " "); got != query {
				t.Errorf("got %q, rpm says %q", got, query)
			}
			checkWalk(t, p)
			var names []string
			if err := p.Walk(t.Context(), func(e Entry, _ io.Reader) error { names = append(names, e.Name); return nil }); err != nil {
				t.Fatal(err)
			}
			oracle := strings.Fields(string(tool(t, tool(t, nil, "rpm2cpio", path), "cpio", "-t", "--quiet")))
			for i := range oracle {
				oracle[i] = filepath.Clean(oracle[i])
			}
			slices.Sort(names)
			slices.Sort(oracle)
			if !slices.Equal(names, oracle) {
				t.Errorf("names %q, rpm2cpio has %q", names, oracle)
			}
		})
	}
}

// checkWalk compares the listing; which of two hard links comes first differs between cpio and tar.
func checkWalk(t *testing.T, p *Package) {
	t.Helper()
	got, err := listing(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	want := slices.Clone(wantListing)
	if slices.Contains(got, "link boot/config-6.1.0 = boot/config-link") {
		want[0] = strings.Replace(want[0], "config-6.1.0", "config-link", 1)
		want[3] = "link boot/config-6.1.0 = boot/config-link"
	}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestWalkStops(t *testing.T) {
	dir := sampleFiles(t)
	for _, path := range []string{makeDeb(t, dir, "linux-sample", "1", "xz"), makeRPM(t, dir, "kernel", "1", "w6.xzdio")} {
		p, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		calls := 0
		if err := p.Walk(t.Context(), func(Entry, io.Reader) error { calls++; return ErrStop }); err != nil || calls != 1 {
			t.Errorf("%s: %d calls, error %v after ErrStop", path, calls, err)
		}
		mine := errors.New("mine")
		if err := p.Walk(t.Context(), func(Entry, io.Reader) error { return mine }); err != mine {
			t.Errorf("%s: error %v, want the callback's", path, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		err = p.Walk(ctx, func(Entry, io.Reader) error { cancel(); return nil })
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: error %v after the context ended", path, err)
		}
	}
}

func TestExtract(t *testing.T) {
	dir := sampleFiles(t)
	for _, path := range []string{makeDeb(t, dir, "linux-sample", "1", "xz"), makeRPM(t, dir, "kernel", "1", "w6.xzdio")} {
		p, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		out := t.TempDir()
		if err := p.Extract(t.Context(), out, nil); err != nil {
			t.Fatal(err)
		}
		if err := os.RemoveAll(filepath.Join(dir, "DEBIAN")); err != nil {
			t.Fatal(err)
		}
		want := tool(t, nil, "tar", "-C", dir, "--sort=name", "--mtime=@0", "-c", "boot", "usr")
		got := tool(t, nil, "tar", "-C", out, "--sort=name", "--mtime=@0", "-c", "boot", "usr")
		if !bytes.Equal(got, want) {
			t.Errorf("%s: extracted tree differs from the packed one", path)
		}
		some := t.TempDir()
		if err := p.Extract(t.Context(), some, func(name string) bool { return name == "usr/src/linux-headers-6.1.0/A" }); err != nil {
			t.Fatal(err)
		}
		if entries, err := os.ReadDir(some); err != nil || len(entries) != 1 || entries[0].Name() != "usr" {
			t.Errorf("%s: %v, %v, want usr alone", path, entries, err)
		}
	}
}

func TestWrongKindOfFile(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	image, err := os.ReadFile(exe)
	if err != nil {
		t.Fatal(err)
	}
	text := []byte("just text\n")
	tarball := tool(t, nil, "tar", "-C", writeFiles(t, map[string]string{"a": "b"}), "-c", "a")
	dir := t.TempDir()
	for _, tt := range []struct {
		name    string
		content []byte
		want    string
	}{
		{"empty", nil, "this is an empty file"},
		{"text", text, "this is a text file"},
		{"gzip", tool(t, text, "gzip", "-c"), "this is a file compressed with gzip"},
		{"xz", tool(t, text, "xz", "-c"), "this is a file compressed with xz"},
		{"zstd", tool(t, text, "zstd", "-c"), "this is a file compressed with zstd"},
		{"tar", tarball, "this is a tar archive"},
		{"elf", image, "this is an ELF file"},
		{"ar", []byte("!<arch>\nfile.o/         0           0     0     644     2         `\nab"), "this is an ar archive that is no .deb"},
		{"zip", []byte("PK\x03\x04 and so on"), "this is a zip archive"},
		{"bzImage", append(make([]byte, 0x202), "HdrS\x0f\x02"...), "this is a kernel image (bzImage)"},
		{"binary", []byte("\x00\x01\x02"), "this is a file of an unknown kind"},
	} {
		path := filepath.Join(dir, tt.name)
		if err := os.WriteFile(path, tt.content, 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := Open(path)
		checkInputError(t, err, path, `file "`+path+`": `+tt.want+", want a .deb or .rpm package")
	}
	_, err = Open(dir)
	checkInputError(t, err, dir, `file "`+dir+`": this is a folder, want a .deb or .rpm package`)
	none := filepath.Join(dir, "none")
	_, err = Open(none)
	checkInputError(t, err, none, `file "`+none+`": cannot be opened, want a .deb or .rpm package: no such file or directory`)
}

// checkInputError wants an *InputError that names path; text is compared unless empty.
func checkInputError(t testing.TB, err error, path, text string) {
	t.Helper()
	var input *InputError
	if !errors.As(err, &input) || input.Path != path || text != "" && err.Error() != text {
		t.Errorf("error %v\nwant %s", err, text)
	}
}

// tarDeb makes a .deb around a data.tar of one's own.
func tarDeb(t testing.TB, headers ...*tar.Header) string {
	t.Helper()
	var data bytes.Buffer
	w := tar.NewWriter(&data)
	for _, h := range headers {
		h.Mode = 0o644
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(make([]byte, h.Size)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	sound, err := os.ReadFile(makeDeb(t, t.TempDir(), "sample", "1", "none"))
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(sound, []byte("data.tar  "))
	path := filepath.Join(t.TempDir(), "own.deb")
	head := fmt.Sprintf("%-16s%-12d%-6d%-6d%-8s%-10d`\n", "data.tar", 0, 0, 0, "100644", data.Len())
	if err := os.WriteFile(path, append(append(sound[:at:at], head...), data.Bytes()...), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestNamesThatLeadOut(t *testing.T) {
	for _, name := range []string{"../x", "./../x", "a/../../x", "a/..", "/../x"} {
		path := tarDeb(t, &tar.Header{Name: name, Size: 1})
		p, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		err = p.Extract(t.Context(), t.TempDir(), nil)
		checkInputError(t, err, path, `file "`+path+`": member data.tar is not usable, want a whole .deb package: the file name "`+name+`" leads out of the package`)
	}
	link := tarDeb(t, &tar.Header{Name: "a", Typeflag: tar.TypeLink, Linkname: "../../etc/passwd"})
	p, err := Open(link)
	if err != nil {
		t.Fatal(err)
	}
	checkInputError(t, p.Extract(t.Context(), t.TempDir(), nil), link, "")
}

// An absolute name is below the package's root; a link that leads out may exist but is not followed.
func TestExtractStaysInside(t *testing.T) {
	outside := t.TempDir()
	out := t.TempDir()
	p, err := Open(tarDeb(t, &tar.Header{Name: "/etc/x", Size: 1}))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Extract(t.Context(), out, nil); err != nil {
		t.Fatal(err)
	}
	if !isFile(filepath.Join(out, "etc/x")) {
		t.Error("etc/x is not below the folder")
	}
	evil, err := Open(tarDeb(t, &tar.Header{Name: "d", Typeflag: tar.TypeSymlink, Linkname: outside}, &tar.Header{Name: "d/x", Size: 1}))
	if err != nil {
		t.Fatal(err)
	}
	if err := evil.Extract(t.Context(), t.TempDir(), nil); err == nil {
		t.Error("no error for a file behind a link that leads out")
	}
	if entries, err := os.ReadDir(outside); err != nil || len(entries) != 0 {
		t.Errorf("outside: %v, %v", entries, err)
	}
}

// Two files of one name: the second must not silently win.
func TestSameNameTwice(t *testing.T) {
	p, err := Open(tarDeb(t, &tar.Header{Name: "a", Size: 1}, &tar.Header{Name: "a", Size: 2}))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Extract(t.Context(), t.TempDir(), nil); !errors.Is(err, fs.ErrExist) {
		t.Errorf("error %v", err)
	}
}
