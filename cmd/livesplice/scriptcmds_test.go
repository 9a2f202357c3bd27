package main

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"livesplice/pipeline"
)

// create CODE ARGS... runs livesplice create with the shipped kernel's packages and --out out, which must end with that
// code. exits says what else must hold.
func create(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: create CODE ARGS...")
	}
	exits(ts, false, append([]string{args[0], "livesplice", "create", "--source", ts.Getenv("SOURCE"), "--kernel", ts.Getenv("IMAGE"),
		"--kernel", ts.Getenv("HEADERS"), "--kernel", ts.Getenv("COMMON"), "--out", "out"}, args[1:]...))
}

// exits CODE COMMAND ARGS... runs a command that must end with that code. What fails must say why in one place, and must
// not crash; if it is livesplice create, it must print no result but, with --json, the failure, and leave the folder out as it
// was.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND ARGS...")
	}
	before := listing(ts, "out")
	err := ts.Exec(args[1], args[2:]...)
	want, got := args[0], "0"
	if err != nil {
		got = err.Error()
		if exit, ok := err.(interface{ ExitCode() int }); ok {
			got = strconv.Itoa(exit.ExitCode())
		}
	}
	stderr := ts.ReadFile("stderr")
	if got != want {
		ts.Fatalf("%v: exit code %s, want %s\n%s", args[1:], got, want, stderr)
	}
	if strings.Contains(stderr, "goroutine ") {
		ts.Fatalf("%v: a panic:\n%s", args[1:], stderr)
	}
	if got == "0" || len(args) < 3 || args[2] != "create" {
		return
	}
	if n := strings.Count("\n"+stderr, "\nlivesplice: "); n != 1 {
		ts.Fatalf("%v: %d messages on standard error, want one:\n%s", args[1:], n, stderr)
	}
	stdout := ts.ReadFile("stdout")
	if slices.Contains(args, "--json") {
		var f pipeline.Failure
		if err := json.Unmarshal([]byte(stdout), &f); err != nil || strconv.Itoa(f.ExitCode) != want || !strings.Contains(stderr, "livesplice: "+f.Message+"\n") {
			ts.Fatalf("%v: the failure as JSON: %v\n%s\non standard error:\n%s", args[1:], err, stdout, stderr)
		}
	} else if stdout != "" {
		ts.Fatalf("%v: results of a failure on standard output:\n%s", args[1:], stdout)
	}
	if after := listing(ts, "out"); after != before {
		ts.Fatalf("%v: files in out before:\n%s\nafter:\n%s", args[1:], before, after)
	}
}

// listing is what is in a folder of $WORK, with sizes and times; "" if it is not there.
func listing(ts *testscript.TestScript, name string) string {
	var b strings.Builder
	err := filepath.WalkDir(ts.MkAbs(name), func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		b.WriteString(path)
		if !d.IsDir() { // a probe for being writable may change a folder's time
			b.WriteString(" " + strconv.FormatInt(info.Size(), 10) + " " + info.ModTime().String())
		}
		b.WriteString("\n")
		return nil
	})
	if err != nil && !os.IsNotExist(err) {
		ts.Fatalf("folder %s: %v", name, err)
	}
	return b.String()
}

// part copies a file whose bytes change has seen; at is the place that PERCENT names.
func part(ts *testscript.TestScript, neg bool, args []string, change func(data []byte, at int) []byte) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: cut|damage FROM TO PERCENT")
	}
	percent, err := strconv.Atoi(args[2])
	ts.Check(err)
	data, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	data = change(data, len(data)*percent/100)
	ts.Check(os.MkdirAll(filepath.Dir(ts.MkAbs(args[1])), 0o755))
	if err := os.Remove(ts.MkAbs(args[1])); err != nil && !os.IsNotExist(err) { // it may be a hard link
		ts.Fatalf("%v", err)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), data, 0o644))
}

// cut FROM TO PERCENT copies the first part of a file.
func cut(ts *testscript.TestScript, neg bool, args []string) {
	part(ts, neg, args, func(data []byte, at int) []byte { return data[:at] })
}

// damage FROM TO PERCENT copies a file with sixteen bytes inverted.
func damage(ts *testscript.TestScript, neg bool, args []string) {
	part(ts, neg, args, func(data []byte, at int) []byte {
		for i := at; i < min(at+16, len(data)); i++ {
			data[i] ^= 0xff
		}
		return data
	})
}

// spoil cut|empty|alter KIND damages the largest file of each entry of a kind in a cache; "alter" leaves its size and time.
func spoil(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: spoil cut|empty|alter KIND")
	}
	entries, err := filepath.Glob(filepath.Join(ts.MkAbs(args[1]), "[0-9a-zA-Z]*"))
	ts.Check(err)
	if len(entries) == 0 {
		ts.Fatalf("%s: no entries", args[1])
	}
	for _, e := range entries {
		var largest string
		var st os.FileInfo
		ts.Check(filepath.WalkDir(e, func(path string, d os.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			info, err := d.Info()
			if err == nil && (st == nil || info.Size() > st.Size()) {
				largest, st = path, info
			}
			return err
		}))
		switch args[0] {
		case "cut":
			ts.Check(os.Truncate(largest, st.Size()/2))
		case "empty":
			ts.Check(os.Truncate(largest, 0))
		case "alter":
			data, err := os.ReadFile(largest)
			ts.Check(err)
			data[len(data)/2] ^= 0x10
			ts.Check(os.WriteFile(largest, data, 0o644))
			ts.Check(os.Chtimes(largest, st.ModTime(), st.ModTime()))
		default:
			ts.Fatalf("spoil %s: want cut, empty or alter", args[0])
		}
	}
}

// killed N SEED ARGS... starts livesplice N times and kills it at a random moment, which the seed gives; a run that is faster
// counts as well.
func killed(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: killed N SEED ARGS...")
	}
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	seed, err := strconv.ParseUint(args[1], 10, 64)
	ts.Check(err)
	rng := rand.New(rand.NewPCG(seed, 0))
	for range n {
		ctx, stop := context.WithTimeout(context.Background(), time.Duration(500+rng.IntN(3000))*time.Millisecond)
		cmd := exec.CommandContext(ctx, "livesplice", args[2:]...) // the end of ctx is SIGKILL
		cmd.Dir = ts.Getenv("WORK")
		cmd.Env = append(os.Environ(), "XDG_CACHE_HOME="+ts.Getenv("XDG_CACHE_HOME"))
		out, err := cmd.CombinedOutput()
		ts.Logf("%v\n%s", err, out)
		stop()
	}
}

// await PATTERN waits until a file is there.
func await(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: await PATTERN")
	}
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		found, err := filepath.Glob(ts.MkAbs(args[0]))
		ts.Check(err)
		if len(found) > 0 {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("%s: not there after a minute", args[0])
		}
	}
}

// lonely fails if there is a process that $WORK is named to, or that works in it: a child that outlived its parent.
func lonely(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: lonely")
	}
	work := ts.Getenv("WORK")
	entries, err := filepath.Glob("/proc/[0-9]*")
	ts.Check(err)
	for _, p := range entries {
		cmdline, _ := os.ReadFile(p + "/cmdline") // it may be gone by now
		cwd, _ := os.Readlink(p + "/cwd")
		if strings.Contains(string(cmdline), work) || strings.HasPrefix(cwd, work) {
			ts.Fatalf("process %s is still there, in %s: %s", filepath.Base(p), cwd, strings.ReplaceAll(string(cmdline), "\x00", " "))
		}
	}
}
