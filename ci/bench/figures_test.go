package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"livesplice/pipeline"
)

const ms = time.Millisecond

// run makes a run of one stage.
func run(wall, stage, tools time.Duration, peak int64) creation {
	return creation{Wall: wall, Measured: pipeline.Measured{Stages: []pipeline.Timing{{Stage: "link", Wall: stage, Tools: tools}}, PeakMemory: peak}}
}

func TestCreation(t *testing.T) {
	c := creation{Wall: 2000 * ms, Measured: pipeline.Measured{Stages: []pipeline.Timing{
		{Stage: "inputs", Wall: 300 * ms}, {Stage: "diff", Wall: 700 * ms, Tools: 600 * ms}, {Stage: "link", Wall: 950 * ms, Tools: 900 * ms},
	}}}
	if got, want := c.tools(), 1500*ms; got != want {
		t.Errorf("tools: got %v, want %v", got, want)
	}
	if got, want := c.own(), 500*ms; got != want {
		t.Errorf("own: got %v, want %v", got, want)
	}
	if got, want := c.share(), 0.75; got != want {
		t.Errorf("share: got %v, want %v", got, want)
	}
	if got, want := c.outside(), 50*ms; got != want {
		t.Errorf("outside: got %v, want %v", got, want)
	}
	if got := c.stage("diff").Wall; got != 700*ms {
		t.Errorf("stage diff: got %v", got)
	}
	if got := c.stage("none"); got != (pipeline.Timing{Stage: "none"}) {
		t.Errorf("stage none: got %+v", got)
	}
	if got := (creation{}).share(); got != 0 {
		t.Errorf("share of nothing: got %v", got)
	}
}

func TestMiddle(t *testing.T) {
	for _, tt := range []struct {
		name string
		own  []time.Duration
		want time.Duration
	}{
		{"none", nil, 0},
		{"one", []time.Duration{7 * ms}, 7 * ms},
		{"five in disorder", []time.Duration{9 * ms, 1 * ms, 5 * ms, 2 * ms, 8 * ms}, 5 * ms},
		{"of four the third", []time.Duration{4 * ms, 1 * ms, 3 * ms, 2 * ms}, 3 * ms},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var f figures
			for i, own := range tt.own {
				tools := time.Duration(100-i) * time.Second // the order of own times is not that of wall times
				f.Warm = append(f.Warm, run(own+tools, tools, tools, 0))
			}
			if got := f.middle().own(); got != tt.want {
				t.Errorf("middle: got %v, want %v", got, tt.want)
			}
			if got := median(tt.own); got != tt.want {
				t.Errorf("median: got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestRate(t *testing.T) {
	if got := (part{Bytes: 3_000_000, Wall: 5 * ms, CPU: 20 * ms}).rate(); got != 150 {
		t.Errorf("got %v MB/s, want 150", got)
	}
	if got := (part{Bytes: 3_000_000}).rate(); got != 0 {
		t.Errorf("no time: got %v", got)
	}
}

func TestBounds(t *testing.T) {
	const mb = 1_000_000
	good := func() *figures {
		return &figures{
			Cold: run(59900*ms, 0, 0, 400*mb), Again: run(ms, 0, 0, 30*mb),
			Parts: []part{{Name: indexPart, CPU: 1999 * ms}, {Name: matchPart + manyFunctions, CPU: 299 * ms}, {Name: matchPart + "a.o", CPU: 900 * ms},
				{Name: diffPart + "a.o", CPU: 10 * ms, Bytes: 2_010_000}, {Name: diffPart + "b.o", CPU: 10 * ms, Bytes: 9_000_000}},
			Warm: []creation{run(9400*ms, 8000*ms, 8000*ms, 20*mb), run(9490*ms, 8000*ms, 8000*ms, 10*mb), run(20*time.Second, 0, 0, 30*mb)},
		}
	}
	for _, tt := range []struct {
		name   string
		change func(*figures)
		pass   [6]bool
	}{
		{"all kept; one warm run was disturbed", func(*figures) {}, [6]bool{true, true, true, true, true, true}},
		{"cold at the bound", func(f *figures) { f.Cold.Wall = 60 * time.Second }, [6]bool{false, true, true, true, true, true}},
		{"warm at the bound", func(f *figures) { f.Warm[1].Wall = 9500 * ms }, [6]bool{true, false, true, true, true, true}},
		{"memory of the cold run", func(f *figures) { f.Cold.PeakMemory = 500 * mb }, [6]bool{true, true, false, true, true, true}},
		{"memory of a warm run", func(f *figures) { f.Warm[2].PeakMemory = 501 * mb }, [6]bool{true, true, false, true, true, true}},
		{"memory of the last run", func(f *figures) { f.Again.PeakMemory = 501 * mb }, [6]bool{true, true, false, true, true, true}},
		{"index at the bound", func(f *figures) { f.Parts[0].CPU = 2 * time.Second }, [6]bool{true, true, true, false, true, true}},
		{"match at the bound", func(f *figures) { f.Parts[1].CPU = 300 * ms }, [6]bool{true, true, true, true, false, true}},
		{"diff at the bound", func(f *figures) { f.Parts[3].Bytes = 2_000_000 }, [6]bool{true, true, true, true, true, false}},
		{"the later of two units is slow", func(f *figures) { f.Parts[4].CPU = 90 * ms }, [6]bool{true, true, true, true, true, false}},
		{"nothing measured", func(f *figures) { *f = figures{} }, [6]bool{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := good()
			tt.change(f)
			all := true
			for i, b := range f.bounds() {
				if b.Pass != tt.pass[i] {
					t.Errorf("%s: %v of %v: pass %v, want %v", b.Name, b.Value, b.Limit, b.Pass, tt.pass[i])
				}
				all = all && tt.pass[i]
			}
			if f.pass() != all {
				t.Errorf("pass: got %v, want %v", f.pass(), all)
			}
		})
	}
}

func TestVary(t *testing.T) {
	patch, err := os.ReadFile(filepath.Join("..", "..", patchFile))
	if err != nil {
		t.Fatal(err)
	}
	one, err := vary(patch, 1)
	if err != nil {
		t.Fatal(err)
	}
	two, err := vary(patch, 2)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(one, patch) || bytes.Equal(one, two) || bytes.Count(one, []byte("\n")) != bytes.Count(patch, []byte("\n")) {
		t.Errorf("the patches do not differ in one line each:\n%s\n%s", one, two)
	}
	if _, err := vary([]byte("--- a/x\n"), 1); err == nil {
		t.Error("a patch without the comment: no error")
	}
}

func TestOnlyParts(t *testing.T) {
	f := &figures{OnlyParts: true, Parts: []part{{Name: indexPart, CPU: ms}, {Name: matchPart + manyFunctions, CPU: ms}, {Name: diffPart, CPU: ms, Bytes: 1_000_000}}}
	if n := len(f.bounds()); n != 3 || !f.pass() {
		t.Errorf("%d bounds, pass %v: %+v", n, f.pass(), f.bounds())
	}
	if text := f.table(); strings.Contains(text, "kbuild alone") || strings.Contains(text, "cold") {
		t.Errorf("in the table is what was not measured:\n%s", text)
	}
}
