package source

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"livesplice/pipeline/process"
	"livesplice/pkgfmt"
)

// specHead is a kernel.spec as far as its %prep.
const specHead = `Name: kernel
Version: 6.1.190
Release: 7
Summary: a kernel
License: GPLv2
Source0: linux-6.1.190.tar
Patch1: fix.patch
BuildRequires: what-no-machine-has
%description
A kernel.
%prep
%setup -q -n kernel-6.1.190 -c
`

const fixPatch = "--- a/fs/a.c\n+++ b/fs/a.c\n@@ -1 +1 @@\n-int a;\n+int b;\n"

// buildRPM makes a source rpm, or with "-bb" a binary one, of specHead and what follows it.
func buildRPM(t *testing.T, how, rest string) string {
	t.Helper()
	dir := t.TempDir()
	for name, data := range map[string][]byte{
		"kernel.spec": []byte(specHead + rest), "fix.patch": []byte(fixPatch), "linux-6.1.190.tar": tarOf(t, tree("linux-6.1.190/")),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	_, err := process.Run(t.Context(), process.Cmd{Path: "rpmbuild", Args: []string{how, "--nodeps", "--quiet", "--define", "_topdir " + dir,
		"--define", "_sourcedir " + dir, "--define", "_dbpath " + dir + "/db", filepath.Join(dir, "kernel.spec")}})
	if err != nil {
		t.Fatal(err)
	}
	found, err := filepath.Glob(filepath.Join(dir, "*RPMS", "*.rpm"))
	if more, _ := filepath.Glob(filepath.Join(dir, "RPMS", "*", "*.rpm")); len(more) > 0 {
		found = append(found, more...)
	}
	if err != nil || len(found) != 1 {
		t.Fatalf("rpmbuild made %q, %v", found, err)
	}
	return found[0]
}

func TestSourceRPM(t *testing.T) {
	// As Red Hat's %prep: a folder of the package's own around the source, a copy without patches, a configuration.
	path := buildRPM(t, "-bs", `mv linux-6.1.190 vanilla-6.1.190
cp -a vanilla-6.1.190 linux-6.1.190-7
cd linux-6.1.190-7
patch -p1 < %{PATCH1}
touch .config
mkdir -p include/generated arch/x86/include/generated
`)
	c := testCache(t)
	tr, err := Open(t.Context(), c, path)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(filepath.Join(tr.Dir, "fs/a.c")); err != nil || string(b) != "int b;\n" {
		t.Errorf("fs/a.c: %q, %v, want the patched one", b, err)
	}
	if tr.Version.String() != "6.1.190" || tr.PackageVersion != "" || !strings.HasPrefix(tr.Dir, c.Root()) || len(tr.ID) != 64 {
		t.Errorf("tree %+v", tr)
	}
	for _, gone := range []string{".config", "include/generated", "arch/x86/include/generated", "../rpm"} {
		if _, err := os.Lstat(filepath.Join(tr.Dir, gone)); !os.IsNotExist(err) {
			t.Errorf("%s: %v, want it gone", gone, err)
		}
	}
}

func TestSourceRPMRefusals(t *testing.T) {
	for _, tc := range []struct {
		name, how, rest string
		want            string
	}{
		{"a binary rpm", "-bb", "%files\n", "an rpm of x86_64, want kernel source: "},
		{"%prep that fails", "-bs", "echo no such tool here >&2\nexit 3\n", "the folder that rpmbuild -bp makes of it elsewhere: no such tool here"},
		{"no kernel", "-bs", "rm -r linux-6.1.190\n", "a source rpm without a kernel's source in it"},
		{"two kernels", "-bs", "cp -a linux-6.1.190 linux-b\n", "a source rpm with several: kernel-6.1.190/linux-6.1.190, kernel-6.1.190/linux-b"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := buildRPM(t, tc.how, tc.rest)
			c := testCache(t)
			_, err := Open(t.Context(), c, path)
			var input *pkgfmt.InputError
			if !errors.As(err, &input) || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("got %v, want *pkgfmt.InputError with %q", err, tc.want)
			}
			if left, err := filepath.Glob(filepath.Join(c.Root(), "source", "[^.]*")); err != nil || len(left) != 0 {
				t.Errorf("left in the cache: %q, %v", left, err)
			}
		})
	}
}

func TestPrepReason(t *testing.T) {
	for stderr, want := range map[string]string{
		"": "rpmbuild does not say why it failed",
		"+ cd linux\n+ python3 x.py\n/var/tmp/rpm-tmp.x: line 40: python3: command not found\n+ exit 127\nerror: Bad exit status from /var/tmp/rpm-tmp.x (%prep)\n\nRPM build errors:\n": "/var/tmp/rpm-tmp.x: line 40: python3: command not found",
		"warning: bogus date\nerror: Architecture is not included: x86_64\n": "Architecture is not included: x86_64",
	} {
		if got := prepReason(stderr); got != want {
			t.Errorf("of %q: %q, want %q", stderr, got, want)
		}
	}
}
