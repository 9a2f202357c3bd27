package livepatch

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// RunningKernel is the kernel on which this program runs.
type RunningKernel struct{}

// InitModule loads from memory, so that the bytes loaded are those whose hash
// was taken; finit_module(2) would read the file once more.
func (RunningKernel) InitModule(image []byte) error { return unix.InitModule(image, "") }

func (RunningKernel) DeleteModule(name string) error {
	return unix.DeleteModule(name, unix.O_NONBLOCK)
}

func (RunningKernel) WriteFile(path, value string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

func (RunningKernel) Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// OnCPU moves a thread to the CPU. The system call returns when the thread runs
// there, which it does not beside a task of real-time priority that never sleeps
// (where kernel.sched_rt_runtime_us is -1). Then the thread is let go everywhere
// again, and ends.
func (RunningKernel) OnCPU(ctx context.Context, cpu int, limit time.Duration, do func()) error {
	var all unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		return fmt.Errorf("sched_getaffinity: %w", err)
	}
	var one unix.CPUSet
	one.Set(cpu)
	var taken atomic.Bool // by the thread once it is there, or by who gave up
	thread, done := make(chan int, 1), make(chan error, 1)
	go func() {
		runtime.LockOSThread() // for ever: the thread ends with this, and its affinity
		thread <- unix.Gettid()
		err := setAffinity(0, &one)
		if err == nil && taken.CompareAndSwap(false, true) {
			do()
		}
		done <- err
	}()
	tid := <-thread
	t := time.NewTimer(limit)
	defer t.Stop()
	var gaveUp error
	select {
	case err := <-done:
		return err
	case <-t.C:
		gaveUp = fmt.Errorf("not to be had within %v", limit)
	case <-ctx.Done():
		gaveUp = ctx.Err()
	}
	if !taken.CompareAndSwap(false, true) {
		return <-done
	}
	_ = setAffinity(tid, &all)
	return gaveUp
}

// setAffinity is unix.SchedSetaffinity by a call that lets the scheduler of Go
// go on meanwhile: it may block.
func setAffinity(tid int, set *unix.CPUSet) error {
	_, _, errno := unix.Syscall(unix.SYS_SCHED_SETAFFINITY, uintptr(tid), unsafe.Sizeof(*set), uintptr(unsafe.Pointer(set)))
	if errno != 0 {
		return fmt.Errorf("sched_setaffinity: %w", errno)
	}
	return nil
}
