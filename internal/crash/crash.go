// Package crash keeps a fatal error of the Go runtime from looking like a result of the program. The runtime ends with code 2
// when a stack overflows, memory is used up, maps are written to at once, or a goroutine panics, and nothing in the process
// can change that: recover does not see most of these. With code 2 our programs say that they were called wrongly.
package crash

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strconv"
	"syscall"
)

const (
	// variable tells a process that it is the one that does the work, by the PID of the one that waits for it.
	variable = "LIVESPLICE_CRASH_GUARD"
	// byItself is added to the code of a program that ends by itself, between the two processes: more than any code of ours,
	// and with it less than those that shells give signals.
	byItself = 64
)

// Main runs a program in a child process of the same executable, with the same arguments, streams and process group, and
// ends with the code that run gives there, or with fault where the child ended otherwise. SIGINT, SIGTERM, SIGHUP and SIGQUIT
// are handed on; a child that one of these ends takes its parent with it, and SIGKILL for the parent kills the child. Where no child can
// be started, run runs in this process.
func Main(name string, fault int, run func() int) {
	if os.Getenv(variable) == strconv.Itoa(os.Getppid()) {
		os.Unsetenv(variable)
		os.Exit(byItself + run())
	}
	os.Unsetenv(variable)
	// The child dies with the thread that started it.
	runtime.LockOSThread()
	cmd := &exec.Cmd{Path: "/proc/self/exe", Args: os.Args, Env: append(os.Environ(), variable+"="+strconv.Itoa(os.Getpid())),
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, SysProcAttr: &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}}
	signals := make(chan os.Signal, 8)
	for _, s := range []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT} {
		if !signal.Ignored(s) { // under nohup, for the child too
			signal.Notify(signals, s)
		}
	}
	if err := cmd.Start(); err != nil {
		signal.Reset()
		os.Exit(run())
	}
	go func() {
		for s := range signals {
			_ = cmd.Process.Signal(s) // it may be gone
		}
	}()
	os.Exit(ended(name, fault, cmd.Wait(), os.Stderr))
}

// ended gives the exit code for the end of a child.
func ended(name string, fault int, err error, stderr io.Writer) int {
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		fmt.Fprintf(stderr, "%s: %v\n", name, err)
		return fault
	}
	if exit == nil { // 0 without byItself: another program's
		return fault
	}
	status, _ := exit.Sys().(syscall.WaitStatus)
	switch sig := status.Signal(); {
	case !status.Signaled() && status.ExitStatus() >= byItself:
		return status.ExitStatus() - byItself
	case !status.Signaled():
		fmt.Fprintf(stderr, "%s: a fatal error of the program, which is told above: please report it\n", name)
		return fault
	case sig == syscall.SIGINT || sig == syscall.SIGTERM || sig == syscall.SIGHUP || sig == syscall.SIGPIPE:
		// Whoever started us is to see the same.
		signal.Reset(sig)
		_ = syscall.Kill(os.Getpid(), sig)
		return 128 + int(sig)
	default:
		fmt.Fprintf(stderr, "%s: ended by signal: %v\n", name, sig)
		return fault
	}
}
