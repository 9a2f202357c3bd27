package pipeline

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"livesplice/kconfig"
	"livesplice/kmod/diff"
	"livesplice/kmod/match"
	"livesplice/pipeline/rebuild"
)

// failures are one error of each kind, as JSON on one line.
var failures = []struct {
	name string
	err  error
	want string
}{
	{"none", nil, `null`},
	{"fault", errors.New("disk full"), `{"format":1,"exit_code":1,"kind":"fault","message":"disk full"}`},
	{"usage", &kconfig.UsageError{Thing: `flag "--id"`, Reason: "too short"},
		`{"format":1,"exit_code":2,"kind":"usage","message":"flag \"--id\": too short"}`},
	{"no change", ErrNoChange, `{"format":1,"exit_code":3,"kind":"no-change","message":"the patch changes no object code: nothing to update"}`},
	{"refused", fmt.Errorf("x: %w", diff.Refusals{{Code: "data-changed", Unit: "fs/pipe.c", Subject: "pipe_max_size", Source: "fs/pipe.c:57", Reason: "content changed", Remedy: "change the code"}}),
		`{"format":1,"exit_code":4,"kind":"refused","message":"x: refused: fs/pipe.c:57: pipe_max_size: content changed [data-changed]; change the code",` +
			`"refusals":[{"code":"data-changed","unit":"fs/pipe.c","subject":"pipe_max_size","source":"fs/pipe.c:57","reason":"content changed","remedy":"change the code"}]}`},
	{"refused by the rebuild", &rebuild.Refusal{File: "include/linux/sched.h", Reason: "it changes constants", Remedy: "keep the layout"},
		`{"format":1,"exit_code":4,"kind":"refused","message":"file \"include/linux/sched.h\": it changes constants (keep the layout)",` +
			`"refusals":[{"code":"layout-changed","unit":"include/linux/sched.h","subject":"assembly","reason":"it changes constants","remedy":"keep the layout"}]}`},
	{"mismatch", &match.Mismatch{Differences: []match.Difference{{Unit: "fs/open.c", Subject: "do_sys_open", Address: 0x1000, Reason: "other code"}}},
		`{"format":1,"exit_code":5,"kind":"mismatch","message":"no match: fs/open.c: do_sys_open at 0x1000: other code\nthe source, its configuration or the compiler is not what the shipped kernel was built with",` +
			`"differences":[{"unit":"fs/open.c","subject":"do_sys_open","reason":"other code","address":"0x1000"}]}`},
	{"another compiler", &rebuild.CompilerError{Path: "gcc-12", Want: "gcc-12 12.2.0", Got: "gcc-12 12.1.0"},
		`{"format":1,"exit_code":5,"kind":"mismatch","message":"compiler \"gcc-12\": is \"gcc-12 12.1.0\", want the one that built the kernel, \"gcc-12 12.2.0\" (Debian package gcc-12)"}`},
	{"build", &rebuild.BuildError{Unit: "fs/open.o", Command: "gcc-12 -c", ExitCode: 1, FirstError: "fs/open.c:12:3: error: no", Log: "long"},
		`{"format":1,"exit_code":6,"kind":"build","message":"build of \"fs/open.o\": fs/open.c:12:3: error: no",` +
			`"build":{"unit":"fs/open.o","command":"gcc-12 -c","exit_code":1,"first_error":"fs/open.c:12:3: error: no"}}`},
}

func TestFailure(t *testing.T) {
	for _, tt := range failures {
		t.Run(tt.name, func(t *testing.T) {
			got, err := json.Marshal(NewFailure(tt.err))
			if err != nil || string(got) != tt.want {
				t.Errorf("%v\n got %s\nwant %s", err, got, tt.want)
			}
		})
	}
}
