package pkgfmt

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// smallPackages are sound packages of a few kilobytes, by a name for messages.
func smallPackages(t testing.TB) map[string]string {
	dir := writeFiles(t, map[string]string{"boot/config-6.1.0": "CONFIG_A=y\n", "lib/link": "-> ../boot"})
	return map[string]string{
		"deb gzip": makeDeb(t, dir, "linux-sample", "1", "gzip"),
		"deb xz":   makeDeb(t, dir, "linux-sample", "1", "xz"),
		"deb zstd": makeDeb(t, dir, "linux-sample", "1", "zstd"),
		"rpm gzip": makeRPM(t, dir, "kernel-sample", "1", "w9.gzdio"),
		"rpm xz":   makeRPM(t, dir, "kernel-sample", "1", "w1.xzdio"),
		"rpm zstd": makeRPM(t, dir, "kernel-sample", "1", "w3.zstdio"),
	}
}

// answer is all that reading a package tells.
func answer(t testing.TB, path string) (Package, []string, error) {
	p, err := Open(path)
	if err != nil {
		return Package{}, nil, err
	}
	lines, err := listing(t.Context(), p)
	return *p, lines, err
}

// Cut off at any byte, a package is an *InputError that names the file.
func TestTruncatedPackages(t *testing.T) {
	for name, path := range smallPackages(t) {
		t.Run(name, func(t *testing.T) {
			sound, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			cut := filepath.Join(t.TempDir(), "cut")
			for n := len(sound) - 1; n >= 0; n-- {
				if strings.HasPrefix(name, "deb") && n == len(sound)-1 && sound[n] == '\n' {
					continue // the padding of the last ar member
				}
				if err := os.WriteFile(cut, sound[:n], 0o644); err != nil {
					t.Fatal(err)
				}
				_, _, err := answer(t, cut)
				checkInputError(t, err, cut, "")
				if t.Failed() {
					t.Fatalf("cut to %d of %d bytes", n, len(sound))
				}
			}
		})
	}
}

// With any byte changed, a package is an *InputError or is read as if it were sound: what no checksum covers may only be
// what is not read. zstd packages of dpkg-deb have no checksum of the content.
func TestCorruptPackages(t *testing.T) {
	for name, path := range smallPackages(t) {
		t.Run(name, func(t *testing.T) {
			sound, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			wantPkg, wantLines, err := answer(t, path)
			if err != nil {
				t.Fatal(err)
			}
			errs := 0
			bad := filepath.Join(t.TempDir(), "bad")
			for i := range sound {
				b := bytes.Clone(sound)
				b[i] ^= 0x5b
				if err := os.WriteFile(bad, b, 0o644); err != nil {
					t.Fatal(err)
				}
				pkg, lines, err := answer(t, bad)
				pkg.Path = wantPkg.Path
				var input *InputError
				switch {
				case errors.As(err, &input):
					errs++
				case err != nil:
					t.Errorf("byte %d: error %v is no *InputError", i, err)
				case name != "deb zstd" && (pkg != wantPkg || !slices.Equal(lines, wantLines)):
					t.Errorf("byte %d: read as %+v %q", i, pkg, lines)
				}
			}
			if errs < len(sound)/4 { // an rpm has 4 kB of reserved space in its signature
				t.Errorf("only %d of %d changes were noticed", errs, len(sound))
			}
		})
	}
}

func FuzzPackage(f *testing.F) {
	for _, path := range smallPackages(f) {
		b, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	path := filepath.Join(f.TempDir(), "fuzz")
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		_, _, err := answer(t, path)
		var input *InputError
		if err != nil && !errors.As(err, &input) {
			t.Errorf("error %v is no *InputError", err)
		}
	})
}
