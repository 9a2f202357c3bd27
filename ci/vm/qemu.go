package vm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"livesplice/ci/vm/wire"
	"livesplice/pipeline/process"
)

// qemuProgram is in Debian's package qemu-system-x86.
const qemuProgram = "qemu-system-x86_64"

// panicGrace is how long QEMU may take to end by itself after the kernel has said that it panics: the rest of the
// message, above all the call trace, comes in that time.
const panicGrace = 3 * time.Second

// qemu is the QEMU process of one machine. Everything that connects to it goes through inherited sockets, so that it
// leaves nothing in the file system.
type qemu struct {
	cmd       *exec.Cmd
	agentConn net.Conn
	monitor   *qmp
	stderr    bytes.Buffer
	console   *console

	mu    sync.Mutex
	why   error         // first reason to end; set before dead closes
	dead  chan struct{} // closed when the process is gone
	timer *time.Timer
}

// qemuArgs are QEMU's arguments. Descriptors 3, 4 and 5 are the console, the agent's port and the monitor.
func qemuArgs(b *bootFiles, cfg Config) []string {
	cpu := "max"
	accel := "tcg,thread=multi"
	if b.accel == "kvm" {
		cpu, accel = "host", "kvm"
	}
	// panic=-1 makes a panic restart the machine at once, which -action turns into QEMU's end.
	cmdline := strings.TrimSpace("console=ttyS0 panic=-1 " + cfg.Append)
	return []string{
		"-nodefaults", "-no-user-config", "-display", "none",
		"-machine", "pc", "-accel", accel, "-cpu", cpu,
		"-smp", strconv.Itoa(cfg.CPUs), "-m", strconv.Itoa(cfg.Memory),
		"-kernel", b.vmlinuz, "-initrd", b.initrd, "-append", cmdline,
		"-drive", "id=root,if=none,format=raw,snapshot=on,cache=unsafe,file=" + strings.ReplaceAll(b.root, ",", ",,"),
		"-device", "virtio-blk-pci,drive=root",
		"-chardev", "socket,id=console,fd=3", "-serial", "chardev:console",
		"-chardev", "socket,id=agent,fd=4", "-device", "virtio-serial-pci",
		"-device", "virtserialport,chardev=agent,name=" + wire.PortName,
		"-chardev", "socket,id=monitor,fd=5", "-mon", "chardev=monitor,mode=control",
		"-action", "reboot=shutdown",
	}
}

func startQEMU(ctx context.Context, b *bootFiles, cfg Config, con *console) (*qemu, error) {
	path, err := process.Look(qemuProgram)
	if err != nil {
		return nil, err
	}
	q := &qemu{console: con, dead: make(chan struct{})}
	q.cmd = exec.Command(path, qemuArgs(b, cfg)...)
	q.cmd.Env = process.Env()
	q.cmd.Stderr = &q.stderr
	// A harness that is killed takes its machine with it.
	q.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}

	var ours []net.Conn
	closeOurs := func() {
		for _, c := range ours {
			c.Close()
		}
	}
	for range 3 {
		conn, theirs, err := socketPair()
		if err != nil {
			closeOurs()
			return nil, fmt.Errorf("%s: %w", qemuProgram, err)
		}
		defer theirs.Close()
		ours = append(ours, conn)
		q.cmd.ExtraFiles = append(q.cmd.ExtraFiles, theirs)
	}
	q.agentConn = ours[1]
	if err := q.run(); err != nil {
		closeOurs()
		return nil, fmt.Errorf("%s: %w", qemuProgram, err)
	}
	q.timer = time.AfterFunc(cfg.Timeout, func() {
		q.kill(q.died(fmt.Sprintf("time limit of %v reached", cfg.Timeout)))
	})
	followed := make(chan struct{})
	go func() { con.follow(ours[0]); close(followed) }()
	go q.watchPanic()
	go func() {
		<-q.dead
		<-followed
		closeOurs()
	}()
	if q.monitor, err = dialQMP(ctx, ours[2]); err != nil {
		q.kill(fmt.Errorf("%s: monitor: %w", qemuProgram, err))
		<-q.dead
		return nil, q.cause()
	}
	return q, nil
}

// run starts the process and a goroutine that waits for it. Both happen on one thread that lives as long as QEMU does,
// since Pdeathsig is sent when the thread that started the process ends.
// Source: prctl(2), PR_SET_PDEATHSIG.
func (q *qemu) run() error {
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := q.cmd.Start()
		started <- err
		if err != nil {
			return
		}
		err = q.cmd.Wait()
		q.timer.Stop()
		q.setCause(q.exitReason(err))
		close(q.dead)
	}()
	return <-started
}

// exitReason says why QEMU ended when nobody told it to.
func (q *qemu) exitReason(err error) error {
	// The console may still be on its way through the socket.
	for range 20 {
		if why := q.cause(); why != nil {
			return why
		}
		if q.console.panicLine() != "" {
			return q.died(q.console.panicLine())
		}
		time.Sleep(10 * time.Millisecond)
	}
	if err == nil {
		return q.died("the guest powered off or restarted by itself")
	}
	if msg := strings.TrimSpace(q.stderr.String()); msg != "" {
		return q.died(fmt.Sprintf("%s: %v: %s", qemuProgram, err, msg))
	}
	return q.died(fmt.Sprintf("%s: %v", qemuProgram, err))
}

func (q *qemu) died(reason string) *DiedError {
	return &DiedError{Reason: reason, Console: q.console.lastLines(40)}
}

func (q *qemu) watchPanic() {
	select {
	case <-q.dead:
		return
	case <-q.console.panic:
	}
	select {
	case <-q.dead:
	case <-time.After(panicGrace):
		q.kill(q.died(q.console.panicLine()))
	}
}

// kill ends the process group. The first reason stays.
func (q *qemu) kill(why error) {
	q.setCause(why)
	select {
	case <-q.dead:
	default:
		_ = syscall.Kill(-q.cmd.Process.Pid, syscall.SIGKILL)
	}
}

func (q *qemu) setCause(why error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.why == nil {
		q.why = why
	}
}

func (q *qemu) cause() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.why
}

// socketPair is a connected pair of stream sockets: ours, and the one that QEMU inherits.
func socketPair() (net.Conn, *os.File, error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	mine, theirs := os.NewFile(uintptr(fds[0]), "vm"), os.NewFile(uintptr(fds[1]), "qemu")
	defer mine.Close()
	conn, err := net.FileConn(mine)
	if err != nil {
		return nil, nil, errors.Join(err, theirs.Close())
	}
	return conn, theirs, nil
}
