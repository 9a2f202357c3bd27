package rebuild

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"livesplice/kconfig"
	"livesplice/pipeline/cache"
	"livesplice/pipeline/process"
)

// The launchers' daemons run on the loopback of this machine. Objects are compared byte by byte with those that the
// compiler makes by itself.

// launched are the notes of a tree with a launcher.
type launched struct {
	tree  *Tree
	notes []string
}

// openFolder is a temporary folder that every user can write to, by a path without a comma: daemons run as a user of their
// own, and -Wp, ends at a comma.
func openFolder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "livesplice-launcher-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	return dir
}

func (l *launched) silent(t *testing.T) {
	t.Helper()
	if len(l.notes) > 0 {
		t.Errorf("notes %q", l.notes)
	}
}

// launchedSource has what preprocessing apart could change: headers, macros in macros, and the names of files.
const launchedSource = `#include <stdio.h>
#include "x.h"
#define OUTER(n) INNER((n) + 1)
#define INNER(n) do { if ((n) > LIMIT) printf("%s:%d %s\n", __FILE__, __LINE__, #n); } while (0)
static int counter = 3;
int f(int n) { OUTER(n); return n + counter++; }
int g(int n) { while (n--) OUTER(f(n)); return n; }
`

func TestLaunchers(t *testing.T) {
	_, direct := small(t, launchedSource, "env")
	want, err := direct()
	if err != nil {
		t.Fatal(err)
	}
	check := func(t *testing.T, command string) *launched {
		t.Helper()
		l, compile := small(t, launchedSource, command)
		if got, err := compile(); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes, %v; not the compiler's %d", len(got), err, len(want))
		}
		return l
	}
	t.Run("ccache", func(t *testing.T) {
		t.Setenv("CCACHE_DIR", t.TempDir())
		l, compile := small(t, launchedSource, "ccache")
		for _, hits := range []int{0, 1} {
			if got, err := compile(); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%d bytes, %v; not the compiler's %d", len(got), err, len(want))
			}
			if got := ccacheHits(t); got != hits {
				t.Errorf("%d hits, want %d", got, hits)
			}
		}
		l.silent(t)
	})
	// ccache would have the compiler see relative paths, which __FILE__ has in it.
	t.Run("ccache with a base_dir in the environment", func(t *testing.T) {
		t.Setenv("CCACHE_DIR", t.TempDir())
		t.Setenv("CCACHE_BASEDIR", "/")
		check(t, "ccache").silent(t)
	})
	t.Run("ccache with a base_dir in its file", func(t *testing.T) {
		dir := t.TempDir()
		t.Setenv("CCACHE_DIR", dir)
		if err := os.WriteFile(filepath.Join(dir, "ccache.conf"), []byte("base_dir = /\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		check(t, "ccache").silent(t)
	})
	// Nor may it leave out a header that has changed.
	t.Run("ccache that is sloppy", func(t *testing.T) {
		dir := t.TempDir()
		t.Setenv("CCACHE_DIR", dir)
		t.Setenv("CCACHE_IGNOREHEADERS", "/")
		t.Setenv("CCACHE_NOHASHDIR", "1")
		if err := os.WriteFile(filepath.Join(dir, "ccache.conf"), []byte("ignore_options = -D* -I*\nsloppiness = include_file_mtime,file_stat_matches\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		l := check(t, "ccache")
		for _, setting := range []string{"base_dir = ", "sloppiness = ", "ignore_options = ", "ignore_headers_in_manifest = ", "hash_dir = true"} {
			cmd := exec.Command("ccache", "--show-config")
			cmd.Env = l.tree.launcher.env
			out, err := cmd.Output()
			if err != nil || !strings.Contains(string(out), ") "+setting+"\n") {
				t.Errorf("not %q: %v\n%s", setting, err, out)
			}
		}
	})
	t.Run("distcc", func(t *testing.T) {
		port, log := freePort(t), filepath.Join(openFolder(t), "log")
		daemon(t, port, "distccd", "--no-detach", "--daemon", "--listen", "127.0.0.1", "--allow", "127.0.0.1", "--port", strconv.Itoa(port), "--jobs", "2",
			"--log-file", log, "--log-level", "info", "--user", "nobody")
		t.Setenv("DISTCC_DIR", t.TempDir())
		t.Setenv("DISTCC_HOSTS", "127.0.0.1:"+strconv.Itoa(port))
		t.Setenv("DISTCC_FALLBACK", "0") // so that nothing is compiled here
		check(t, "distcc").silent(t)
		awaitText(t, log, "COMPILE_OK")
	})
	t.Run("distcc without its daemon", func(t *testing.T) {
		t.Setenv("DISTCC_DIR", t.TempDir())
		t.Setenv("DISTCC_HOSTS", "127.0.0.1:"+strconv.Itoa(freePort(t)))
		check(t, "distcc").silent(t) // it compiles here by itself
		t.Setenv("DISTCC_FALLBACK", "0")
		l := check(t, "distcc")
		if len(l.notes) != 1 || !strings.HasPrefix(l.notes[0], `launcher "distcc": `) || !strings.HasSuffix(l.notes[0], "the compiler runs without it where that happens") {
			t.Errorf("notes %q, want one", l.notes)
		}
	})
	t.Run("icecc", func(t *testing.T) {
		dir := openFolder(t)
		port := freePort(t)
		daemon(t, port, "icecc-scheduler", "--port", strconv.Itoa(port), "--netname", "livesplice", "--log-file", filepath.Join(dir, "scheduler.log"), "-vvv")
		daemon(t, 0, "iceccd", "--scheduler-host", "127.0.0.1:"+strconv.Itoa(port), "--netname", "livesplice", "--env-basedir", filepath.Join(dir, "envs"), "--max-processes", "2",
			"--log-file", filepath.Join(dir, "iceccd.log"), "-vvv", "--name", "livesplice-test")
		awaitText(t, filepath.Join(dir, "scheduler.log"), "login")
		check(t, "icecc").silent(t)
		awaitText(t, filepath.Join(dir, "scheduler.log"), "END 1 status=0")
	})
}

// ccacheHits asks ccache.
func ccacheHits(t *testing.T) int {
	t.Helper()
	out, err := exec.Command("ccache", "--print-stats").Output()
	if err != nil {
		t.Fatalf("program \"ccache\" (Debian package ccache): %v", err)
	}
	hits := 0
	for _, m := range regexp.MustCompile(`(?m)^(?:direct|preprocessed)_cache_hit\t(\d+)$`).FindAllStringSubmatch(string(out), -1) {
		n, err := strconv.Atoi(m[1])
		if err != nil {
			t.Fatal(err)
		}
		hits += n
	}
	return hits
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// daemon starts a program that is killed with its children at the end of the test, and waits until it listens.
func daemon(t *testing.T, port int, program string, args ...string) {
	t.Helper()
	path, err := process.Look(program)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
	})
	for end := time.Now().Add(time.Minute); port > 0; time.Sleep(20 * time.Millisecond) {
		if c, err := net.Dial("tcp", "127.0.0.1:"+strconv.Itoa(port)); err == nil {
			c.Close()
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s does not listen on port %d:\n%s", program, port, &out)
		}
	}
}

func awaitText(t *testing.T, path, text string) {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		data, err := os.ReadFile(path)
		if err == nil && strings.Contains(string(data), text) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("file %q: no %q in it after a minute: %v\n%s", path, text, err, data)
		}
	}
}

// small is a tree of one C file that needs no kernel, with a launcher.
func small(t *testing.T, source, command string) (*launched, func() ([]byte, error)) {
	t.Helper()
	c, err := cache.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	dir := openFolder(t)
	for name, text := range map[string]string{"x.c": source, "x.h": "#define LIMIT 7\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	l := &launched{tree: &Tree{Source: dir, cache: c, CC: "gcc-12"}}
	l.tree.launcher, err = l.tree.openLauncher(t.Context(), command, func(format string, args ...any) { l.notes = append(l.notes, fmt.Sprintf(format, args...)) })
	if err != nil {
		t.Fatal(err)
	}
	return l, func() ([]byte, error) {
		out := filepath.Join(dir, "x.o")
		deps, err := l.tree.launch(t.Context(), "x.o", dir, slices.Concat([]string{"gcc-12", "-O2", "-pg", "-mfentry", "-fno-pie", "-fmacro-prefix-map=" + dir + "/=", "-fdebug-prefix-map=" + dir + "=/src"},
			sectionFlags, []string{"-c", filepath.Join(dir, "x.c")}), dir, out, new(Cost))
		if err != nil {
			return nil, err
		}
		if len(deps) == 0 || deps[0] != filepath.Join(dir, "x.c") {
			t.Errorf("files read: %q", deps)
		}
		return os.ReadFile(out)
	}
}

// TestLauncherThatFails has scripts in the place of a launcher: each goes wrong in its way, every time.
func TestLauncherThatFails(t *testing.T) {
	const source = "int f(void) { return 3; }\n"
	_, direct := small(t, source, "env")
	want, err := direct()
	if err != nil {
		t.Fatal(err)
	}
	object := `out=$(echo "$*" | sed 's/.* -o \([^ ]*\) .*/\1/'); `
	for _, tc := range []struct{ name, script, note string }{
		{"compiles nothing", "exit 3", "exit code 3"},
		{"says it has compiled", "exit 0", "the compiler left no dependencies"},
		{"is killed", "kill -9 $$", "exit code -1"},
		{"gives an empty object", object + `"$@"; : >"$out"`, `x.o": EOF`},
		{"gives no object", object + `"$@"; rm "$out"`, "no such file or directory"},
		{"is another compiler", object + `"$@"; printf '\0GCC: (Other) 99.0\0' >"$out.x"; objcopy --update-section .comment="$out.x" "$out"`,
			`the object is by another compiler, "GCC: (Other) 99.0" instead of "GCC: (`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "launcher")
			if err := os.WriteFile(path, []byte("#!/bin/sh\n"+tc.script+"\n"), 0o755); err != nil {
				t.Fatal(err)
			}
			l, compile := small(t, source, path)
			for range 2 {
				if got, err := compile(); err != nil || !bytes.Equal(got, want) {
					t.Errorf("%d bytes, %v; want the compiler's %d", len(got), err, len(want))
				}
			}
			if len(l.notes) != 1 || !strings.HasPrefix(l.notes[0], "launcher "+strconv.Quote(path)+": ") || !strings.Contains(l.notes[0], tc.note) {
				t.Errorf("notes %q, want one with %q", l.notes, tc.note)
			}
		})
	}
}

// TestLauncherIsNotToBlame: an error of the source is the compiler's, without a word about the launcher.
func TestLauncherIsNotToBlame(t *testing.T) {
	t.Setenv("CCACHE_DIR", t.TempDir())
	l, compile := small(t, "int f(void) { return no_such_name; }\n", "ccache")
	_, err := compile()
	var build *BuildError
	if !errors.As(err, &build) || !strings.HasPrefix(build.FirstError, "x.c:1:22: error: 'no_such_name' undeclared") || !strings.HasPrefix(build.Command, "gcc-12 ") {
		t.Errorf("error %v", err)
	}
	l.silent(t)
}

func TestLauncherCommand(t *testing.T) {
	c, err := cache.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	tree := &Tree{cache: c, CC: "gcc-12"}
	for _, tc := range []struct{ command, want string }{
		{"no-such-launcher --fast", `flag "--launcher": program "no-such-launcher" is not installed`},
		{"./no-such-launcher", "is not there, or not an executable file"},
		{" ", `flag "--launcher": " " names no program`},
		{"ccache; true", `flag "--launcher": "ccache; true" is more than one command`},
		{"ccache | tee", `flag "--launcher": command needs a shell: '|'`},
	} {
		_, err := tree.openLauncher(t.Context(), tc.command, nil)
		var usage *kconfig.UsageError
		if !errors.As(err, &usage) || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%q: %v, want %q", tc.command, err, tc.want)
		}
	}
	t.Setenv("CCACHE_DIR", "/somewhere")
	t.Setenv("MAKEFLAGS", "-j99")
	l, err := tree.openLauncher(t.Context(), "env 'A=b c' ccache", nil)
	if err != nil {
		t.Fatal(err)
	}
	got := l.before(process.Cmd{Path: "gcc-12", Args: []string{"-c", "x.c"}})
	if want := []string{"A=b c", "ccache", "gcc-12", "-c", "x.c"}; got.Path != "env" || !slices.Equal(got.Args, want) {
		t.Errorf("%s %q, want env %q", got.Path, got.Args, want)
	}
	if lookup(got.Env, "CCACHE_DIR") != "/somewhere" || lookup(got.Env, "MAKEFLAGS") != "" || lookup(got.Env, "LC_ALL") != "C" {
		t.Errorf("environment %q", got.Env)
	}
	if none, err := tree.openLauncher(t.Context(), "", nil); none != nil || err != nil {
		t.Errorf("no launcher: %v, %v", none, err)
	}
}
