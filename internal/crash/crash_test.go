package crash

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain lets the test's executable be a program under Main, which does what TEST_PROGRAM says.
func TestMain(m *testing.M) {
	if what := os.Getenv("TEST_PROGRAM"); what != "" {
		Main("program", 1, func() int { return program(what) })
	}
	os.Exit(m.Run())
}

var sink []byte

// deep does not end for a negative n before the stack does.
//
//go:noinline
func deep(n int) int {
	if n == 0 {
		return 0
	}
	return deep(n-1) + len(sink)
}

func program(what string) int {
	if code, err := strconv.Atoi(what); err == nil {
		return code
	}
	switch what {
	case "stack":
		debug.SetMaxStack(32 << 20)
		return deep(-1)
	case "panic":
		panic("on purpose")
	case "goroutine":
		go panic("on purpose")
		select {}
	case "map":
		m := map[int]int{}
		for i := range 8 {
			go func() {
				for {
					m[i]++
				}
			}()
		}
		select {}
	case "memory":
		_ = syscall.Setrlimit(syscall.RLIMIT_AS, &syscall.Rlimit{Cur: 1 << 30, Max: 1 << 30})
		for n := 1 << 20; ; n *= 2 {
			sink = append(sink, make([]byte, n)...)
		}
	case "quit":
		_ = syscall.Kill(os.Getpid(), syscall.SIGQUIT)
	case "killed":
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	case "pipe":
		for {
			os.Stdout.WriteString("text\n")
		}
	case "cat":
		_, err := io.Copy(os.Stdout, os.Stdin)
		if err != nil || os.Getenv(variable) != "" {
			return 9
		}
		return 0
	case "wait": // says its PID, then waits for a signal, and ends well
		c := make(chan os.Signal, 1)
		signal.Notify(c, syscall.SIGINT, syscall.SIGTERM)
		os.Stdout.WriteString(strconv.Itoa(os.Getpid()) + "\n")
		s := <-c
		os.Stdout.WriteString(s.String() + "\n")
		return 3
	case "deaf": // ends by a signal that it does not take
		os.Stdout.WriteString(strconv.Itoa(os.Getpid()) + "\n")
	}
	time.Sleep(time.Minute)
	return 8
}

func command(what string, args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), "TEST_PROGRAM="+what)
	return cmd
}

// TestCodes gives the exit code of programs that end by themselves, and of those that the runtime or the kernel ends.
func TestCodes(t *testing.T) {
	for _, c := range []struct {
		what string
		want int
		say  string // on standard error
	}{
		{"0", 0, ""}, {"1", 1, ""}, {"2", 2, ""}, {"6", 6, ""},
		{"stack", 1, "stack overflow"},
		{"panic", 1, "panic: on purpose"},
		{"goroutine", 1, "panic: on purpose"},
		{"map", 1, "concurrent map"},
		{"memory", 1, "out of memory"},
		{"quit", 1, "SIGQUIT"},
		{"killed", 1, "program: ended by signal: killed"},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			var stderr bytes.Buffer
			cmd := command(c.what)
			cmd.Stderr = &stderr
			err := cmd.Run()
			if got := cmd.ProcessState.ExitCode(); got != c.want || !strings.Contains(stderr.String(), c.say) || c.say == "" && stderr.Len() > 0 {
				t.Errorf("code %d, %v, want %d and %q; %.2000s", got, err, c.want, c.say, stderr.String())
			}
		})
	}
}

// TestStreams hands standard input and output on, and the environment without the mark.
func TestStreams(t *testing.T) {
	cmd := command("cat")
	cmd.Stdin = strings.NewReader("one\ntwo\n")
	out, err := cmd.Output()
	if err != nil || string(out) != "one\ntwo\n" {
		t.Errorf("got %q, %v", out, err)
	}
	cmd = command("cat")
	cmd.Env = append(cmd.Env, variable+"=1") // somebody else's
	if err := cmd.Run(); err != nil {
		t.Error(err)
	}
}

// started starts a program that says its PID, and gives the rest of its output.
func started(t *testing.T, cmd *exec.Cmd) (pid int, rest *bufio.Reader) {
	t.Helper()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	rest = bufio.NewReader(out)
	line, err := rest.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	if pid, err = strconv.Atoi(strings.TrimSpace(line)); err != nil || pid == cmd.Process.Pid {
		t.Fatalf("PID %q, %v; want a child of %d", line, err, cmd.Process.Pid)
	}
	return pid, rest
}

// TestSignals hands signals on; one that ends the child ends the parent.
func TestSignals(t *testing.T) {
	for _, c := range []struct {
		what string
		sig  syscall.Signal
		want string
		code int // -1: by the signal
	}{
		{"wait", syscall.SIGINT, "interrupt\n", 3},
		{"wait", syscall.SIGTERM, "terminated\n", 3},
		{"deaf", syscall.SIGTERM, "", -1},
		{"deaf", syscall.SIGHUP, "", -1},
	} {
		t.Run(c.what+" "+c.sig.String(), func(t *testing.T) {
			t.Parallel()
			cmd := command(c.what)
			_, rest := started(t, cmd)
			_ = cmd.Process.Signal(c.sig)
			got, _ := io.ReadAll(rest)
			_ = cmd.Wait()
			status := cmd.ProcessState.Sys().(syscall.WaitStatus)
			if string(got) != c.want || cmd.ProcessState.ExitCode() != c.code || c.code < 0 && status.Signal() != c.sig {
				t.Errorf("said %q, %v; want %q and %d", got, cmd.ProcessState, c.want, c.code)
			}
		})
	}
}

// TestIgnored leaves a signal ignored that whoever started us ignores, as nohup does.
func TestIgnored(t *testing.T) {
	cmd := command("deaf")
	cmd.Path, cmd.Args = "/bin/sh", []string{"sh", "-c", "trap '' HUP; exec \"$0\"", os.Args[0]}
	pid, _ := started(t, cmd)
	_ = syscall.Kill(pid, syscall.SIGHUP)
	_ = cmd.Process.Signal(syscall.SIGHUP)
	time.Sleep(300 * time.Millisecond)
	if err := syscall.Kill(pid, 0); err != nil {
		t.Errorf("process %d: %v", pid, err)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
}

// TestKilled has nothing left when the parent is killed.
func TestKilled(t *testing.T) {
	cmd := command("wait")
	pid, _ := started(t, cmd)
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	for range 200 {
		stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		if errors.Is(err, os.ErrNotExist) || strings.Contains(string(stat), ") Z ") {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Errorf("process %d goes on", pid)
}

// TestClosedOutput ends with the signal, as a program without a child does.
func TestClosedOutput(t *testing.T) {
	cmd := command("pipe")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	out.Close()
	_ = cmd.Wait()
	if status := cmd.ProcessState.Sys().(syscall.WaitStatus); !(status.Signaled() && status.Signal() == syscall.SIGPIPE || status.ExitStatus() == 128+int(syscall.SIGPIPE)) {
		t.Errorf("got %v", cmd.ProcessState)
	}
}
