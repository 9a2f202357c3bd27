package pipeline

import (
	"encoding/json"
	"strings"
	"testing"
)

// update is a Report with a warning.
const updateJSON = `{"id":"0123abcd","warnings":[{"code":"lock-added","unit":"fs/pipe.c","subject":"pipe_read","source":"fs/pipe.c:230","reason":"takes a lock","remedy":"look: 100%, twice"}]}`

func TestAnnotations(t *testing.T) {
	for _, tt := range []struct{ name, in, github, gitlab string }{
		{"an update", `{"id":"0123abcd"}`, "", `[]`},
		{"a warning", updateJSON,
			"::warning file=fs/pipe.c,line=230,title=livesplice lock-added::pipe_read: takes a lock; look: 100%25, twice\n",
			`[{"description":"pipe_read: takes a lock; look: 100%, twice","check_name":"livesplice-lock-added","fingerprint":"db6e6a8e02dfeb98a6623bd48a8132dd","severity":"minor","location":{"path":"fs/pipe.c","lines":{"begin":230}}}]`},
		{"two refusals", `{"format":1,"exit_code":4,"kind":"refused","message":"x","refusals":[` +
			`{"code":"data-changed","unit":"fs/pipe.c","subject":"a","source":"fs/pipe.c:57","reason":"b","remedy":"c"},` +
			`{"code":"header-changed","unit":"include/a,b:c.h","subject":"header","reason":"d\ne","remedy":"f"}]}`,
			"::error file=fs/pipe.c,line=57,title=livesplice data-changed::a: b; c\n" +
				"::error file=include/a%2Cb%3Ac.h,title=livesplice header-changed::header: d%0Ae; f\n",
			`[{"description":"a: b; c","check_name":"livesplice-data-changed","fingerprint":"67289d81e8ec11843eae62326c099aec","severity":"blocker","location":{"path":"fs/pipe.c","lines":{"begin":57}}},` +
				`{"description":"header: d\ne; f","check_name":"livesplice-header-changed","fingerprint":"cbdb947c652f5c4392124f9954030f13","severity":"blocker","location":{"path":"include/a,b:c.h","lines":{"begin":1}}}]`},
		{"a mismatch", `{"exit_code":5,"kind":"mismatch","message":"x","differences":[{"unit":"fs/open.c","subject":"do_sys_open","reason":"other code"}]}`,
			"::error file=fs/open.c,title=livesplice mismatch::fs/open.c: do_sys_open: other code\n", ""},
		{"the build", `{"exit_code":6,"kind":"build","message":"x","build":{"unit":"fs/open.o","exit_code":1,"first_error":"fs/open.c:12:3: error: no such thing"}}`,
			"::error file=fs/open.c,line=12,title=livesplice build::error: no such thing\n", ""},
		{"the build, without a place", `{"exit_code":6,"kind":"build","message":"build of \"x\": killed","build":{"unit":"x","exit_code":1}}`,
			"::error title=livesplice build::build of \"x\": killed\n", ""},
		{"no change", `{"exit_code":3,"kind":"no-change","message":"nothing to update"}`, "::notice title=livesplice no-change::nothing to update\n",
			`[{"description":"nothing to update","check_name":"livesplice-no-change","fingerprint":"795772e2f1fc19a7c34acbe1b1017db8","severity":"info","location":{"path":".","lines":{"begin":1}}}]`},
		{"usage", `{"exit_code":2,"kind":"usage","message":"flag \"--id\": too short"}`, "::error title=livesplice usage::flag \"--id\": too short\n", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			list, err := ReadAnnotations([]byte(tt.in))
			if err != nil {
				t.Fatal(err)
			}
			if got := WorkflowCommands(list); got != tt.github {
				t.Errorf("github\n got %q\nwant %q", got, tt.github)
			}
			got, err := json.Marshal(CodeQuality(list))
			if err != nil || tt.gitlab != "" && string(got) != tt.gitlab {
				t.Errorf("gitlab: %v\n got %s\nwant %s", err, got, tt.gitlab)
			}
		})
	}
}

func TestNoAnnotations(t *testing.T) {
	for in, want := range map[string]string{
		"":                     "unexpected end of JSON input",
		"::error":              "invalid character ':' looking for beginning of value",
		"{}":                   "neither an update's id nor an exit_code in it",
		`{"exit_code":"4"}`:    "cannot unmarshal string",
		`{"id":"0123abcd"} {}`: "invalid character '{' after top-level value",
	} {
		if _, err := ReadAnnotations([]byte(in)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %s", in, err, want)
		}
	}
}

// Whatever a result holds: each annotation is one line, which nothing in it can end.
func FuzzReadAnnotations(f *testing.F) {
	f.Add([]byte(updateJSON))
	for _, tt := range failures {
		b, err := json.Marshal(NewFailure(tt.err))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		list, err := ReadAnnotations(data)
		if err != nil {
			return
		}
		lines := strings.Split(WorkflowCommands(list), "\n")
		if len(lines) != len(list)+1 || lines[len(list)] != "" {
			t.Errorf("%d annotations, %d lines", len(list), len(lines)-1)
		}
		for _, line := range lines[:len(list)] {
			if !strings.HasPrefix(line, "::") || strings.Count(line, "title=livesplice ") < 1 || strings.ContainsRune(line, '\r') {
				t.Errorf("line %q", line)
			}
		}
		for _, issue := range CodeQuality(list) {
			if issue.Location.Path == "" || issue.Location.Lines.Begin < 1 {
				t.Errorf("issue %+v", issue)
			}
		}
	})
}
