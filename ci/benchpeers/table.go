package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"
)

// machine is the head of the tables: when and where.
func machine() (string, error) {
	cpu, load, err := processors()
	return fmt.Sprintf("date  %s\nCPU   %s\nload  %s at the start\n", time.Now().UTC().Format(time.DateOnly), cpu, load), err
}

// processors are the model and number of CPUs, and the load average of a minute.
func processors() (cpu, load string, err error) {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "", "", err
	}
	model := "unknown"
	for line := range strings.Lines(string(info)) {
		if key, value, _ := strings.Cut(line, ":"); strings.TrimSpace(key) == "model name" {
			model = strings.TrimSpace(value)
			break
		}
	}
	average, err := os.ReadFile("/proc/loadavg")
	load, _, _ = strings.Cut(string(average), " ")
	return fmt.Sprintf("%s, %d of them", model, runtime.NumCPU()), load, err
}

// table is a subject's figures for people: each peer beside how many times as much it takes as livesplice create, cold by
// cold and warm by warm, wall time and the processor's. A full build has no warm run; it stands beside the cold one.
func (f *figures) table() string {
	var b strings.Builder
	ours, how := f.packages, "from packages"
	if f.tree != (pair{}) {
		ours, how = f.tree, "by the finished build"
	}
	fmt.Fprintf(&b, "%s, %s; ratios to livesplice create %s\n", f.name, f.patch, how)
	fmt.Fprintf(&b, "%-40s %9s %9s %7s %10s %7s\n", "", "", "wall", "ratio", "processor", "ratio")
	line := func(name, which string, c, of cost, peer bool) {
		if c == (cost{}) {
			return
		}
		ratios := [2]string{}
		if peer {
			ratios = [2]string{times(c.wall, of.wall), times(c.cpu, of.cpu)}
		}
		b.WriteString(strings.TrimRight(fmt.Sprintf("%-40s %9s %9s %7s %10s %7s", name, which, seconds(c.wall), ratios[0], seconds(c.cpu), ratios[1]), " ") + "\n")
	}
	both := func(name string, p pair, peer bool) {
		line(name, "cold", p.cold, ours.cold, peer)
		line(name, "warm", p.warm, ours.warm, peer)
	}
	both("livesplice create, from packages", f.packages, false)
	both("livesplice create, by the finished build", f.tree, false)
	both("kpatch-build", f.kpatch, true)
	if r := f.record; r != nil {
		r.lines(both, &b)
	}
	if f.why != "" {
		fmt.Fprintf(&b, "kpatch-build was not run: %s\n", f.why)
	}
	f.bounds(&b)
	return b.String()
}

// bounds are by wall time, of what was measured in this run: how many times faster than kpatch-build an update has to be.
func (f *figures) bounds(b *strings.Builder) {
	if f.kpatch == (pair{}) {
		return
	}
	fmt.Fprintf(b, "\n%-40s %9s %9s\n", "bounds", "measured", "wanted")
	for _, w := range []struct {
		name        string
		theirs, our cost
		want        float64
	}{{"kpatch-build, cold", f.kpatch.cold, f.tree.cold, 100}, {"kpatch-build, warm", f.kpatch.warm, f.tree.warm, 20}} {
		verdict := "FAIL"
		if w.theirs.wall.Seconds() >= w.want*w.our.wall.Seconds() {
			verdict = "PASS"
		}
		fmt.Fprintf(b, "%-40s %9s %9.0f  %s\n", w.name+", times as long", times(w.theirs.wall, w.our.wall), w.want, verdict)
	}
}

// lines are those of what was measured once, and where it is from.
func (r *record) lines(both func(string, pair, bool), b *strings.Builder) {
	by := ""
	if r.Given != "" {
		by = " (given)"
	}
	both("full build"+by, pair{cold: cost{duration(r.Full), duration(r.FullCPU)}}, true)
	both("kpatch-build"+by, pair{cost{wall: duration(r.KpatchCold)}, cost{wall: duration(r.KpatchWarm)}}, true)
	if r.Given != "" {
		fmt.Fprintf(b, "given: %s\n", r.Given)
		return
	}
	fmt.Fprintf(b, "full build: %s, measured on %s, %s, load %s, %s; log %s\n", r.What, r.Date, r.CPU, r.Load, r.Compiler, r.Log)
}

func duration(seconds float64) time.Duration { return time.Duration(seconds * float64(time.Second)) }

func seconds(d time.Duration) string {
	if d == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f s", d.Seconds())
}

// times is how often one time goes into another.
func times(long, short time.Duration) string {
	if long == 0 || short == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f", long.Seconds()/short.Seconds())
}
