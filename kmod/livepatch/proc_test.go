package livepatch

import (
	"slices"
	"strings"
	"testing"
)

func TestMemAvailable(t *testing.T) {
	for _, c := range []struct {
		text string
		want int64
		ok   bool
	}{
		{"MemTotal:       24684 kB\nMemFree:  9 kB\nMemAvailable:   22741 kB\n", 22741 << 10, true},
		{"MemTotal:       24684 kB\n", 0, false},
		{"MemAvailable:   22741\n", 0, false},
		{"MemAvailable:   -5 kB\n", 0, false},
		{"MemAvailable:   9007199254740991 kB\n", 9007199254740991 << 10, true},
		{"MemAvailable:   9007199254740992 kB\n", 0, false},
	} {
		if got, ok := memAvailable(c.text); ok != c.ok || ok && got != c.want {
			t.Errorf("%q: got %d, %v, want %d, %v", c.text, got, ok, c.want, c.ok)
		}
	}
}

// FuzzProc reads what the kernel shows below /proc.
func FuzzProc(f *testing.F) {
	f.Add("[<0>] do_nanosleep+0x6c/0x160\n[<0>] hrtimer_nanosleep+0xb9/0x1b0\n")
	f.Add("ext4 983040 1 - Live 0xffffffffc0638000\nlivesplice_0123abcd 16384 0 [permanent] (OK) 0x0\n")
	f.Add("MemTotal: 24684 kB\nMemAvailable: 22741 kB\n")
	f.Fuzz(func(t *testing.T, text string) {
		if n, ok := memAvailable(text); ok && n < 0 {
			t.Errorf("%d bytes", n)
		}
		stack := stackFunctions(text)
		if len(stack) > maxStack || slices.ContainsFunc(stack, func(s string) bool { return strings.Contains(s, "\n") }) {
			t.Errorf("stack %q", stack)
		}
		names := moduleNames(text)
		if !slices.IsSorted(names) || slices.ContainsFunc(names, func(s string) bool { return s == "" || strings.ContainsAny(s, " \n") }) {
			t.Errorf("modules %q", names)
		}
	})
}
