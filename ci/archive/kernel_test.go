package archive

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func stanza(name, ver string) string {
	return fmt.Sprintf("Package: %s\nVersion: %s\nArchitecture: amd64\nFilename: pool/x.deb\nSize: 7\nSHA256: %s\nDescription: x\n more\n\n",
		name, ver, strings.Repeat("ab", 32))
}

func TestParsePackages(t *testing.T) {
	sum := strings.Repeat("ab", 32)
	in := stanza("bc", "1.07.1-3+b1") + stanza("bc", "1.07.1-3+b1") +
		"Package: dc\nStatus: install ok installed\nVersion: 1\n\n" + stanza("bc", "2:1.08-1")
	got, err := parsePackages(strings.NewReader(in))
	if err != nil {
		t.Fatal(err)
	}
	want := []pkg{
		{"bc", "amd64", mustVersion(t, "1.07.1-3+b1"), 7, sum, ""},
		{"bc", "amd64", mustVersion(t, "2:1.08-1"), 7, sum, ""},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	for i, name := range []string{"bc_1.07.1-3+b1_amd64.deb", "bc_1.08-1_amd64.deb"} {
		if got[i].fileName() != name {
			t.Errorf("file name %q, want %q", got[i].fileName(), name)
		}
	}
}

func TestParsePackagesRejects(t *testing.T) {
	for name, tc := range map[string]struct{ old, new, want string }{
		"short hash":   {strings.Repeat("ab", 32), "abab", `apt-cache show: package "bc": SHA256 "abab": want 64 hex digits`},
		"no size":      {"Size: 7\n", "", `apt-cache show: package "bc": size "": want a positive number of bytes`},
		"path as name": {"Package: bc", "Package: ../bc", `apt-cache show: package "../bc": not a package name`},
	} {
		in := strings.Replace(stanza("bc", "1"), tc.old, tc.new, 1)
		if _, err := parsePackages(strings.NewReader(in)); err == nil || err.Error() != tc.want {
			t.Errorf("%s: error %v, want %s", name, err, tc.want)
		}
	}
}

func TestWholeKernels(t *testing.T) {
	names := []string{
		"linux-image-6.1.0-9-amd64", "linux-headers-6.1.0-9-amd64", "linux-headers-6.1.0-9-common",
		"linux-image-6.1.0-10-amd64", "linux-headers-6.1.0-10-amd64", "linux-headers-6.1.0-10-common",
		"linux-image-6.1.0-10-amd64-unsigned",
		"linux-image-6.1.0-10-cloud-amd64", "linux-headers-6.1.0-10-cloud-amd64",
		"linux-image-6.1.0-10-rt-amd64", "linux-headers-6.1.0-10-rt-amd64", "linux-headers-6.1.0-10-common-rt",
		"linux-image-6.1.0-11-amd64", // no headers
		"linux-image-6.12.1+bpo-amd64", "linux-headers-6.12.1+bpo-amd64", "linux-headers-6.12.1+bpo-common",
		"linux-image-amd64", "linux-headers-6.1-nothing",
	}
	abis := wholeABIs(names, "6.1")
	if want := []string{"6.1.0-9", "6.1.0-10"}; !slices.Equal(abis, want) {
		t.Fatalf("ABIs %v, want %v", abis, want)
	}

	var in strings.Builder
	for _, p := range []struct{ name, version string }{
		{"linux-source-6.1", "6.1.100-1"}, {"linux-source-6.1", "6.1.27-1"}, {"linux-source-6.1", "6.1.100-1~bpo1"},
		{"linux-image-6.1.0-10-amd64", "6.1.100-1"}, {"linux-image-6.1.0-10-amd64", "6.1.100-1~bpo1"},
		{"linux-image-6.1.0-10-amd64", "6.1.101-1"}, // no source
		{"linux-headers-6.1.0-10-amd64", "6.1.100-1"}, {"linux-headers-6.1.0-10-amd64", "6.1.100-1~bpo1"},
		{"linux-headers-6.1.0-10-amd64", "6.1.101-1"},
		{"linux-headers-6.1.0-10-common", "6.1.100-1"}, {"linux-headers-6.1.0-10-common", "6.1.100-1~bpo1"},
		{"linux-headers-6.1.0-10-common", "6.1.101-1"},
		{"linux-image-6.1.0-9-amd64", "6.1.27-1"}, {"linux-headers-6.1.0-9-amd64", "6.1.27-1"},
		{"linux-headers-6.1.0-9-common", "6.1.27-1"},
	} {
		in.WriteString(stanza(p.name, p.version))
	}
	pkgs, err := parsePackages(strings.NewReader(in.String()))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, k := range wholeKernels(pkgs, "6.1", abis) {
		got = append(got, k.Release+" "+k.Version)
	}
	want := []string{"6.1.0-9-amd64 6.1.27-1", "6.1.0-10-amd64 6.1.100-1~bpo1", "6.1.0-10-amd64 6.1.100-1"}
	if !slices.Equal(got, want) {
		t.Errorf("kernels %q, want %q", got, want)
	}
}

func FuzzParsePackages(f *testing.F) {
	f.Add(stanza("bc", "1.07.1-3+b1") + stanza("linux-source-6.1", "2:6.1.27-1"))
	f.Add("Package: bc\n continued\n\n\n#\nFilename:\n")
	f.Fuzz(func(t *testing.T, in string) {
		pkgs, err := parsePackages(strings.NewReader(in))
		for _, p := range pkgs {
			if err != nil || strings.Contains(p.fileName(), "/") || p.Size <= 0 {
				t.Errorf("package %+v (error %v)", p, err)
			}
		}
	})
}
