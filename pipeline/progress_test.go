package pipeline

import (
	"bytes"
	"fmt"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestPlainProgress: a log gets a line now and then, and none for what is over in a moment.
func TestPlainProgress(t *testing.T) {
	var out bytes.Buffer
	s := NewStages(&out)
	clock := time.Unix(1000, 0)
	s.bar.now, s.bar.last = func() time.Time { return clock }, clock
	for i := 1; i <= 4; i++ {
		clock = clock.Add(6 * time.Second)
		s.Progress("diff", i, 4, "fs/namei.c")
	}
	s.Progress("diff", 1, 1, "fs/open.c")
	s.Note("done")
	const want = "diff              2 of 4: fs/namei.c\n" + "note              done\n"
	if out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}

// TestBar draws on a pseudo-terminal of 50 columns: the line is cut to fit, and taken away before another one.
func TestBar(t *testing.T) {
	t.Setenv("TERM", "xterm")
	master, terminal := openPTY(t)
	if err := unix.IoctlSetWinsize(int(terminal.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 50}); err != nil {
		t.Fatal(err)
	}
	s := NewStages(terminal)
	s.Progress("diff", 6, 24, "drivers/net/ethernet/intel/e1000e/netdev.c")
	s.Warn("look")
	want := "\rdiff     [######..................] 6 of 24  driv\x1b[K" + "\r\x1b[K" + "warning           look\r\n"
	got := make([]byte, 1024)
	n := 0
	for n < len(want) {
		k, err := master.Read(got[n:])
		if err != nil {
			t.Fatal(err)
		}
		n += k
	}
	if string(got[:n]) != want {
		t.Errorf("got %q, want %q", got[:n], want)
	}
}

func openPTY(t *testing.T) (master, terminal *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { master.Close() })
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetUint32(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { terminal.Close() })
	return master, terminal
}
