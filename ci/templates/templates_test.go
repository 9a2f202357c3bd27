// Package templates holds each ready file against the schema or the linter of the system that it is for, and runs what can be
// run of it.
package templates

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

// good runs a checker, which must end well; a missing one fails the test with its package's name.
func good(t *testing.T, pkg string, words ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), words[0], words[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%q (Debian package %s): %v\n%s", words, pkg, err, out)
	}
	return string(out)
}

// damaged is a copy of a file in which old became new.
func damaged(t *testing.T, file, old, new string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(text, []byte(old)) {
		t.Fatalf("%s: no %q in it", file, old)
	}
	path := filepath.Join(t.TempDir(), filepath.Base(file))
	if err := os.WriteFile(path, bytes.ReplaceAll(text, []byte(old), []byte(new)), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// bad runs a checker on a damaged file: it has to find what is wrong, and to say want.
func bad(t *testing.T, file, want string, words ...string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), words[0], append(words[1:], file)...).CombinedOutput()
	if _, exit := err.(*exec.ExitError); !exit || !strings.Contains(string(out), want) {
		t.Errorf("%q: %v, want %q in\n%s", words, err, want, out)
	}
}

const (
	gitlab  = "gitlab/livesplice.gitlab-ci.yml"
	github  = "github/livesplice.yml"
	jenkins = "jenkins/Jenkinsfile"
	spec    = "koji-copr/kernel-livesplice.spec"
)

// readYAML reads a file as the schema's checker takes it.
func readYAML(t *testing.T, file string) map[string]any {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var v map[string]any
	if err := yaml.Unmarshal(text, &v); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return v
}

func TestGitLabSchema(t *testing.T) {
	schema, err := jsonschema.NewCompiler().Compile("testdata/gitlab-ci.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(readYAML(t, gitlab)); err != nil {
		t.Error(err)
	}
	err = schema.Validate(readYAML(t, damaged(t, gitlab, "exit_codes: [3]", "exit_codes: [three]")))
	if err == nil || !strings.Contains(err.Error(), "exit_codes") {
		t.Errorf("an exit code that is no number: %v", err)
	}
}

func TestGitHubLint(t *testing.T) {
	words := []string{"go", "run", "github.com/rhysd/actionlint/cmd/actionlint@v1.7.7"}
	good(t, "golang-go", append(words, github)...)
	bad(t, damaged(t, github, "runs-on:", "run-on:"), `unexpected key "run-on"`, words...)
}

// TestJenkins: what becomes of a build is a matter of livesplice's exit code.
func TestJenkins(t *testing.T) {
	got := good(t, "groovy", "groovy", "testdata/jenkins.groovy", "0", "2", "3", "4", "5", "6", jenkins)
	if want := "0 SUCCESS\n2 FAILURE\n3 NOT_BUILT\n4 UNSTABLE\n5 FAILURE\n6 FAILURE\n"; got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	bad(t, damaged(t, jenkins, "post {", "pots {"), "No signature of method: Jenkinsfile.pots()", "groovy", "testdata/jenkins.groovy", "0")
}

func TestOBS(t *testing.T) {
	const file = "obs/_service"
	words := []string{"xmllint", "--noout", "--relaxng", "testdata/service.rng"}
	good(t, "libxml2-utils", append(words, file)...)
	bad(t, damaged(t, file, `<service name=`, `<service nmae=`), "failed to validate attributes", words...)
}

func TestSpecParses(t *testing.T) {
	out := good(t, "rpm", "rpmspec", "--parse", spec)
	if !strings.Contains(out, "undo --forget 00000001") {
		t.Errorf("rpmspec --parse: the ID is not in the scripts:\n%s", out)
	}
	bad(t, damaged(t, spec, "ExclusiveArch:", "ExclusivArch:"), "Unknown tag", "rpmspec", "--parse")
	out = good(t, "make", "make", "-n", "-C", "koji-copr", "srpm", "koji", "outdir=/srpms")
	if !strings.Contains(out, "koji build --wait el9 /srpms/kernel-livesplice-*.src.rpm") {
		t.Errorf("make koji:\n%s", out)
	}
}
