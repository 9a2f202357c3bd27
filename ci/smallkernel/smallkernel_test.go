package smallkernel

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"livesplice/pipeline"
	"livesplice/pipeline/cache"
	"livesplice/pkgfmt"
)

func small(t *testing.T) *Kernel {
	t.Helper()
	k, err := Build(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// TestConfig compares what was asked for with what kbuild made of it: an option with a dependency that is not met is
// dropped without a word.
func TestConfig(t *testing.T) {
	k := small(t)
	got, err := os.ReadFile(filepath.Join(k.Object, ".config"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(k.Config) {
		if strings.HasPrefix(line, "CONFIG_") && !strings.Contains("\n"+string(got), "\n"+line) {
			t.Errorf("%snot in .config", line)
		}
	}
}

// TestPackages: tree and packages are of one build, which can be spliced. readelf is the oracle of the build-id.
func TestPackages(t *testing.T) {
	k := small(t)
	notes, err := exec.Command("readelf", "-n", filepath.Join(k.Object, "vmlinux")).Output()
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`Build ID: ([0-9a-f]{40})`).FindSubmatch(notes)
	if m == nil {
		t.Fatalf("no build-id in vmlinux:\n%s", notes)
	}
	c, err := cache.Open("")
	if err != nil {
		t.Fatal(err)
	}
	for _, paths := range [][]string{{k.Image, k.Headers}, {k.RPM}} {
		open := pkgfmt.OpenKernel
		if len(paths) == 1 { // binrpm-pkg of 6.1 makes no package of headers
			open = pkgfmt.OpenImage
		}
		got, err := open(t.Context(), c, paths)
		if err != nil {
			t.Fatal(err)
		}
		if got.Release != k.Release || got.BuildID.String() != string(m[1]) {
			t.Errorf("%s: release %s, build-id %s; want %s, %s", paths[0], got.Release, got.BuildID, k.Release, m[1])
		}
		unmet, refused, err := pipeline.Requirements(got)
		if err != nil || len(unmet) > 0 || len(refused) > 0 {
			t.Errorf("%s: requirements: %v, %v, %v", paths[0], unmet, refused, err)
		}
	}
}
