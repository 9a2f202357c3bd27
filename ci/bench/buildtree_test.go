package main

import (
	"testing"
	"time"

	"livesplice/pipeline"
)

func TestTreeFigures(t *testing.T) {
	of := func(wall, tools, cpu, toolsCPU time.Duration, peak int64) creation {
		return creation{Wall: wall, Measured: pipeline.Measured{Stages: []pipeline.Timing{{Stage: "diff", Wall: wall, Tools: tools}}, PeakMemory: peak, CPU: cpu, ToolsCPU: toolsCPU}}
	}
	f := &treeFigures{Date: "2026-11-21", Machine: machine{CPU: "Some CPU", CPUs: 8, Used: 2, Load: 0.25, Others: 0.5}, Patches: []treeRun{
		{Patch: "one", Units: 1, Cold: of(9*time.Second, 4*time.Second, 0, 0, 100e6), Warm: of(2500*ms, 2000*ms, 500*ms, 2000*ms, 90e6)},
		{Patch: "header", Units: 100, Cold: of(90*time.Second, 170*time.Second, 0, 0, 100e6), Warm: of(50*time.Second, 96*time.Second, 5*time.Second, 90*time.Second, 650e6)},
	}}
	const want = `livesplice create --build-tree

date       2026-11-21
CPU        Some CPU, 2 of 8 used
load       0.25 at the start; other programs used 0.50 CPUs meanwhile

patch                     units      cold      warm     tools   own CPU tools CPU  CPUs busy     memory
one                           1    9.00 s    2.50 s    2.00 s    0.50 s    2.00 s        50%   100.0 MB
header                      100   90.00 s   50.00 s   96.00 s    5.00 s   90.00 s        95%   650.0 MB

bounds                               measured      wanted
one, warm                              2.50 s       < 5 s  PASS
one, by compilers                  1.25 times < 1.3 times  PASS
one, memory                         100.00 MB    < 600 MB  PASS
header, CPUs busy                   0.95 of 1  > 0.9 of 1  PASS
header, memory                      650.00 MB    < 600 MB  FAIL
`
	if got := f.table(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if f.pass() {
		t.Error("too much memory passes")
	}
	if f.Patches = f.Patches[:1]; !f.pass() {
		t.Error("one unit within its bounds does not pass")
	}
	if (&treeFigures{}).pass() {
		t.Error("nothing measured passes")
	}
}
