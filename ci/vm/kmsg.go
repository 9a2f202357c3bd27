package vm

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"livesplice/ci/vm/wire"
)

// LogLine is one message of the guest kernel's log.
type LogLine struct {
	Level int           // 0 (emergency) to 7 (debug); 3 is an error, 4 a warning
	Seq   uint64        // counts up from 0 at boot
	Time  time.Duration // since boot
	Text  string
}

func (l LogLine) String() string {
	return fmt.Sprintf("<%d>[%12.6f] %s", l.Level, l.Time.Seconds(), l.Text)
}

// KernelLog is the guest's kernel log as it is now, messages from user space left out.
func (v *VM) KernelLog(ctx context.Context) ([]LogLine, error) {
	var lines []LogLine
	_, err := v.agent.do(ctx, wire.Frame{Kind: wire.Kmsg}, nil, func(f wire.Frame) error {
		line, kernel, err := parseRecord(string(f.Payload))
		if kernel {
			lines = append(lines, line)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("kernel log: %w", err)
	}
	return lines, nil
}

// Mark is the sequence number that the next message of the kernel's log gets at the earliest.
func (v *VM) Mark(ctx context.Context) (uint64, error) {
	lines, err := v.KernelLog(ctx)
	if err != nil || len(lines) == 0 {
		return 0, err
	}
	return lines[len(lines)-1].Seq + 1, nil
}

// Warnings are the messages since mark that count as warnings.
func (v *VM) Warnings(ctx context.Context, mark uint64) ([]LogLine, error) {
	lines, err := v.KernelLog(ctx)
	if err != nil {
		return nil, err
	}
	return WarningLines(lines, mark), nil
}

// trouble is how the kernel's reports of its own trouble begin, whatever their level.
// Source: kernel/panic.c, arch/x86/kernel/{traps,dumpstack}.c, kernel/hung_task.c, kernel/rcu/tree_stall.h, v6.1.
var trouble = regexp.MustCompile(`^(WARNING: |BUG: |Oops: |Call Trace:|RIP: |general protection|------------\[ cut here|` +
	`Kernel panic|kernel BUG at |INFO: task |INFO: rcu|rcu: INFO|watchdog: BUG|traps: |invalid opcode|` +
	`UBSAN: |KASAN: |kmemleak: |list_(add|del) corruption|refcount_t: |unchecked MSR access|stack segment)`)

// levelError is KERN_ERR.
const levelError = 3

// WarningLines are the messages from mark on that count as warnings: reports of trouble, and everything of level error
// or worse. What a live update that works always causes is below that: that the module taints the kernel, that its
// signature is not the vendor's, and livepatch's own notices.
// Source: kernel/module/main.c, kernel/livepatch/core.c and transition.c, v6.1.
func WarningLines(lines []LogLine, mark uint64) []LogLine {
	var found []LogLine
	for _, l := range lines {
		if l.Seq < mark {
			continue
		}
		if trouble.MatchString(l.Text) || l.Level <= levelError {
			found = append(found, l)
		}
	}
	return found
}

// parseRecord reads one record of /dev/kmsg: "priority,sequence,microseconds,flags[,...];text", then lines that begin
// with a space and are no part of the text. kernel says that the message is the kernel's own.
// Source: Documentation/ABI/testing/dev-kmsg, v6.1.
func parseRecord(s string) (line LogLine, kernel bool, err error) {
	bad := func() (LogLine, bool, error) { return LogLine{}, false, fmt.Errorf("record %q: not of /dev/kmsg", s) }
	head, text, ok := strings.Cut(s, ";")
	f := strings.Split(head, ",")
	if !ok || len(f) < 4 {
		return bad()
	}
	priority, err1 := strconv.ParseUint(f[0], 10, 16)
	seq, err2 := strconv.ParseUint(f[1], 10, 64)
	usec, err3 := strconv.ParseUint(f[2], 10, 53) // 53 bits of microseconds fit in a Duration
	if err1 != nil || err2 != nil || err3 != nil {
		return bad()
	}
	text, _, _ = strings.Cut(text, "\n")
	// The priority holds the facility above three bits of level; 0 is the kernel.
	line = LogLine{Level: int(priority & 7), Seq: seq, Time: time.Duration(usec) * time.Microsecond, Text: text}
	return line, priority>>3 == 0, nil
}
