package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"livesplice/ci/program"
	"livesplice/pipeline"
)

// The bounds of an update that is made by the finished build.
const (
	buildWallBound   = 5.0   // seconds, of one unit, warm
	buildRatioBound  = 1.3   // of one unit: the whole time by that of compilers and kbuild
	buildBusyBound   = 0.9   // of a hundred units and more: the part of both CPUs that is used while they are compiled
	buildMemoryBound = 600e6 // bytes, of livesplice itself
	manyUnits        = 100
)

// treeFigures are what updates by a finished build cost.
type treeFigures struct {
	Date    string    `json:"date"`
	Tree    string    `json:"tree"`
	Machine machine   `json:"machine"`
	Patches []treeRun `json:"patches"`
}

// treeRun is one patch: from an empty cache, and with index and pre in the cache.
type treeRun struct {
	Patch string   `json:"patch"`
	Units int      `json:"units"`
	Cold  creation `json:"cold"`
	Warm  creation `json:"warm"`
}

// busy is the part of the CPUs that the warm run used, from its beginning to its end.
func (r treeRun) busy(cpus int) float64 {
	if r.Warm.Wall <= 0 || cpus <= 0 {
		return 0
	}
	return (r.Warm.CPU + r.Warm.ToolsCPU).Seconds() / r.Warm.Wall.Seconds() / float64(cpus)
}

// ratio is the processor time of the warm run by that of compilers and kbuild, which other programs disturb least.
func (r treeRun) ratio() float64 {
	if r.Warm.ToolsCPU <= 0 {
		return 0
	}
	return (r.Warm.CPU + r.Warm.ToolsCPU).Seconds() / r.Warm.ToolsCPU.Seconds()
}

func (f *treeFigures) bounds() []bound {
	var list []bound
	for _, r := range f.Patches {
		if r.Units == 1 {
			list = append(list, below(r.Patch+", warm", r.Warm.Wall.Seconds(), buildWallBound, "s"), below(r.Patch+", by compilers", r.ratio(), buildRatioBound, "times"))
		}
		if r.Units >= manyUnits {
			list = append(list, above(r.Patch+", CPUs busy", r.busy(f.Machine.Used), buildBusyBound, "of 1"))
		}
		list = append(list, below(r.Patch+", memory", float64(max(r.Cold.PeakMemory, r.Warm.PeakMemory))/1e6, buildMemoryBound/1e6, "MB"))
	}
	return list
}

func (f *treeFigures) values() any {
	return struct {
		*treeFigures
		Bounds []bound `json:"bounds"`
	}{f, f.bounds()}
}

func (f *treeFigures) pass() bool {
	for _, b := range f.bounds() {
		if !b.Pass {
			return false
		}
	}
	return len(f.Patches) > 0
}

// benchTree measures livesplice create --build-tree for each patch.
func benchTree(ctx context.Context, tree, image string, patches []string) (*treeFigures, error) {
	dir, err := os.MkdirTemp("", "livesplice-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	b := &setting{dir: dir, cache: filepath.Join(dir, "cache"), program: filepath.Join(dir, "livesplice")}
	if b.cores, err = twoCores(); err != nil {
		return nil, err
	}
	f := &treeFigures{Date: time.Now().UTC().Format(time.DateOnly), Tree: tree}
	if f.Machine, err = thisMachine(len(b.cores)); err != nil {
		return nil, err
	}
	if err := program.Build(ctx, b.program, os.Stderr); err != nil {
		return nil, err
	}
	busy, err := startBusy()
	if err != nil {
		return nil, err
	}
	for _, p := range patches {
		r := treeRun{Patch: strings.TrimSuffix(filepath.Base(p), ".patch")}
		say(r.Patch + ", cold")
		if r.Cold, r.Units, err = b.createByTree(ctx, tree, image, p); err != nil {
			return nil, err
		}
		if err := os.RemoveAll(filepath.Join(b.cache, "post")); err != nil {
			return nil, err
		}
		say(r.Patch + ", warm")
		if r.Warm, _, err = b.createByTree(ctx, tree, image, p); err != nil {
			return nil, err
		}
		f.Patches = append(f.Patches, r)
	}
	f.Machine.Others, err = busy.others()
	return f, err
}

// createByTree runs livesplice create --build-tree once.
func (b *setting) createByTree(ctx context.Context, tree, image, patch string) (c creation, units int, err error) {
	out, timings := filepath.Join(b.dir, "out"), filepath.Join(b.dir, "timings.json")
	res, err := b.run(ctx, os.Environ(), b.program, "--cache", b.cache, "create", "--build-tree", tree, "--kernel", image, "--timings", timings, "--out", out, patch)
	if err != nil {
		return c, 0, fmt.Errorf("livesplice create: %w\n%s", err, res.Stderr)
	}
	var m pipeline.Measured
	var plan struct{ Units []struct{} }
	plans, err := filepath.Glob(filepath.Join(out, "livesplice-*", "plan.json"))
	if err != nil || len(plans) != 1 {
		return c, 0, fmt.Errorf("folder %q: want one plan.json", out)
	}
	for file, v := range map[string]any{timings: &m, plans[0]: &plan} {
		text, err := os.ReadFile(file)
		if err != nil {
			return c, 0, err
		}
		if err := json.Unmarshal(text, v); err != nil {
			return c, 0, fmt.Errorf("file %q: %w", file, err)
		}
	}
	return creation{Wall: res.Wall, Measured: m}, len(plan.Units), os.RemoveAll(out)
}

// table is the figures for people.
func (f *treeFigures) table() string {
	var t strings.Builder
	line := func(format string, args ...any) {
		fmt.Fprintln(&t, strings.TrimRight(fmt.Sprintf(format, args...), " "))
	}
	line("livesplice create --build-tree")
	line("")
	line("%-10s %s", "date", f.Date)
	line("%-10s %s, %d of %d used", "CPU", f.Machine.CPU, f.Machine.Used, f.Machine.CPUs)
	line("%-10s %.2f at the start; other programs used %.2f CPUs meanwhile", "load", f.Machine.Load, f.Machine.Others)
	line("")
	line("%-24s %6s %9s %9s %9s %9s %9s %10s %10s", "patch", "units", "cold", "warm", "tools", "own CPU", "tools CPU", "CPUs busy", "memory")
	for _, r := range f.Patches {
		line("%-24s %6d %9s %9s %9s %9s %9s %9.0f%% %10s", r.Patch, r.Units, seconds(r.Cold.Wall), seconds(r.Warm.Wall), seconds(r.Warm.tools()), seconds(r.Warm.CPU), seconds(r.Warm.ToolsCPU),
			100*r.busy(f.Machine.Used), megabytes(max(r.Cold.PeakMemory, r.Warm.PeakMemory)))
	}
	line("")
	writeBounds(line, f.bounds())
	return t.String()
}
