package pipeline

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// bar shows how far a stage is: on a terminal as a bar in the last line, elsewhere (a CI's log) as a plain line now and
// then, since nobody reads hundreds of them.
type bar struct {
	out      io.Writer
	terminal int // its file; -1 for none
	shown    bool
	last     time.Time // of a plain line
	now      func() time.Time
}

const (
	barWidth   = 24               // columns
	plainEvery = 10 * time.Second // between two plain lines
)

func newBar(out io.Writer) *bar {
	b := &bar{out: out, terminal: -1, now: time.Now}
	if f, ok := out.(*os.File); ok && os.Getenv("TERM") != "dumb" {
		if _, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS); err == nil {
			b.terminal = int(f.Fd())
		}
	}
	b.last = b.now()
	return b
}

// clear takes the bar away, so that a line can be written in its place.
func (b *bar) clear() {
	if b.shown {
		fmt.Fprint(b.out, "\r\x1b[K")
		b.shown = false
	}
}

// show draws done of total in a stage; what is the thing that was done last.
func (b *bar) show(stage string, done, total int, what string) {
	if total < 2 {
		return
	}
	if b.terminal < 0 {
		if now := b.now(); done < total && now.Sub(b.last) >= plainEvery {
			b.last = now
			fmt.Fprintf(b.out, "%-8s          %d of %d: %s\n", stage, done, total, what)
		}
		return
	}
	full := barWidth * done / total
	text := fmt.Sprintf("%-8s [%s%s] %d of %d  %s", stage, strings.Repeat("#", full), strings.Repeat(".", barWidth-full), done, total, what)
	fmt.Fprint(b.out, "\r"+cut(text, b.columns())+"\x1b[K")
	b.shown = true
}

// columns is the terminal's width, less the last column: writing into that one may begin a new line.
func (b *bar) columns() int {
	if size, err := unix.IoctlGetWinsize(b.terminal, unix.TIOCGWINSZ); err == nil && size.Col > 1 {
		return int(size.Col) - 1
	}
	return 79
}

// cut shortens a text to so many characters.
func cut(text string, columns int) string {
	if utf8.RuneCountInString(text) <= columns {
		return text
	}
	return string([]rune(text)[:columns])
}
