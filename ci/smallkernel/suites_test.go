package smallkernel

import (
	"flag"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"livesplice/ci/program"
)

var suites = flag.Bool("suites", false, "build the small kernel of each release, five minutes each, and an update for it")

// TestSuites makes an update by the finished build of each release's kernel: vmlinux with tables that an update brings along, and a module.
// `livesplice verify` applies it, undoes it and removes it in a VM.
func TestSuites(t *testing.T) {
	if !*suites {
		t.Skip("takes an hour: go test -timeout 2h ./ci/smallkernel -run TestSuites -suites")
	}
	livesplice := filepath.Join(t.TempDir(), "livesplice")
	if err := program.Build(t.Context(), livesplice, t.Output()); err != nil {
		t.Fatal(err)
	}
	for _, suite := range Suites {
		t.Run(suite, func(t *testing.T) {
			k, err := BuildSuite(t.Context(), suite)
			if err != nil {
				t.Fatal(err)
			}
			t.Log(k.Release)
			out := t.TempDir()
			run(t, livesplice, append([]string{"create", "--build-tree", k.Object, "--kernel", k.Image, "--out", out}, patchesFor(suite)...)...)
			debs, err := filepath.Glob(filepath.Join(out, "*.deb"))
			if err != nil || len(debs) != 1 {
				t.Fatalf("%q: one .deb wanted, %v", debs, err)
			}
			t.Log(run(t, livesplice, "verify", debs[0], "--kernel", k.Image))
		})
	}
}

func patchesFor(suite string) (files []string) {
	for _, name := range []string{"features-proc-version", "features-d-path", "loop-offset"} {
		if suite == "bullseye" && strings.HasPrefix(name, "features") {
			name += "-5.10"
		}
		files = append(files, filepath.Join("../../testdata/patches", name+".patch"))
	}
	return files
}

func run(t *testing.T, path string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), path, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", args[0], err, out)
	}
	return string(out)
}
