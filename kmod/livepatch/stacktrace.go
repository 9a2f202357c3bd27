package livepatch

import (
	"slices"
	"strconv"
	"strings"
)

// traceDepth is how many frames the kernel shows of a stack at most, the
// innermost ones. Source: MAX_STACK_TRACE_DEPTH, fs/proc/base.c, v5.10 to v7.2.
const traceDepth = 64

// roots are where a stack of x86 ends: system calls, new tasks, kernel threads.
// Source: arch/x86/entry/entry_64.S, entry_64_compat.S, v5.10 to v7.2.
var roots = []string{
	"entry_SYSCALL_64_after_hwframe",
	"entry_SYSCALL_compat_after_hwframe", "entry_SYSENTER_compat_after_hwframe", "entry_INT80_compat",
	"ret_from_fork", "ret_from_fork_asm",
}

// exception begins the names of the entries of interrupts, faults and traps. A
// stack ends there if they came from user mode. Source: idtentry,
// arch/x86/include/asm/idtentry.h, since v5.8.
const exception = "asm_"

// hiders are what hides a return address, or what the kernel unwinds through by
// a guess: it has no unwind data for code that it makes as it runs.
var hiders = []string{"kretprobe_trampoline", "__kretprobe_trampoline", "arch_rethook_trampoline", "return_to_handler",
	"bpf_prog_", "bpf_trampoline_", "bpf_dispatcher_", "kprobe_insn_page", "kprobe_optinsn_page"}

// judge reads the text of a stack file: in is the innermost function of the
// module on it, unseen is why it does not show that there is none.
func (l *look) judge(text string) (in, unseen string) {
	frames := 0
	last := ""
	for line := range strings.Lines(text) {
		frames++
		at, module := frame(line)
		symbol, _, _ := strings.Cut(at, "+")
		switch {
		case module == l.module:
			return at, ""
		case symbol == at:
			// An address without a symbol, or a line of another form.
			if in, why := l.address(at); in != "" || why != "" {
				return in, why
			}
		case slices.ContainsFunc(hiders, func(h string) bool { return strings.HasPrefix(symbol, h) }):
			unseen = symbol + " hides what is behind it"
		case strings.HasPrefix(last, exception) && !l.orc:
			unseen = last + " interrupted it in the kernel, where frame pointers have gaps"
		}
		last = symbol
	}
	switch {
	case unseen != "":
	case frames >= traceDepth:
		unseen = "its stack is deeper than the kernel shows"
	case !slices.Contains(roots, last) && (!strings.HasPrefix(last, exception) || last == "asm_fred_entrypoint_kernel"):
		unseen = "its stack ends at " + last
	}
	return "", unseen
}

// frame takes the function and the module out of a line of a stack file:
// "[<0>] ksys_sync.cold+0x1f/0x40 [livesplice_0badcafe]".
func frame(line string) (at, module string) {
	fields := strings.Fields(line)
	if len(fields) < 2 {
		return strings.TrimSpace(line), ""
	}
	if len(fields) > 2 {
		module = strings.Trim(fields[2], "[]")
	}
	return fields[1], module
}

// address judges a frame without a symbol: "0xffffffffc0123456". The address is
// where a call returns to, which may be the module's very end.
func (l *look) address(at string) (in, unseen string) {
	addr, err := strconv.ParseUint(strings.TrimPrefix(at, "0x"), 16, 64)
	switch {
	case err != nil || l.start == 0:
		return "", "its stack holds " + at + ", of which nothing is known"
	case addr >= l.start && addr <= l.end:
		return at, ""
	}
	return "", ""
}
