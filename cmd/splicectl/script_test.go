package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"livesplice/kmod/livepatch"
	"livesplice/kmod/livepatch/fakekernel"
)

// The scripts run splicectl on a fake machine, whose root is $WORK/root, as the
// user $FAKE_USER. An "install" puts an update on its disk.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"splicectl": splicectl,
		"install":   install,
	})
}

func splicectl() {
	root := os.Getenv("FAKE_ROOT")
	user, err := strconv.Atoi(os.Getenv("FAKE_USER"))
	if err != nil {
		panic(err)
	}
	host := &livepatch.Host{Root: root, Owner: uint32(os.Getuid()), Kernel: &fakekernel.Kernel{Root: root}, Out: os.Stdout, Timeout: time.Second}
	p := &program{host: host, user: user, stdout: os.Stdout, stderr: os.Stderr}
	os.Exit(p.run(context.Background(), os.Args[1:]))
}

// install ID REVISION cumulative|single [FOLDER]
func install() {
	args := append(os.Args[1:], "")
	revision, err := strconv.Atoi(args[1])
	if err == nil {
		_, err = (&fakekernel.Kernel{Root: os.Getenv("FAKE_ROOT")}).Install(args[0], revision, args[2] == "cumulative", args[3])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			root := filepath.Join(env.WorkDir, "root")
			if err := os.Mkdir(root, 0o755); err != nil {
				return err
			}
			env.Setenv("FAKE_ROOT", root)
			env.Setenv("FAKE_USER", "0")
			env.Setenv("BUILDID", fakekernel.BuildID)
			_, err := fakekernel.New(root)
			return err
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits},
	})
}

// exits CODE splicectl ARGS... runs a command that must end with that code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND ARGS...")
	}
	err := ts.Exec(args[1], args[2:]...)
	want := args[0]
	got := "0"
	if err != nil {
		got = err.Error()
		if exit, ok := err.(interface{ ExitCode() int }); ok {
			got = strconv.Itoa(exit.ExitCode())
		}
	}
	if got != want {
		ts.Fatalf("%v: exit code %s, want %s", args[1:], got, want)
	}
}
