package cache

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

func matches(pattern, text string) bool { return regexp.MustCompile(pattern).MatchString(text) }

// The tests of Trim take several processes: a process keeps what it has used until it ends. Each role is one of them.
const (
	roleVar = "CACHE_TEST_ROLE" // "hold k1 k2": use these and wait for the end of standard input; "has k1 k2": ask for them; "trim N"; "work SEED"
	rootVar = "CACHE_TEST_ROOT"
)

func TestMain(m *testing.M) {
	role := strings.Fields(os.Getenv(roleVar))
	if len(role) == 0 {
		os.Exit(m.Run())
	}
	if err := act(role); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

// act is what a process in a role does.
func act(role []string) error {
	c, err := Open(os.Getenv(rootVar))
	if err != nil {
		return err
	}
	switch role[0] {
	case "hold", "has":
		for _, key := range role[1:] {
			if role[0] == "has" {
				if !c.Has("k", key) {
					return fmt.Errorf("Has says no of %s", key)
				}
			} else if err := use(c, key); err != nil {
				return err
			}
		}
		fmt.Println("holding")
		if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
			return err
		}
		for _, key := range role[1:] {
			if err := read(c, key); err != nil {
				return err
			}
		}
	case "trim":
		limit, err := strconv.ParseInt(role[1], 10, 64)
		if err != nil {
			return err
		}
		got, err := c.Trim(context.Background(), limit)
		if err != nil {
			return err
		}
		fmt.Printf("trimmed %d to %d, removed %d\n", got.Before, got.After, got.Removed)
	case "work":
		seed, err := strconv.ParseUint(role[1], 10, 64)
		if err != nil {
			return err
		}
		rng := rand.New(rand.NewPCG(seed, 0))
		var held []string
		for range 20 {
			key := string(rune('a' + rng.IntN(8)))
			if err := use(c, key); err != nil {
				return err
			}
			held = append(held, key)
			time.Sleep(time.Duration(rng.IntN(1000)) * time.Microsecond)
			for _, key := range held {
				if err := read(c, key); err != nil {
					return err
				}
			}
		}
	default:
		return fmt.Errorf("role %q is not known", role)
	}
	return nil
}

// use asks the cache for an entry of two files, and reads it.
func use(c *Cache, key string) error {
	_, err := c.Dir(context.Background(), "k", key, func(_ context.Context, dir string) error {
		if err := os.WriteFile(filepath.Join(dir, "f"), []byte(key), 0o644); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, "g"), []byte(key+key), 0o644)
	})
	if err != nil {
		return err
	}
	return read(c, key)
}

func read(c *Cache, key string) error {
	f, err := os.ReadFile(filepath.Join(c.Root(), "k", key, "f"))
	g, gerr := os.ReadFile(filepath.Join(c.Root(), "k", key, "g"))
	if err != nil || gerr != nil || string(f) != key || string(g) != key+key {
		return fmt.Errorf("entry %s, which is in use: %q %v, %q %v", key, f, err, g, gerr)
	}
	return nil
}

// used is use, by this process.
func used(t *testing.T, c *Cache, keys ...string) {
	t.Helper()
	for _, key := range keys {
		if err := use(c, key); err != nil {
			t.Fatal(err)
		}
	}
}

// role starts a process.
func role(t *testing.T, root, what string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), roleVar+"="+what, rootVar+"="+root)
	return cmd
}

// play runs a process to its end.
func play(t *testing.T, root, what string) string {
	t.Helper()
	out, err := role(t, root, what).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", what, err, out)
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return line
}

func keys(t *testing.T, root string) string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(root, "k"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") {
			names = append(names, e.Name())
		}
	}
	return strings.Join(names, " ")
}

// each is what an entry of use takes: two names and two blocks.
const each = 4 * blockSize

func TestTrimRemovesWhatWasUsedLongestAgo(t *testing.T) {
	root := t.TempDir()
	for _, what := range []string{"hold a b c d", "hold b", "hold a"} { // standard input is at its end
		play(t, root, what)
	}
	if got, want := play(t, root, fmt.Sprintf("trim %d", 4*each)), fmt.Sprintf("trimmed %d to %d, removed 0", 4*each, 4*each); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := play(t, root, fmt.Sprintf("trim %d", 3*each-1)), fmt.Sprintf("trimmed %d to %d, removed 2", 4*each, 2*each); got != want || keys(t, root) != "a b" {
		t.Errorf("got %s, left %s, want %s, left a b", got, keys(t, root), want)
	}
	if play(t, root, fmt.Sprintf("trim %d", each)); keys(t, root) != "a" {
		t.Errorf("left %s, want a", keys(t, root))
	}
	if play(t, root, "trim 0"); keys(t, root) != "" {
		t.Errorf("left %s, want nothing", keys(t, root))
	}
	if runs, err := filepath.Glob(filepath.Join(root, "runs", "*")); err != nil || len(runs) > 1 {
		t.Errorf("processes that are dead: %q, %v", runs, err)
	}
}

func TestTrimLeavesWhatIsInUse(t *testing.T) {
	for _, how := range []string{"hold b", "has b"} {
		t.Run(how, func(t *testing.T) { leavesWhatIsInUse(t, how) })
	}
}

func leavesWhatIsInUse(t *testing.T, how string) {
	root := t.TempDir()
	play(t, root, "hold a b c")
	holder := role(t, root, how)
	in, err := holder.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := holder.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "holding\n" {
		t.Fatalf("the holder says %q, %v", line, err)
	}
	play(t, root, "hold c") // used after the holder began, by a process that is dead: nobody can tell whether the holder did
	if play(t, root, "trim 0"); keys(t, root) != "b c" {
		t.Errorf("left %s, want b c", keys(t, root))
	}
	if err := holder.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	in.Close()
	_ = holder.Wait()
	if play(t, root, "trim 0"); keys(t, root) != "" {
		t.Errorf("left %s, want nothing", keys(t, root))
	}
}

// TestManyProcesses has processes use, fill and read entries while others remove all that they may, and some are killed.
func TestManyProcesses(t *testing.T) {
	root, removed := t.TempDir(), 0
	for seed := range 4 {
		var workers []*exec.Cmd
		for i := range 3 {
			w := role(t, root, fmt.Sprintf("work %d", 3*seed+i))
			var log strings.Builder
			w.Stdout, w.Stderr = &log, &log
			if err := w.Start(); err != nil {
				t.Fatal(err)
			}
			workers = append(workers, w)
		}
		victim := role(t, root, fmt.Sprintf("work %d", 1000+seed))
		if err := victim.Start(); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if !strings.HasSuffix(play(t, root, "trim 0"), "removed 0") {
				removed++
			}
		}
		_ = victim.Process.Kill()
		_ = victim.Wait()
		for _, w := range workers {
			if err := w.Wait(); err != nil {
				t.Fatalf("%v\n%v", err, w.Stdout)
			}
		}
	}
	if removed == 0 {
		t.Error("nothing was removed meanwhile")
	}
	play(t, root, "trim 0")
	if left := temporary(t, &Cache{root: root}); keys(t, root) != "" || len(left) > 0 {
		t.Errorf("left %s and %q", keys(t, root), left)
	}
}

func TestUsage(t *testing.T) {
	c := open(t)
	used(t, c, "a", "b")
	if _, err := c.Dir(t.Context(), "another", "x", writer("text")); err != nil {
		t.Fatal(err)
	}
	got, err := c.Usage()
	if err != nil || len(got) != 2 {
		t.Fatalf("%+v, %v", got, err)
	}
	for i := range got {
		if time.Since(got[i].Used) > time.Minute {
			t.Errorf("used %v", got[i].Used)
		}
		got[i].Used = time.Time{}
	}
	if want := []Usage{{Kind: "another", Entries: 1, Bytes: 2 * blockSize}, {Kind: "k", Entries: 2, Bytes: 2 * each}}; !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if !c.Filled() {
		t.Error("Filled says no")
	}
}

// TestLeftovers: what processes that died have left goes, what is being worked on stays.
func TestLeftovers(t *testing.T) {
	c := open(t)
	used(t, c, "a")
	stale := filepath.Join(c.Root(), "k", ".b.tmp-1")
	busy := filepath.Join(c.Root(), "k", ".c.tmp-1")
	for _, dir := range []string{stale, busy} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	orphan, whole := filepath.Join(c.Root(), "k", ".b.files"), filepath.Join(c.Root(), "k", ".a.files")
	if err := os.WriteFile(orphan, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	unlock, err := tryLock(filepath.Join(c.Root(), "k", ".c.lock"), exclusive)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	if _, err := c.Trim(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	if isDir(stale) || !isDir(busy) || keys(t, c.Root()) != "a" {
		t.Errorf("stale %v, busy %v, entries %s", isDir(stale), isDir(busy), keys(t, c.Root()))
	}
	if _, err := os.Stat(orphan); !os.IsNotExist(err) {
		t.Errorf("the manifest of no entry: %v", err)
	}
	if _, err := os.Stat(whole); err != nil {
		t.Errorf("the manifest of an entry: %v", err)
	}
}
