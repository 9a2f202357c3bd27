package vm

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
)

// consoleLimit is how much of the console is kept, in bytes.
const consoleLimit = 1 << 20

// console keeps the end of what the guest writes to its serial port, and notices a panic.
type console struct {
	mu    sync.Mutex
	buf   []byte
	file  *os.File // nil: none wanted
	panic chan struct{}
	once  sync.Once
}

func newConsole(path string) (*console, error) {
	c := &console{panic: make(chan struct{})}
	if path == "" {
		return c, nil
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("console log: %w", err)
	}
	c.file = f
	return c, nil
}

// panicMark begins the kernel's own message. Source: kernel/panic.c, v6.1.
const panicMark = "Kernel panic - not syncing"

// Write takes what comes from the guest.
func (c *console) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	begin := max(0, len(c.buf)-len(panicMark)) // the message may come in two pieces
	c.buf = append(c.buf, p...)
	if strings.Contains(string(c.buf[begin:]), panicMark) {
		c.once.Do(func() { close(c.panic) })
	}
	if len(c.buf) > 2*consoleLimit {
		c.buf = append([]byte(nil), c.buf[len(c.buf)-consoleLimit:]...)
	}
	if c.file != nil {
		if _, err := c.file.Write(p); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

// follow reads the guest's side until it ends.
func (c *console) follow(r io.Reader) { _, _ = io.Copy(c, r) }

func (c *console) text() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.ReplaceAll(string(c.buf[max(0, len(c.buf)-consoleLimit):]), "\r", "")
}

// lastLines is the last n lines.
func (c *console) lastLines(n int) string {
	lines := strings.Split(strings.TrimRight(c.text(), "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// panicLine is the kernel's panic message, or "".
func (c *console) panicLine() string {
	text := c.text()
	i := strings.LastIndex(text, panicMark)
	if i < 0 {
		return ""
	}
	line, _, _ := strings.Cut(text[i:], "\n")
	return line
}

// close closes the log, and removes it if it is not worth keeping.
func (c *console) close(remove bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.file == nil {
		return
	}
	_ = c.file.Close()
	if remove {
		_ = os.Remove(c.file.Name())
	}
	c.file = nil
}
