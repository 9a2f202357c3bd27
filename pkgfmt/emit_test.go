package pkgfmt

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cavaliergopher/rpm"
	"pault.ag/go/debian/deb"

	"livesplice/kmod/livepatch"
)

const (
	updateBuild = "00112233445566778899aabbccddeeff00112233"
	updateDir   = "/usr/lib/livesplice/" + updateBuild
)

var emitTime = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

// updateSpec returns the spec of an update whose module no kernel would load.
func updateSpec(id string, revision int, stack bool) UpdateSpec {
	hash := func(s string) string {
		sum := sha256.Sum256([]byte(s))
		return hex.EncodeToString(sum[:])
	}
	module, patch := "module of "+id+"\n", "--- a/x\n+++ b/x\n"
	return UpdateSpec{
		Manifest: &livepatch.Manifest{
			Format: livepatch.ManifestFormat, ID: id, Module: livepatch.ModuleName(id), ModuleFile: livepatch.ModuleName(id) + ".ko", ModuleSHA256: hash(module),
			Release: "6.1.0-54-amd64", BuildID: updateBuild, Arch: "amd64", Revision: revision,
			Description: "namei: refuse empty names", Fixes: []string{"CVE-2026-10000", "CVE-2026-10001"},
			Patches: []livepatch.Patch{{Name: "0001-namei.patch", SHA256: hash(patch)}},
			Engine:  livepatch.EngineLivepatch, Replace: !stack,
			Objects: []livepatch.Object{{Name: livepatch.VMLinux, BuildID: updateBuild, Functions: []livepatch.Function{
				{Name: "path_openat", Address: "0xffffffff81345670", Size: 100, New: "path_openat", SHA256: hash("")},
			}}},
		},
		Files:      map[string][]byte{livepatch.ModuleName(id) + ".ko": []byte(module), "0001-namei.patch": []byte(patch)},
		Maintainer: "Nobody <nobody@example.org>",
		MTime:      emitTime,
		Stack:      stack,
	}
}

func emitUpdate(t *testing.T, spec UpdateSpec, format Format) string {
	t.Helper()
	path, err := EmitUpdate(context.Background(), spec, format, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// hostDir is the folder of hostProgram, once it is made.
var hostDir string

func TestMain(m *testing.M) {
	code := m.Run()
	os.RemoveAll(hostDir)
	os.Exit(code)
}

// hostProgram builds splicectl once for all tests.
var hostProgram = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "livesplice-test-*")
	if err != nil {
		return "", err
	}
	hostDir = dir
	program := filepath.Join(dir, "splicectl")
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", program, "livesplice/cmd/splicectl")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	return program, cmd.Run()
})

func emitHost(t *testing.T, format Format) string {
	t.Helper()
	program, err := hostProgram()
	if err != nil {
		t.Fatal(err)
	}
	spec := HostSpec{Program: program, Version: "0.1.0", Arch: "amd64", Maintainer: DefaultMaintainer, MTime: emitTime}
	path, err := EmitHost(context.Background(), spec, format, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// emitTools names the Debian package of each program that these tests run.
var emitTools = map[string]string{
	"dash": "dash", "dpkg": "dpkg", "dpkg-deb": "dpkg", "dpkg-parsechangelog": "dpkg-dev", "dpkg-query": "dpkg", "ldd": "libc-bin", "lintian": "lintian", "rm": "coreutils", "rpm": "rpm", "unshare": "util-linux", "zcat": "gzip",
}

// try runs a program and returns what it wrote, and its error.
func try(t *testing.T, name string, args ...string) (string, error) {
	t.Helper()
	pkg, ok := emitTools[name]
	if !ok {
		t.Fatalf("%s: no package is named for it", name)
	}
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%s is missing: install the package %s", name, pkg)
	}
	cmd := exec.Command(path, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "TZ=UTC")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// does runs a program that must succeed.
func does(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := try(t, name, args...)
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return out
}

func TestDebUpdateReadBack(t *testing.T) {
	path := emitUpdate(t, updateSpec("0badcafe", 2, false), FormatDeb)
	if got, want := filepath.Base(path), "linux-livesplice-6.1.0-54-amd64_2_amd64.deb"; got != want {
		t.Errorf("file %q, want %q", got, want)
	}
	d, done, err := deb.LoadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	defer done()
	c := d.Control
	if c.Package != "linux-livesplice-6.1.0-54-amd64" || c.Version.String() != "2" || c.Architecture.String() != "amd64" || c.Depends.String() != "splicectl" ||
		c.Values["Enhances"] != "linux-image-6.1.0-54-amd64" || c.Section != "kernel" || c.Maintainer != "Nobody <nobody@example.org>" {
		t.Errorf("control: %+v", c)
	}
	for _, want := range []string{"live updates of kernel 6.1.0-54-amd64", "namei: refuse empty names", "CVE-2026-10001"} {
		if !strings.Contains(c.Description, want) {
			t.Errorf("description %q has no %q", c.Description, want)
		}
	}

	// dpkg-deb agrees.
	if got := does(t, "dpkg-deb", "-I", path, "triggers"); got != "activate-noawait livesplice-reconcile\n" {
		t.Errorf("triggers: %q", got)
	}
	var files []string
	for line := range strings.Lines(does(t, "dpkg-deb", "-c", path)) {
		f := strings.Fields(line)
		if f[1] != "root/root" || f[3]+" "+f[4] != "2026-03-04 05:06" {
			t.Errorf("%s", line)
		}
		files = append(files, f[0]+" "+f[5])
	}
	want := []string{
		"drwxr-xr-x ./usr/", "drwxr-xr-x ./usr/lib/", "drwxr-xr-x ./usr/lib/livesplice/", "drwxr-xr-x ." + updateDir + "/",
		"drwxr-xr-x ." + updateDir + "/0badcafe/", "-rw-r--r-- ." + updateDir + "/0badcafe/0001-namei.patch",
		"-rw-r--r-- ." + updateDir + "/0badcafe/livesplice_0badcafe.ko", "-rw-r--r-- ." + updateDir + "/0badcafe/manifest.json",
		"drwxr-xr-x ./usr/share/", "drwxr-xr-x ./usr/share/doc/", "drwxr-xr-x ./usr/share/doc/linux-livesplice-6.1.0-54-amd64/",
		"-rw-r--r-- ./usr/share/doc/linux-livesplice-6.1.0-54-amd64/changelog.gz", "-rw-r--r-- ./usr/share/doc/linux-livesplice-6.1.0-54-amd64/copyright",
	}
	if !slices.Equal(files, want) {
		t.Errorf("files:\n%s", strings.Join(files, "\n"))
	}
}

func TestRPMUpdateReadBack(t *testing.T) {
	spec := updateSpec("0badcafe", 2, false)
	path := emitUpdate(t, spec, FormatRPM)
	if got, want := filepath.Base(path), "kernel-livesplice-6.1.0-54-amd64-2-1.x86_64.rpm"; got != want {
		t.Errorf("file %q, want %q", got, want)
	}
	p, err := rpm.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if p.Name() != "kernel-livesplice-6.1.0-54-amd64" || p.Version() != "2" || p.Release() != "1" || p.Architecture() != "x86_64" ||
		p.License() != "GPL-2.0-only" || p.BuildHost() != "livesplice" || !p.BuildTime().Equal(emitTime) {
		t.Errorf("%v %s %s %v", p, p.License(), p.BuildHost(), p.BuildTime())
	}
	var requires []string
	for _, r := range p.Requires() {
		requires = append(requires, r.Name())
	}
	if !slices.Equal(requires, []string{"splicectl"}) {
		t.Errorf("requires %q", requires)
	}
	if !strings.Contains(p.PreUninstallScript(), `if [ "$1" = 0 ]`) || !strings.Contains(p.PreUninstallScript(), "undo --forget 0badcafe") {
		t.Errorf("%%preun: %s", p.PreUninstallScript())
	}

	// rpm agrees.
	want := strings.Join([]string{"/usr/lib/livesplice", updateDir, updateDir + "/0badcafe", updateDir + "/0badcafe/0001-namei.patch",
		updateDir + "/0badcafe/livesplice_0badcafe.ko", updateDir + "/0badcafe/manifest.json"}, "\n") + "\n"
	if got := does(t, "rpm", "-qpl", path); !strings.HasSuffix(got, want) {
		t.Errorf("files:\n%s", got)
	}
	if got := does(t, "rpm", "-qp", "--qf", "%{POSTTRANS}", path); !strings.Contains(got, "/usr/sbin/splicectl reconcile ||") {
		t.Errorf("%%posttrans: %s", got)
	}
	if got := does(t, "rpm", "-qp", "--suggests", path); !strings.Contains(got, "kernel-uname-r = 6.1.0-54-amd64") {
		t.Errorf("suggests: %s", got)
	}
	does(t, "rpm", "-K", "--nosignature", path)
}

func TestUpdateNames(t *testing.T) {
	for _, tt := range []struct {
		release  string
		stack    bool
		deb, rpm string
	}{
		{"6.1.0-54-amd64", false, "linux-livesplice-6.1.0-54-amd64", "kernel-livesplice-6.1.0-54-amd64"},
		{"5.14.0-427.el9.x86_64", false, "linux-livesplice-5.14.0-427.el9.x86-64", "kernel-livesplice-5.14.0-427.el9.x86_64"},
		{"6.1.0-RT", true, "linux-livesplice-6.1.0-rt-0badcafe", "kernel-livesplice-6.1.0-RT-0badcafe"},
	} {
		m := &livepatch.Manifest{ID: "0badcafe", Release: tt.release}
		if got := UpdateName(m, FormatDeb, tt.stack); got != tt.deb {
			t.Errorf("deb %q, want %q", got, tt.deb)
		}
		if got := UpdateName(m, FormatRPM, tt.stack); got != tt.rpm {
			t.Errorf("rpm %q, want %q", got, tt.rpm)
		}
	}
}

func TestStackedUpdateIsNamedByItsID(t *testing.T) {
	for format, want := range map[Format]string{FormatDeb: "linux-livesplice-6.1.0-54-amd64-0badcafe_1_amd64.deb", FormatRPM: "kernel-livesplice-6.1.0-54-amd64-0badcafe-1-1.x86_64.rpm"} {
		if got := filepath.Base(emitUpdate(t, updateSpec("0badcafe", 1, true), format)); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// The subscription that ships with a kernel has neither module nor scripts.
func TestEmptyUpdate(t *testing.T) {
	spec := updateSpec("0badcafe", 0, false)
	m := spec.Manifest
	m.Module, m.ModuleFile, m.ModuleSHA256, m.Objects, m.Patches, m.Fixes, m.Description, spec.Files = "", "", "", nil, nil, nil, "", nil
	path := emitUpdate(t, spec, FormatDeb)
	if got := does(t, "dpkg-deb", "-c", path); strings.Contains(got, "0badcafe") || !strings.Contains(got, updateBuild) {
		t.Errorf("files:\n%s", got)
	}
	if got := does(t, "rpm", "-qp", "--scripts", emitUpdate(t, spec, FormatRPM)); strings.Contains(got, "scriptlet") {
		t.Errorf("scripts:\n%s", got)
	}
}

func TestSameSpecSameBytes(t *testing.T) {
	for _, format := range []Format{FormatDeb, FormatRPM} {
		emitters := map[string]func() string{
			"update": func() string { return emitUpdate(t, updateSpec("0badcafe", 2, false), format) },
			"host":   func() string { return emitHost(t, format) },
		}
		for name, emit := range emitters {
			t.Run(format.String()+" "+name, func(t *testing.T) {
				first, err := os.ReadFile(emit())
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(1100 * time.Millisecond) // a time of day would have to show
				second, err := os.ReadFile(emit())
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(first, second) {
					t.Error("two runs gave different bytes")
				}
			})
		}
	}
}

func TestEmissionRefusals(t *testing.T) {
	tests := []struct {
		name  string
		spoil func(*UpdateSpec)
		want  string
	}{
		{"manifest", func(s *UpdateSpec) { s.Manifest.ID = "x" }, `manifest: id is "x"`},
		{"module missing", func(s *UpdateSpec) { delete(s.Files, "livesplice_0badcafe.ko") }, `update "0badcafe": file "livesplice_0badcafe.ko" of the manifest is missing`},
		{"module of other bytes", func(s *UpdateSpec) { s.Files["livesplice_0badcafe.ko"] = nil }, `file "livesplice_0badcafe.ko": its sha256 is e3b0c442`},
		{"patch of other bytes", func(s *UpdateSpec) { s.Files["0001-namei.patch"] = nil }, `file "0001-namei.patch": its sha256 is e3b0c442`},
		{"file too many", func(s *UpdateSpec) { s.Files["../etc/passwd"] = nil }, `file "../etc/passwd" is not in the manifest`},
		{"patch named as the module", func(s *UpdateSpec) { s.Manifest.Patches[0].Name = s.Manifest.ModuleFile }, `two files are named "livesplice_0badcafe.ko"`},
		{"patch named as the manifest", func(s *UpdateSpec) { s.Manifest.Patches[0].Name = "manifest.json" }, `two files are named "manifest.json"`},
		{"module that replaces in a single package", func(s *UpdateSpec) { s.Stack = true }, `update "0badcafe": replace is true`},
		{"no time", func(s *UpdateSpec) { s.MTime = time.Time{} }, "expected a fixed time after 1970"},
		{"no maintainer", func(s *UpdateSpec) { s.Maintainer = "nobody" }, `maintainer "nobody": expected "Name <mail@host>"`},
	}
	for _, tt := range tests {
		for _, format := range []Format{FormatDeb, FormatRPM} {
			t.Run(tt.name+" "+format.String(), func(t *testing.T) {
				spec, out := updateSpec("0badcafe", 1, false), t.TempDir()
				tt.spoil(&spec)
				_, err := EmitUpdate(context.Background(), spec, format, out)
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("error %v, want %q", err, tt.want)
				}
				left, err := os.ReadDir(out)
				if err != nil || len(left) > 0 {
					t.Errorf("left in the folder: %v, %v", left, err)
				}
			})
		}
	}
}

// A file appears whole or not at all.
func TestEmissionThatIsInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	out := t.TempDir()
	if _, err := EmitUpdate(ctx, updateSpec("0badcafe", 1, false), FormatDeb, out); err == nil {
		t.Error("no error")
	}
	if left, err := os.ReadDir(out); err != nil || len(left) > 0 {
		t.Errorf("left in the folder: %v, %v", left, err)
	}
	if _, err := EmitUpdate(context.Background(), updateSpec("0badcafe", 1, false), FormatInvalid, out); err == nil || !strings.Contains(err.Error(), "want deb or rpm") {
		t.Errorf("format invalid: %v", err)
	}
}

func TestHostRefusals(t *testing.T) {
	spec := HostSpec{Program: "/bin/sh", Version: "0.1.0", Arch: "amd64", Maintainer: "Nobody <nobody@example.org>", MTime: emitTime}
	check := func(want string) {
		t.Helper()
		if _, err := EmitHost(context.Background(), spec, FormatDeb, t.TempDir()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	check(`file "/bin/sh": a dynamically linked program, want a statically linked splicectl`)
	spec.Program = "/etc/passwd"
	check(`file "/etc/passwd": want the splicectl program, an ELF file: bad magic number`)
	spec.Version = "0.1-2"
	check(`version "0.1-2": expected`)
}

func TestSourceDateEpoch(t *testing.T) {
	for text, want := range map[string]string{"": "2026-03-04T05:06:07Z", "1700000000": "2023-11-14T22:13:20Z", "soon": "", "-1": ""} {
		t.Setenv("SOURCE_DATE_EPOCH", text)
		got, err := SourceDateEpoch(emitTime)
		if (err != nil) != (want == "") || (err == nil && got.Format(time.RFC3339) != want) {
			t.Errorf("%q: %v, %v, want %q", text, got, err, want)
		}
	}
}

func TestMaintainer(t *testing.T) {
	for _, tt := range []struct{ name, mail, want string }{
		{"", "", "livesplice <livesplice@example.org>"},
		{"A. Packager", "", "livesplice <livesplice@example.org>"},
		{"", "a@debian.example", "livesplice <livesplice@example.org>"},
		{"A. Packager", "a@debian.example", "A. Packager <a@debian.example>"},
	} {
		t.Setenv("DEBFULLNAME", tt.name)
		t.Setenv("DEBEMAIL", tt.mail)
		if got := Maintainer(); got != tt.want {
			t.Errorf("DEBFULLNAME=%q DEBEMAIL=%q: %q, want %q", tt.name, tt.mail, got, tt.want)
		}
	}
}

func TestLintianFindsNoFault(t *testing.T) {
	for name, path := range map[string]string{"update": emitUpdate(t, updateSpec("0badcafe", 2, false), FormatDeb), "host": emitHost(t, FormatDeb)} {
		t.Run(name, func(t *testing.T) {
			out, err := try(t, "lintian", "--allow-root", "--fail-on", "error,warning", path)
			if err != nil {
				t.Errorf("lintian: %v\n%s", err, out)
			}
		})
	}
}

func TestScriptsAreShell(t *testing.T) {
	entries, err := emittedFiles.ReadDir("scripts")
	if err != nil || len(entries) != 11 {
		t.Fatalf("%d scripts, %v", len(entries), err)
	}
	for _, e := range entries {
		does(t, "dash", "-n", filepath.Join("scripts", e.Name()))
	}
}
