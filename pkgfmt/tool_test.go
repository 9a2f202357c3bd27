package pkgfmt

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// toolPackages names the Debian package of each program that the tests compare with.
var toolPackages = map[string]string{
	"bzip2": "bzip2", "cpio": "cpio", "dpkg-deb": "dpkg", "gcc": "gcc", "gzip": "gzip", "lz4": "lz4", "lzma": "xz-utils", "lzop": "lzop",
	"readelf": "binutils", "rpm": "rpm", "rpm2cpio": "rpm", "rpmbuild": "rpm", "tar": "tar", "xz": "xz-utils", "zstd": "zstd",
}

// tool runs a program with stdin and returns its output. A program that is missing is a failure.
func tool(t testing.TB, stdin []byte, name string, args ...string) []byte {
	t.Helper()
	pkg, ok := toolPackages[name]
	if !ok {
		t.Fatalf("%s: no package is named for it", name)
	}
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%s is missing: install the package %s", name, pkg)
	}
	cmd := exec.Command(path, args...)
	cmd.Stdin = bytes.NewReader(stdin)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "TZ=UTC", "SOURCE_DATE_EPOCH=1700000000", "XZ_OPT=", "ZSTD_CLEVEL=3")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, stderr.Bytes())
	}
	return stdout.Bytes()
}

// writeFiles writes files by name below a new folder. A value that begins with "-> " is a symbolic link's target.
func writeFiles(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if target, ok := bytes.CutPrefix([]byte(content), []byte("-> ")); ok {
			err = os.Symlink(string(target), path)
		} else {
			err = os.WriteFile(path, []byte(content), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// makeDeb packs a folder with dpkg-deb. compression is one of its -Z arguments.
func makeDeb(t testing.TB, dir, name, version, compression string) string {
	t.Helper()
	control := "Package: " + name + "\nSource: linux-sample (1.0)\nVersion: " + version + "\nArchitecture: amd64\n" +
		"Maintainer: Nobody <nobody@example.org>\nDepends: a (>= 1), b | c\nDescription: a sample\n with a long part\n"
	if err := os.MkdirAll(filepath.Join(dir, "DEBIAN"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "DEBIAN/control"), []byte(control), 0o644); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), name+"_"+version+"_amd64.deb")
	tool(t, nil, "dpkg-deb", "--root-owner-group", "-Z"+compression, "-b", dir, out)
	return out
}

// makeRPM packs a folder with rpmbuild. payload is a value of the macro _binary_payload, "w9.gzdio" for one.
func makeRPM(t testing.TB, dir, name, version, payload string) string {
	t.Helper()
	top := t.TempDir()
	spec := filepath.Join(top, "sample.spec")
	text := "Name: " + name + "\nVersion: " + version + "\nRelease: 7.el9\nEpoch: 2\nSummary: a sample\nLicense: none\n" +
		"AutoReqProv: no\n%description\nlong\n%install\ncp -a " + dir + "/. %{buildroot}\n%files\n/*\n"
	if err := os.WriteFile(spec, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	tool(t, nil, "rpmbuild", "-bb", "--quiet", "--target", "x86_64", "--define", "_topdir "+top, "--define", "_binary_payload "+payload,
		"--define", "__os_install_post %{nil}", "--define", "_dbpath "+top+"/db", "--define", "_build_id_links none", spec)
	found, err := filepath.Glob(filepath.Join(top, "RPMS/*/*.rpm"))
	if err != nil || len(found) != 1 {
		t.Fatalf("rpmbuild made %q, %v", found, err)
	}
	return found[0]
}
