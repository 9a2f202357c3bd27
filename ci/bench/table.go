package main

import (
	"fmt"
	"strings"
	"time"
)

// table is the figures for people, in fixed columns.
func (f *figures) table() string {
	var b strings.Builder
	line := func(format string, args ...any) {
		b.WriteString(strings.TrimRight(fmt.Sprintf(format, args...), " ") + "\n")
	}
	if !f.OnlyParts {
		line("livesplice create for a patch of one unit, %s", f.Unit)
		line("")
	}
	for _, r := range [][2]string{
		{"date", f.Date},
		{"kernel", f.Release + ", version " + f.Version},
		{"compiler", f.Compiler},
		{"CPU", fmt.Sprintf("%s, %d of %d used", f.Machine.CPU, f.Machine.Used, f.Machine.CPUs)},
		{"load", fmt.Sprintf("%.2f at the start; other programs used %.2f CPUs meanwhile", f.Machine.Load, f.Machine.Others)},
	} {
		line("%-10s %s", r[0], r[1])
	}
	line("")
	if !f.OnlyParts {
		f.stages(line)
		line("")
		line("%-33s %9s", "kbuild alone", "wall")
		for _, t := range f.Beside {
			line("%-33s %9s", t.Name, seconds(t.Wall))
		}
		line("")
	}
	line("%-35s %10s %10s %9s %9s %9s", "work on bytes", "wall", "processor", "input", "rate", "functions")
	for _, p := range f.Parts {
		functions, input, rate := "", "", ""
		if p.Functions > 0 {
			functions = fmt.Sprint(p.Functions)
		}
		if p.Bytes > 0 {
			input, rate = megabytes(p.Bytes), fmt.Sprintf("%.0f MB/s", p.rate())
		}
		line("%-35s %7.1f ms %7.1f ms %9s %9s %9s", p.Name, p.Wall.Seconds()*1e3, p.CPU.Seconds()*1e3, input, rate, functions)
	}
	line("")
	writeBounds(line, f.bounds())
	return b.String()
}

// writeBounds prints what was to be reached, and whether it was.
func writeBounds(line func(string, ...any), bounds []bound) {
	line("%-33s %11s %11s", "bounds", "measured", "wanted")
	for _, o := range bounds {
		verdict := "FAIL"
		if o.Pass {
			verdict = "PASS"
		}
		sign := "<"
		if o.Above {
			sign = ">"
		}
		line("%-33s %11s %11s  %s", o.Name, fmt.Sprintf("%.2f %s", o.Value, o.Unit), fmt.Sprintf("%s %g %s", sign, o.Limit, o.Unit), verdict)
	}
}

// stages prints the runs of livesplice side by side: wall time, and the time in compilers and kbuild within it.
func (f *figures) stages(line func(string, ...any)) {
	runs := []creation{f.Cold, f.middle(), f.Again}
	row := func(name string, cell func(creation) (string, string)) {
		text := fmt.Sprintf("%-12s", name)
		for _, r := range runs {
			a, b := cell(r)
			text += fmt.Sprintf(" %10s %9s", a, b)
		}
		line("%s", text)
	}
	line("%-12s %20s %20s %20s", "", "cold", fmt.Sprintf("warm, median of %d", len(f.Warm)), "same patch again")
	row("stage", func(creation) (string, string) { return "wall", "tools" })
	for _, s := range f.Cold.Stages {
		row(s.Stage, func(c creation) (string, string) {
			t := c.stage(s.Stage)
			tools := "-"
			if t.Tools > 0 {
				tools = seconds(t.Tools)
			}
			return seconds(t.Wall), tools
		})
	}
	row("start, end", func(c creation) (string, string) { return seconds(c.outside()), "-" })
	row("all", func(c creation) (string, string) { return seconds(c.Wall), seconds(c.tools()) })
	row("own", func(c creation) (string, string) { return seconds(c.own()), "" })
	row("tools' share", func(c creation) (string, string) { return "", fmt.Sprintf("%.0f %%", 100*c.share()) })
	row("peak memory", func(c creation) (string, string) { return megabytes(c.PeakMemory), "" })
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }

// megabytes are millions of bytes.
func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }
