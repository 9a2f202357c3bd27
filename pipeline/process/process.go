// Package process is the one way in which livesplice runs a program: in a process group of its own that dies as a
// whole with the context, in a clean environment, with bounded captured output and the time and memory that it took.
package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// DefaultLimit is how many bytes of each stream a Result keeps when Cmd.Limit is zero.
const DefaultLimit = 16 << 20

// waitDelay is how long a stream may stay open after its program has ended: a daemon that inherited it must not hold
// us for ever.
const waitDelay = 5 * time.Second

// Cmd is one program to run.
type Cmd struct {
	Path string   // a name looked up in Env's PATH, or a path with a slash
	Args []string // the arguments, without the program's own name
	Dir  string   // working folder; empty: ours
	Env  []string // KEY=value; nil: Env(), the clean environment
	Root *Root    // in which Path and Dir are to be understood; nil: the machine's own /

	Stdin  io.Reader // nil: /dev/null
	Stdout io.Writer // gets a copy of standard output as it comes; nil: none
	Stderr io.Writer // the same of standard error

	// Slots is how many processors the program keeps busy, which it takes from the context's Budget while it runs; 0: none.
	Slots int

	// Limit bounds the bytes kept of each stream in Result: 0 is DefaultLimit, negative keeps nothing. What exceeds it
	// is dropped from the front, so that the end, where errors stand, is kept.
	Limit int
}

// String is the command as a person would type it, for messages and logs.
func (c Cmd) String() string {
	words := []string{quote(c.Path)}
	for _, a := range c.Args {
		words = append(words, quote(a))
	}
	return strings.Join(words, " ")
}

func quote(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_-+=./,:@%", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// Result is what a program left. It is filled as far as known even when Run returns an error.
type Result struct {
	Stdout, Stderr  []byte        // the last Limit bytes of each
	ExitCode        int           // -1: not started, or ended by a signal
	Wall, User, Sys time.Duration // of the program and the children it waited for
	MaxRSS          int64         // bytes; the largest single process among them
}

// CPU is user and system time together.
func (r Result) CPU() time.Duration { return r.User + r.Sys }

// ExitError says that a program ran and ended with another code than 0, or by a signal.
type ExitError struct {
	Command string // as Cmd.String
	Code    int    // -1 with Signal
	Signal  string // "killed", "segmentation fault", ...; empty: ended by itself
	Stderr  []byte // the end of standard error
}

func (e *ExitError) Error() string {
	name, _, _ := strings.Cut(e.Command, " ")
	how := fmt.Sprintf("exit code %d", e.Code)
	if e.Signal != "" {
		how = "ended by signal: " + e.Signal
	}
	if line := lastLine(e.Stderr); line != "" {
		return fmt.Sprintf("program %q: %s: %s", filepath.Base(name), how, line)
	}
	return fmt.Sprintf("program %q: %s", filepath.Base(name), how)
}

func lastLine(b []byte) string {
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}

// Run runs c to its end and returns what it left.
//
// When ctx ends first, the program and all that it started in its process group are killed, and the error wraps
// ctx's cause. A program that is not installed gives *MissingError; one that ends badly gives *ExitError.
func Run(ctx context.Context, c Cmd) (Result, error) {
	if c.Root != nil {
		res, err := Run(ctx, c.Root.wrap(c))
		return res, c.Root.failure(c, err)
	}
	res := Result{ExitCode: -1}
	env := c.Env
	if env == nil {
		env = Env()
	}
	path, err := look(c.Path, env)
	if err != nil {
		return res, err
	}
	if err := ctx.Err(); err != nil {
		return res, fmt.Errorf("program %q: %w", c.Path, context.Cause(ctx))
	}
	release, err := take(ctx, c.Slots)
	if err != nil {
		return res, fmt.Errorf("program %q: %w", c.Path, err)
	}
	defer release()
	limit := c.Limit
	if limit == 0 {
		limit = DefaultLimit
	}
	stdout, stderr := &tail{limit: limit}, &tail{limit: limit}

	cmd := exec.CommandContext(ctx, path, c.Args...)
	cmd.Dir, cmd.Env, cmd.Stdin = c.Dir, env, c.Stdin
	cmd.Stdout, cmd.Stderr = tee(stdout, c.Stdout), tee(stderr, c.Stderr)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return killGroup(cmd.Process) }
	cmd.WaitDelay = waitDelay

	begin := time.Now()
	err = cmd.Run()
	res.Wall = time.Since(begin)
	res.Stdout, res.Stderr = stdout.Bytes(), stderr.Bytes()
	if cmd.ProcessState != nil {
		res.ExitCode = cmd.ProcessState.ExitCode()
		res.User, res.Sys = cmd.ProcessState.UserTime(), cmd.ProcessState.SystemTime()
		if ru, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
			res.MaxRSS = ru.Maxrss * 1024
		}
	}
	return res, classify(ctx, c, cmd, err, stderr)
}

func classify(ctx context.Context, c Cmd, cmd *exec.Cmd, err error, stderr *tail) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, exec.ErrWaitDelay) {
		// The program ended well, but something that it left behind kept a stream open.
		_ = killGroup(cmd.Process)
		return fmt.Errorf("program %q: left a process behind that kept its output open", c.Path)
	}
	if ctx.Err() != nil {
		return fmt.Errorf("program %q: %w", c.Path, context.Cause(ctx))
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		if errors.Is(err, fs.ErrNotExist) && c.Dir != "" {
			if _, serr := os.Stat(c.Dir); serr != nil {
				return fmt.Errorf("program %q: working folder: %w", c.Path, serr)
			}
		}
		return fmt.Errorf("program %q: %w", c.Path, err)
	}
	e := &ExitError{Command: c.String(), Code: exit.ExitCode(), Stderr: stderr.Bytes()}
	if ws, ok := exit.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		e.Signal = ws.Signal().String()
	}
	return e
}

// killGroup kills the process group that p leads. ESRCH means that all of it is gone already.
func killGroup(p *os.Process) error {
	err := syscall.Kill(-p.Pid, syscall.SIGKILL)
	if errors.Is(err, syscall.ESRCH) {
		return os.ErrProcessDone
	}
	return err
}

func tee(t *tail, w io.Writer) io.Writer {
	if w == nil {
		return t
	}
	return io.MultiWriter(t, w)
}

// tail keeps the last limit bytes written to it.
type tail struct {
	limit int
	buf   bytes.Buffer
}

func (t *tail) Write(p []byte) (int, error) {
	n := len(p)
	if t.limit < 0 {
		return n, nil
	}
	t.buf.Write(p)
	// Cutting at twice the limit keeps the cost of each byte constant.
	if t.buf.Len() > 2*t.limit {
		t.buf.Next(t.buf.Len() - t.limit)
	}
	return n, nil
}

func (t *tail) Bytes() []byte {
	b := t.buf.Bytes()
	if t.limit >= 0 && len(b) > t.limit {
		b = b[len(b)-t.limit:]
	}
	return b
}
