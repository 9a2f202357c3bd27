package main

import (
	"testing"
	"time"

	"livesplice/pipeline"
)

func TestTable(t *testing.T) {
	stages := func(wall time.Duration, link, tools time.Duration) creation {
		return creation{Wall: wall, Measured: pipeline.Measured{Stages: []pipeline.Timing{
			{Stage: "inputs", Wall: 10 * ms}, {Stage: "link", Wall: link, Tools: tools}}, PeakMemory: 123_450_000}}
	}
	f := &figures{Date: "2026-11-21", Unit: "fs/fcntl.o", Release: "6.1.0-54-amd64", Version: "6.1.190-1", Compiler: "gcc-12 12.2.0",
		Machine: machine{CPU: "Some CPU", CPUs: 8, Used: 2, Load: 0.25, Others: 0.5},
		Cold:    stages(70*time.Second, 35*time.Second, 35*time.Second), Warm: []creation{stages(1500*ms, 1250*ms, 1200*ms)}, Again: stages(20*ms, 0, 0),
		Beside: []timed{{"make fs/fcntl.o, again", 1234 * ms}},
		Parts: []part{{indexPart, 30 * ms, 26 * ms, 65_000_000, 0}, {matchPart + manyFunctions, 700 * ms, 600 * ms, 0, 1586},
			{diffPart + "a.o", 20 * ms, 10 * ms, 4_000_000, 12}, {diffPart + "b.o", 20 * ms, 16 * ms, 4_000_000, 7}},
	}
	const want = `livesplice create for a patch of one unit, fs/fcntl.o

date       2026-11-21
kernel     6.1.0-54-amd64, version 6.1.190-1
compiler   gcc-12 12.2.0
CPU        Some CPU, 2 of 8 used
load       0.25 at the start; other programs used 0.50 CPUs meanwhile

                             cold    warm, median of 1     same patch again
stage              wall     tools       wall     tools       wall     tools
inputs           0.01 s         -     0.01 s         -     0.01 s         -
link            35.00 s   35.00 s     1.25 s    1.20 s     0.00 s         -
start, end      34.99 s         -     0.24 s         -     0.01 s         -
all             70.00 s   35.00 s     1.50 s    1.20 s     0.02 s    0.00 s
own             35.00 s               0.30 s               0.02 s
tools' share                 50 %                 80 %                  0 %
peak memory    123.5 MB             123.5 MB             123.5 MB

kbuild alone                           wall
make fs/fcntl.o, again               1.23 s

work on bytes                             wall  processor     input      rate functions
parse the shipped vmlinux              30.0 ms    26.0 ms   65.0 MB 2500 MB/s
read and match fs/xfs/xfs_trace.o     700.0 ms   600.0 ms                          1586
read and diff a.o                      20.0 ms    10.0 ms    4.0 MB  400 MB/s        12
read and diff b.o                      20.0 ms    16.0 ms    4.0 MB  250 MB/s         7

bounds                               measured      wanted
cold, wall                            70.00 s      < 60 s  FAIL
warm, beyond compilers and kbuild      0.30 s     < 1.5 s  PASS
peak memory of livesplice           123.45 MB    < 500 MB  PASS
index of vmlinux                       0.03 s       < 2 s  PASS
match 1,586 functions                  0.60 s     < 0.3 s  FAIL
diff, the slowest unit            250.00 MB/s  > 200 MB/s  PASS
`
	if got := f.table(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
