package cache

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func open(t *testing.T) *Cache {
	t.Helper()
	c, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// writer fills a folder with one file.
func writer(text string) func(context.Context, string) error {
	return func(_ context.Context, dir string) error {
		return os.WriteFile(filepath.Join(dir, "f"), []byte(text), 0o644)
	}
}

func TestDirIsFilledOnce(t *testing.T) {
	c := open(t)
	var fills atomic.Int32
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			dir, err := c.Dir(t.Context(), "k", "a", func(ctx context.Context, dir string) error {
				fills.Add(1)
				time.Sleep(20 * time.Millisecond)
				return writer("x")(ctx, dir)
			})
			if err != nil || dir != filepath.Join(c.Root(), "k", "a") {
				t.Errorf("dir %q, %v", dir, err)
				return
			}
			if b, err := os.ReadFile(filepath.Join(dir, "f")); err != nil || string(b) != "x" {
				t.Errorf("content %q, %v", b, err)
			}
		})
	}
	wg.Wait()
	if fills.Load() != 1 {
		t.Errorf("filled %d times", fills.Load())
	}
	if !c.Has("k", "a") || c.Has("k", "b") {
		t.Error("Has is wrong")
	}
}

func TestFailedFillLeavesNothing(t *testing.T) {
	c := open(t)
	boom := errors.New("boom")
	_, err := c.Dir(t.Context(), "k", "a", func(ctx context.Context, dir string) error {
		if err := writer("half")(ctx, dir); err != nil {
			return err
		}
		return boom
	})
	if !errors.Is(err, boom) || c.Has("k", "a") {
		t.Errorf("error %v", err)
	}
	if left := temporary(t, c); len(left) != 0 {
		t.Errorf("left behind: %q", left)
	}
	if _, err := c.Dir(t.Context(), "k", "a", writer("whole")); err != nil {
		t.Error(err)
	}
}

func temporary(t *testing.T, c *Cache) []string {
	t.Helper()
	left, err := filepath.Glob(filepath.Join(c.Root(), "*", ".*.tmp-*"))
	if err != nil {
		t.Fatal(err)
	}
	return left
}

// TestKilledFill has another process die in the midst of a fill, while a third one waits for it.
func TestKilledFill(t *testing.T) {
	if dir := os.Getenv("CACHE_TEST_FILL"); dir != "" {
		c, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = c.Dir(t.Context(), "k", "a", func(ctx context.Context, dir string) error {
			if err := writer("half")(ctx, dir); err != nil {
				return err
			}
			os.Stdout.WriteString("filling\n")
			time.Sleep(time.Minute)
			return nil
		})
		return
	}
	c := open(t)
	cmd := exec.Command(os.Args[0], "-test.run=^TestKilledFill$")
	cmd.Env = append(os.Environ(), "CACHE_TEST_FILL="+c.Root())
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 100)
	if n, err := out.Read(buf); err != nil || !strings.HasPrefix(string(buf[:n]), "filling") {
		t.Fatalf("the other process says %q, %v", buf[:n], err)
	}
	// While it lives, nobody else fills, and a waiter's deadline holds.
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := c.Dir(ctx, "k", "a", writer("mine")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("while another process fills: %v", err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if c.Has("k", "a") || len(temporary(t, c)) != 1 {
		t.Errorf("after its death: whole %v, temporary %q", c.Has("k", "a"), temporary(t, c))
	}
	dir, err := c.Dir(t.Context(), "k", "a", writer("mine"))
	if err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "f")); err != nil || string(b) != "mine" {
		t.Errorf("content %q, %v", b, err)
	}
	if left := temporary(t, c); len(left) != 0 {
		t.Errorf("left behind: %q", left)
	}
}

func TestWaiterHeedsItsContext(t *testing.T) {
	c := open(t)
	filling, done := make(chan struct{}), make(chan struct{})
	var filler sync.WaitGroup
	filler.Go(func() {
		_, _ = c.Dir(context.Background(), "k", "a", func(context.Context, string) error {
			close(filling)
			<-done
			return nil
		})
	})
	<-filling
	defer filler.Wait()
	defer close(done)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := c.Dir(ctx, "k", "a", writer("x")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
}

func TestScratch(t *testing.T) {
	c := open(t)
	old := filepath.Join(c.Root(), "scratch", "old-1")
	if err := os.MkdirAll(filepath.Join(old, "x"), 0o755); err != nil {
		t.Fatal(err)
	}
	ago := time.Now().Add(-scratchAge - time.Hour)
	if err := os.Chtimes(old, ago, ago); err != nil {
		t.Fatal(err)
	}
	a, err := c.Scratch("s")
	if err != nil {
		t.Fatal(err)
	}
	b, err := c.Scratch("s")
	if err != nil || a == b || !isDir(a) || !isDir(b) {
		t.Errorf("folders %q and %q, %v", a, b, err)
	}
	if isDir(old) {
		t.Error("what a dead process left is still there")
	}
}

func TestNames(t *testing.T) {
	c := open(t)
	for _, bad := range []string{"", ".", "..", ".lock", "a/b", "a b", strings.Repeat("x", 129)} {
		if _, err := c.Dir(t.Context(), "k", bad, writer("x")); err == nil {
			t.Errorf("key %q is taken", bad)
		}
		if _, err := c.Dir(t.Context(), bad, "k", writer("x")); err == nil {
			t.Errorf("kind %q is taken", bad)
		}
	}
}

func TestHashFile(t *testing.T) {
	c := open(t)
	path := filepath.Join(t.TempDir(), "f")
	write := func(text string, mtime time.Time) {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, mtime, mtime); err != nil {
			t.Fatal(err)
		}
	}
	check := func(want string) {
		t.Helper()
		if got, err := c.HashFile(path); err != nil || got != want {
			t.Errorf("got %s, %v\nwant %s", got, err, want)
		}
	}
	// Two contents of one length and mtime, written within the clock's resolution.
	mtime := time.Unix(1000000000, 0)
	write("abc", mtime)
	check("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
	write("abd", mtime)
	check("a52d159f262b2c6ddb724a61840befc36eb30c88877a4030b65cbe86298449c9")
	// Once it has settled, the hash is remembered.
	time.Sleep(settled + 100*time.Millisecond)
	check("a52d159f262b2c6ddb724a61840befc36eb30c88877a4030b65cbe86298449c9")
	memos, err := filepath.Glob(filepath.Join(c.Root(), "sha256", "*"))
	if err != nil || len(memos) != 1 {
		t.Errorf("memos %q, %v", memos, err)
	}
	check("a52d159f262b2c6ddb724a61840befc36eb30c88877a4030b65cbe86298449c9")
	// A memo that was damaged is none, even if it has the form of one.
	memo, err := os.ReadFile(memos[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"", "b" + string(memo[1:]), string(memo[:64]), string(memo[:64]) + " \n"} {
		if err := os.WriteFile(memos[0], []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		check("a52d159f262b2c6ddb724a61840befc36eb30c88877a4030b65cbe86298449c9")
	}
	write("abc", mtime)
	check("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")

	if _, err := c.HashFile(t.TempDir()); err == nil {
		t.Error("a folder has a hash")
	}
	if _, err := c.HashFile(path + "-not"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
}

func TestOpenDefault(t *testing.T) {
	base := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", base)
	c, err := Open("")
	if err != nil || c.Root() != filepath.Join(base, "livesplice") {
		t.Errorf("root %q, %v", c.Root(), err)
	}
}
