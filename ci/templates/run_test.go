package templates

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"livesplice/ci/archive"
	"livesplice/ci/smallkernel"
)

// gitLabScript and gitHubScript are what the runners' shells are given.
func gitLabScript(t *testing.T) string {
	t.Helper()
	job := readYAML(t, gitlab)["livesplice"].(map[string]any)
	var lines []string
	for _, l := range job["script"].([]any) {
		lines = append(lines, l.(string))
	}
	return strings.Join(lines, "\n")
}

func gitHubScript(t *testing.T) string {
	t.Helper()
	update := readYAML(t, github)["jobs"].(map[string]any)["update"].(map[string]any)
	for _, s := range update["steps"].([]any) {
		if script, ok := s.(map[string]any)["run"].(string); ok {
			return script
		}
	}
	t.Fatalf("%s: no step runs a script", github)
	return ""
}

// jenkinsScript is what the step sh is given, in both of its calls.
func jenkinsScript(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(jenkins)
	if err != nil {
		t.Fatal(err)
	}
	create := regexp.MustCompile(`(?s)'''(.*?)'''`).FindSubmatch(text)
	verify := regexp.MustCompile(`sh '(.*?)'`).FindSubmatch(text)
	if create == nil || verify == nil {
		t.Fatalf("%s: no commands", jenkins)
	}
	return string(create[1]) + "\n" + string(verify[1])
}

// runner runs a script as both runners do, with a folder before PATH.
func runner(t *testing.T, dir, bin, script string) (stdout string, code int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "bash", "-eo", "pipefail", "-c", script)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"))
	out, err := cmd.Output()
	if exit, ok := err.(*exec.ExitError); ok {
		return string(out) + string(exit.Stderr), exit.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	return string(out), 0
}

// standIn writes a shell script livesplice.
func standIn(t *testing.T, dir, script string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "livesplice"), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
}

// TestExitCodes: with a stand-in that ends as livesplice can, annotations are made all the same, and the job's exit code is
// the one that the file promises.
func TestExitCodes(t *testing.T) {
	bin := t.TempDir()
	standIn(t, bin, `case $1 in
		create) echo result; exit "$(cat code)" ;;
		annotate) echo "annotated $(cat "$4") as $3" ;;
		verify) exit "$(cat verify)" ;;
		esac`)
	// GitLab takes 3 itself for a warning: allow_failure.
	for _, tt := range []struct{ create, verify, gitlab, github int }{
		{0, 0, 0, 0}, {0, 4, 4, 4}, {0, 1, 1, 1}, {1, 9, 1, 1}, {2, 9, 2, 2}, {3, 9, 3, 0}, {4, 9, 4, 4}, {5, 9, 5, 5}, {6, 9, 6, 6},
	} {
		dir := t.TempDir()
		for name, code := range map[string]int{"code": tt.create, "verify": tt.verify} {
			if err := os.WriteFile(filepath.Join(dir, name), fmt.Append(nil, code), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		_, got := runner(t, dir, bin, gitLabScript(t))
		report, err := os.ReadFile(filepath.Join(dir, "codequality.json"))
		if err != nil || got != tt.gitlab || string(report) != "annotated result as gitlab\n" {
			t.Errorf("GitLab: create ended with %d, verify with %d: the job with %d, want %d; %v, report %q", tt.create, tt.verify, got, tt.gitlab, err, report)
		}
		out, got := runner(t, dir, bin, gitHubScript(t))
		if got != tt.github || out != "annotated result as github\n" {
			t.Errorf("GitHub: create ended with %d, verify with %d: the job with %d, want %d; output %q", tt.create, tt.verify, got, tt.github, out)
		}
	}
}

// tools is a folder with livesplice, built.
var tools = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "livesplice-templates-")
	if err != nil {
		return "", err
	}
	built = dir
	if out, err := exec.Command("go", "build", "-o", dir, "livesplice/cmd/livesplice").CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return dir, nil
})

var built string

func TestMain(m *testing.M) {
	code := m.Run()
	if built != "" {
		os.RemoveAll(built)
	}
	os.Exit(code)
}

// livesplice is the folder that it is built in.
func livesplice(t *testing.T) string {
	t.Helper()
	dir, err := tools()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

const change = "../../testdata/patches/proc-version-spliced.patch"

// TestScripts runs what each job runs on a kernel of the archive.
func TestScripts(t *testing.T) {
	kernels, err := archive.Kernels(t.Context(), "6.1")
	if err != nil {
		t.Fatal(err)
	}
	kernel, err := archive.Before(kernels, "6.1.192-1") // that of ci/e2e, which is in the cache then
	if err != nil {
		t.Fatal(err)
	}
	f, err := kernel.Fetch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	patch, err := filepath.Abs(change)
	if err != nil {
		t.Fatal(err)
	}
	// verify itself, which ci/e2e tests, is only called for another kernel's package: it ends before it starts a machine.
	k, err := smallkernel.Build(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	standIn(t, bin, `real="`+livesplice(t)+`/livesplice"
		[ "$1" = verify ] || exec "$real" "$@"
		echo "$*" >verified
		rm kernel/*; ln -s "`+k.Image+`" kernel
		"$real" "$1" "$2" "$3" "$4" kernel/*.deb 2>message || [ $? = 5 ]`)
	verified := "verify --junit verify.xml dist/linux-livesplice-" + kernel.Release + "_1_amd64.deb kernel/" + strings.Join(
		[]string{filepath.Base(f.Headers), filepath.Base(f.HeadersCommon), filepath.Base(f.Image)}, " kernel/") + "\n"
	for _, tt := range []struct{ name, script, report string }{
		{"gitlab", gitLabScript(t), "[]"}, // no findings
		{"github", gitHubScript(t), ""},
		{"jenkins", jenkinsScript(t), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			good(t, "coreutils", "sh", "-ec", `cd "$1"; mkdir kernel source patches; ln -s "$2" "$3" "$4" kernel; ln -s "$5" source; ln -s "$6" patches`, "sh",
				dir, f.Image, f.Headers, f.HeadersCommon, f.Source, patch)
			out, code := runner(t, dir, bin, tt.script)
			if code != 0 {
				t.Fatalf("exit code %d\n%s", code, out)
			}
			for name, want := range map[string]string{"verified": verified, "message": "an update of kernel " + kernel.Release, "verify.xml": "<testsuite "} {
				if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !strings.Contains(string(got), want) {
					t.Errorf("%s: %v, %q, want %q", name, err, got, want)
				}
			}
			text, err := os.ReadFile(filepath.Join(dir, "result.json"))
			if err != nil {
				t.Fatal(err)
			}
			var result struct{ ID, Release string }
			if err := json.Unmarshal(text, &result); err != nil || result.ID == "" || result.Release != kernel.Release {
				t.Errorf("result.json: %v\n%s", err, text)
			}
			if report, _ := os.ReadFile(filepath.Join(dir, "codequality.json")); strings.TrimSpace(string(report)) != tt.report {
				t.Errorf("codequality.json: %q, want %q", report, tt.report)
			}
			for _, pattern := range []string{"dist/linux-livesplice-*.deb", "dist/kernel-livesplice-*.rpm"} {
				if found, err := filepath.Glob(filepath.Join(dir, pattern)); err != nil || len(found) != 1 {
					t.Errorf("%d files %s, want one", len(found), pattern)
				}
			}
		})
	}
}

// TestSpecBuilds makes the small kernel's update by rpmbuild of the spec file, and by livesplice alone: both packages have the
// same files, scripts and relations, but for the shell, which rpmbuild lets it require.
func TestSpecBuilds(t *testing.T) {
	k, err := smallkernel.Build(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	const script = `PATH=$1:$PATH
		text=$(cat koji-copr/kernel-livesplice.spec) spec=$2/kernel-livesplice.spec
		printf '%s\n' "$text" | sed "s/^%global kernel_release .*/%global kernel_release $3/" >"$spec"
		change=$(realpath "$8"); cd "$2"
		# The kernel as RPM distributions install it.
		mkdir -p root/usr/src/kernels headers
		rpm2cpio "$4" | cpio --extract --make-directories --quiet --directory root
		mv "root/boot/vmlinuz-$3" "root/lib/modules/$3/vmlinuz"
		mv "root/boot/config-$3" "root/lib/modules/$3/config"
		dpkg-deb --extract "$5" headers
		mv "headers/usr/src/linux-headers-$3" "root/usr/src/kernels/$3"
		ln -s "$6" "linux-$3.tar.xz"; cp "$change" fix.patch
		rpmbuild -bb --quiet --nodeps --define "_topdir $2/rpm" --define "_sourcedir $2" --define "kernel_root $2/root" "$spec"
		livesplice create --source "$6" --kernel "$2/root" --id 00000001 --revision 1 --format rpm --out own fix.patch
		for p in rpm/RPMS/*/*.rpm own/*.rpm; do
			echo "$7"
			rpm -qp --qf '%{NAME} %{VERSION} %{ARCH}\n[%{FILENAMES} %{FILEMODES:perms} %{FILEDIGESTS}\n]' "$p"
			rpm -qp --scripts "$p" | sed '/^$/d'; rpm -qp --requires --suggests --conflicts --obsoletes "$p" | grep -vxE 'rpmlib.*|/bin/sh'
		done`
	const mark = "==== package"
	out := good(t, "rpm", "sh", "-ec", script, "sh", livesplice(t), t.TempDir(), k.Release, k.RPM, k.Headers, k.Source, mark, change)
	packages := strings.Split(out, mark+"\n")
	if len(packages) != 3 || !strings.Contains(packages[1], "kernel-livesplice-"+k.Release+" 1 x86_64\n") || packages[1] != packages[2] {
		t.Errorf("rpmbuild and livesplice make different packages:\n%s", out)
	}
}
