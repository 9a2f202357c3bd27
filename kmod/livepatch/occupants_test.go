package livepatch_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"livesplice/kmod/livepatch"
	"livesplice/kmod/livepatch/fakekernel"
)

// meanwhile is a kernel in which something happens as a CPU is taken.
type meanwhile struct {
	*fakekernel.Kernel
	happens func()
}

func (k meanwhile) OnCPU(_ context.Context, _ int, _ time.Duration, do func()) error {
	k.happens()
	do()
	return nil
}

// thread makes a thread of the process 100, whose files but the stack are those of the first.
func (m *machine) thread(tid, stack string) {
	m.t.Helper()
	for _, file := range []string{"comm", "stat", "schedstat", "patch_state"} {
		m.write("proc/100/task/"+tid+"/"+file, m.read("proc/100/task/100/"+file))
	}
	m.write("proc/100/task/"+tid+"/stack", stack)
}

func (m *machine) end(tid string) {
	m.t.Helper()
	if err := os.RemoveAll(filepath.Join(m.Root, "proc/100/task", tid)); err != nil {
		m.t.Fatal(err)
	}
}

func TestThreads(t *testing.T) {
	t.Run("one of several is inside", func(t *testing.T) {
		m := applied(t, mayGo)
		m.thread("101", outside)
		m.thread("102", inside)
		m.undo(livepatch.ExitDone)
		m.stays(id, `until task 102 "task100" leaves ksys_sync.cold`)
		m.sound()
	})
	// The first thread was seen outside; then another one calls execve() inside of the module, and gets its number.
	t.Run("another thread becomes the first", func(t *testing.T) {
		m := applied(t, mayGo)
		m.thread("105", "")
		m.Kernel = meanwhile{m.fake, func() { m.end("105"); m.thread("100", inside) }}
		m.undo(livepatch.ExitDone)
		m.stays(id, `until task 100 "task100" leaves ksys_sync.cold`)
		m.sound()
	})
	t.Run("one ends", func(t *testing.T) {
		m := applied(t, mayGo)
		m.thread("105", "")
		m.Kernel = meanwhile{m.fake, func() { m.end("105") }}
		m.undo(livepatch.ExitDone)
		m.loaded()
	})
	t.Run("they come and go", func(t *testing.T) {
		m := applied(t, mayGo)
		n := 200
		m.thread("200", "")
		m.Kernel = meanwhile{m.fake, func() { m.end(fmt.Sprint(n)); n++; m.thread(fmt.Sprint(n), "") }}
		m.undo(livepatch.ExitDone)
		m.stays(id, `until the stack of task 100 "task100" is seen (its threads come and go)`)
	})
	t.Run("a process ends", func(t *testing.T) {
		m := applied(t, mayGo)
		m.thread("105", "")
		m.Kernel = meanwhile{m.fake, func() {
			if err := os.RemoveAll(filepath.Join(m.Root, "proc/100")); err != nil {
				t.Error(err)
			}
		}}
		m.undo(livepatch.ExitDone)
		m.loaded()
	})
}

// A stack that was read while the task got a CPU says nothing. The kernel counts how often it did.
func TestStackOfTaskThatRuns(t *testing.T) {
	for name, tt := range map[string]struct {
		counts []int // what the kernel says, one after the other, the last one again and again
		why    string
	}{
		"once":   {[]int{7, 8}, ""},
		"always": {nil, `the stack of task 100 "task100" is seen (it ran while its stack was read)`},
	} {
		t.Run(name, func(t *testing.T) {
			m := applied(t, mayGo)
			file := filepath.Join(m.Root, "proc/100/task/100/schedstat")
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
			if err := unix.Mkfifo(file, 0o644); err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithCancel(t.Context())
			done := make(chan bool)
			go func() {
				defer close(done)
				for n := 0; ctx.Err() == nil; n++ {
					f, err := os.OpenFile(file, os.O_RDWR, 0) // a reader that goes does not take with it what was written
					if err != nil {
						return
					}
					count := n
					if tt.counts != nil {
						count = tt.counts[min(n, len(tt.counts)-1)]
					}
					fmt.Fprintf(f, "1 1 %d\n", count+1)
					for left := 1; left > 0 && ctx.Err() == nil; time.Sleep(time.Millisecond) { // until it is read
						if left, err = unix.IoctlGetInt(int(f.Fd()), unix.TIOCINQ); err != nil {
							break
						}
					}
					f.Close()
					time.Sleep(time.Millisecond) // the reader's end of file, before it is opened again
				}
			}()
			m.undo(livepatch.ExitDone)
			stop()
			if f, err := os.OpenFile(file, os.O_RDWR, 0); err == nil { // lets the writer go
				<-done
				f.Close()
			}
			if tt.why == "" {
				m.loaded()
			} else {
				m.stays(id, tt.why)
			}
			m.sound()
		})
	}
}

// Where the kernel does not count, the same stack twice is what there is.
func TestStackWithoutCount(t *testing.T) {
	m := applied(t, mayGo)
	m.write("proc/100/task/100/schedstat", "0 0 0\n")
	m.undo(livepatch.ExitDone)
	m.loaded()
}

// An interruption is heard, and leaves the module loaded.
func TestInterruptedLook(t *testing.T) {
	m := applied(t, mayGo)
	m.task("100", "S", "")
	ctx, cancel := context.WithCancel(context.Background())
	m.Kernel = meanwhile{m.fake, cancel}
	m.expect(livepatch.ExitDone, m.Undo(ctx, id, false))
	m.stays(id, "until the tasks of the machine can be looked at: that was interrupted")
	m.sound()
}
