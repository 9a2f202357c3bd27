package process

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func sh(script string) Cmd { return Cmd{Path: "sh", Args: []string{"-c", script}} }

func TestRun(t *testing.T) {
	c := sh("cat; echo err >&2; exit 3")
	var tee bytes.Buffer
	c.Stdin, c.Stdout = strings.NewReader("in"), &tee
	res, err := Run(t.Context(), c)
	var exit *ExitError
	if !errors.As(err, &exit) || exit.Code != 3 || err.Error() != `program "sh": exit code 3: err` {
		t.Errorf("error %v", err)
	}
	if string(res.Stdout) != "in" || tee.String() != "in" || string(res.Stderr) != "err\n" || res.ExitCode != 3 {
		t.Errorf("result %+v, copy %q", res, tee.String())
	}
	if res.Wall <= 0 || res.MaxRSS < 100<<10 {
		t.Errorf("wall %v, memory %d bytes", res.Wall, res.MaxRSS)
	}
}

func TestRunCountsCPUOfChildren(t *testing.T) {
	res, err := Run(t.Context(), sh("sh -c 'i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done'"))
	if err != nil || res.CPU() < 20*time.Millisecond {
		t.Errorf("CPU time %v, %v", res.CPU(), err)
	}
}

// TestCancelKillsTheGroup starts a program whose child ignores the shell's end.
func TestCancelKillsTheGroup(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	pidFile := filepath.Join(t.TempDir(), "pid")
	why := errors.New("the user said so")
	go func() {
		for range 500 {
			if b, err := os.ReadFile(pidFile); err == nil && bytes.HasSuffix(b, []byte("\n")) {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		cancel(why)
	}()
	begin := time.Now()
	_, err := Run(ctx, sh("trap '' TERM; sh -c 'echo $$ >"+pidFile+"; sleep 60; :' & wait"))
	if !errors.Is(err, why) {
		t.Errorf("error %v, want %v", err, why)
	}
	if took := time.Since(begin); took > 20*time.Second {
		t.Errorf("took %v", took)
	}
	b, err := os.ReadFile(pidFile)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	for range 200 { // the kernel may need a moment to reap it
		if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) || zombie(pid) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("process %d lives on", pid)
}

func zombie(pid int) bool {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err != nil || strings.Contains(string(b), ") Z ")
}

func TestOutputIsBounded(t *testing.T) {
	c := sh("i=0; while [ $i -lt 5000 ]; do echo line $i; i=$((i+1)); done")
	c.Limit = 100
	res, err := Run(t.Context(), c)
	if err != nil || len(res.Stdout) != 100 || !strings.HasSuffix(string(res.Stdout), "line 4999\n") {
		t.Errorf("kept %d bytes: %q, %v", len(res.Stdout), res.Stdout, err)
	}
	c.Limit = -1
	if res, err = Run(t.Context(), c); err != nil || len(res.Stdout) != 0 {
		t.Errorf("kept %d bytes, %v", len(res.Stdout), err)
	}
}

func TestFailures(t *testing.T) {
	for _, tc := range []struct {
		name string
		cmd  Cmd
		want string
	}{
		{"missing program", Cmd{Path: "gcc-99"}, `program "gcc-99" is not installed (Debian package gcc-99)`},
		{"missing program by path", Cmd{Path: "/nonexistent/bison"}, `program "/nonexistent/bison" is not there, or not an executable file`},
		{"program that nobody knows", Cmd{Path: "no-such-program"}, `program "no-such-program" is not installed`},
		{"no name", Cmd{}, "no program named"},
		{"folder that is not there", Cmd{Path: "sh", Dir: "/nonexistent"}, `program "sh": working folder: stat /nonexistent: no such file or directory`},
		{"signal", sh("kill -SEGV $$"), `program "sh": ended by signal: segmentation fault`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			res, err := Run(t.Context(), tc.cmd)
			if err == nil || err.Error() != tc.want || res.ExitCode != -1 {
				t.Errorf("got %v, exit code %d\nwant %s", err, res.ExitCode, tc.want)
			}
		})
	}
}

func TestEndedContextStartsNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	made := filepath.Join(t.TempDir(), "made")
	if _, err := Run(ctx, Cmd{Path: "touch", Args: []string{made}}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if _, err := os.Stat(made); err == nil {
		t.Error("the program ran")
	}
}

func TestEnvIsClean(t *testing.T) {
	t.Setenv("MAKEFLAGS", "-j99")
	t.Setenv("KCFLAGS", "-DX")
	t.Setenv("LC_ALL", "de_DE.UTF-8")
	t.Setenv("PATH", "relative:/opt/tools")
	env := Env("A=1")
	for _, kv := range env {
		if strings.HasPrefix(kv, "MAKEFLAGS=") || strings.HasPrefix(kv, "KCFLAGS=") {
			t.Errorf("%s is passed on", kv)
		}
	}
	for _, want := range []string{"LC_ALL=C", "A=1", "PATH=/opt/tools:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"} {
		if !slices.Contains(env, want) {
			t.Errorf("no %s in %q", want, env)
		}
	}
}

func TestString(t *testing.T) {
	c := Cmd{Path: "gcc-12", Args: []string{"-DX=\"a b\"", "", "it's", "/a/b.c"}}
	if got, want := c.String(), `gcc-12 '-DX="a b"' '' 'it'\''s' /a/b.c`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
