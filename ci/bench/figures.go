package main

import (
	"slices"
	"strings"
	"time"

	"livesplice/pipeline"
)

// The bounds: what an update of one unit may cost.
const (
	coldBound   = 60 * time.Second        // from packages and an empty cache, on two cores
	warmBound   = 1500 * time.Millisecond // beyond the compilers' and kbuild's own time
	memoryBound = 500e6                   // bytes, of livesplice itself
	indexBound  = 2 * time.Second         // to read vmlinux and its symbols
	matchBound  = 300 * time.Millisecond  // to read and match an object of 1,000 functions or more
	diffBound   = 200                     // millions of bytes of objects read and compared in a second, at least
)

// The parts that have bounds, by their names; a unit's name follows the last two.
const (
	indexPart = "parse the shipped vmlinux"
	diffPart  = "read and diff "
	matchPart = "read and match "
)

// figures is everything that was measured. Durations in JSON are nanoseconds.
type figures struct {
	Date     string     `json:"date"`
	Unit     string     `json:"unit"`
	Release  string     `json:"release"`
	Version  string     `json:"version"`
	Compiler string     `json:"compiler"`
	Machine  machine    `json:"machine"`
	Cold     creation   `json:"cold"`
	Warm     []creation `json:"warm"`
	Again    creation   `json:"again"`
	Beside   []timed    `json:"beside"`
	Parts    []part     `json:"parts"`

	OnlyParts bool `json:"only_parts,omitempty"` // nothing else was measured
}

// creation is one run of livesplice create.
type creation struct {
	Wall time.Duration `json:"wall_ns"` // of the process
	pipeline.Measured
}

// timed is something that took time.
type timed struct {
	Name string        `json:"name"`
	Wall time.Duration `json:"wall_ns"`
}

// part is work on bytes: the median of several times. Bounds are on processor time, which other programs disturb least.
type part struct {
	Name      string        `json:"name"`
	Wall      time.Duration `json:"wall_ns"`
	CPU       time.Duration `json:"cpu_ns"`
	Bytes     int64         `json:"bytes,omitempty"`     // of input
	Functions int           `json:"functions,omitempty"` // compared, or found
}

// rate is the input by processor time, in millions of bytes a second.
func (p part) rate() float64 {
	if p.CPU <= 0 {
		return 0
	}
	return float64(p.Bytes) / 1e6 / p.CPU.Seconds()
}

// tools is the time in compilers and kbuild. For one unit they run one after the other, so it is wall time.
func (c creation) tools() time.Duration {
	var sum time.Duration
	for _, s := range c.Stages {
		sum += s.Tools
	}
	return sum
}

// own is the time beyond that of compilers and kbuild. Unpacking programs count as livesplice's.
func (c creation) own() time.Duration { return c.Wall - c.tools() }

// share is the part of the time that was spent in compilers and kbuild, from 0 to 1.
func (c creation) share() float64 {
	if c.Wall <= 0 {
		return 0
	}
	return c.tools().Seconds() / c.Wall.Seconds()
}

// outside is the time before the first stage and after the last: the start of the process and its end.
func (c creation) outside() time.Duration {
	rest := c.Wall
	for _, s := range c.Stages {
		rest -= s.Wall
	}
	return rest
}

// stage is the timing of a stage; zero if there was none of this name.
func (c creation) stage(name string) pipeline.Timing {
	for _, s := range c.Stages {
		if s.Stage == name {
			return s
		}
	}
	return pipeline.Timing{Stage: name}
}

// middle is the warm run of median own time: a real one, so that its stages add up. Of an even number it is the
// slower of the two in the middle.
func (f *figures) middle() creation {
	sorted := slices.SortedFunc(slices.Values(f.Warm), func(a, b creation) int { return int(a.own() - b.own()) })
	if len(sorted) == 0 {
		return creation{}
	}
	return sorted[len(sorted)/2]
}

// median is the middle one; of an even number the slower of the two in the middle.
func median(times []time.Duration) time.Duration {
	if len(times) == 0 {
		return 0
	}
	return slices.Sorted(slices.Values(times))[len(times)/2]
}

// peak is the most memory that livesplice took in any run, in bytes.
func (f *figures) peak() int64 {
	peak := max(f.Cold.PeakMemory, f.Again.PeakMemory)
	for _, w := range f.Warm {
		peak = max(peak, w.PeakMemory)
	}
	return peak
}

// bound is a figure and what it must stay below, or above.
type bound struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Limit float64 `json:"limit"`
	Unit  string  `json:"unit"`
	Above bool    `json:"above,omitempty"` // the value must be above the limit
	Pass  bool    `json:"pass"`
}

func below(name string, value, limit float64, unit string) bound {
	return bound{Name: name, Value: value, Limit: limit, Unit: unit, Pass: value > 0 && value < limit}
}

func above(name string, value, limit float64, unit string) bound {
	return bound{Name: name, Value: value, Limit: limit, Unit: unit, Above: true, Pass: value > limit}
}

func (f *figures) bounds() []bound {
	list := []bound{
		below("cold, wall", f.Cold.Wall.Seconds(), coldBound.Seconds(), "s"),
		below("warm, beyond compilers and kbuild", f.middle().own().Seconds(), warmBound.Seconds(), "s"),
		below("peak memory of livesplice", float64(f.peak())/1e6, memoryBound/1e6, "MB"),
	}
	if f.OnlyParts {
		list = nil
	}
	return append(list,
		below("index of vmlinux", f.part(indexPart).CPU.Seconds(), indexBound.Seconds(), "s"),
		below("match 1,586 functions", f.part(matchPart+manyFunctions).CPU.Seconds(), matchBound.Seconds(), "s"),
		above("diff, the slowest unit", f.slowestDiff(), diffBound, "MB/s"))
}

// part is the part of a name; zero if it was not measured.
func (f *figures) part(name string) part {
	for _, p := range f.Parts {
		if p.Name == name {
			return p
		}
	}
	return part{}
}

// slowestDiff is the lowest rate of all units that were compared; 0 if none was.
func (f *figures) slowestDiff() float64 {
	slowest := 0.0
	for _, p := range f.Parts {
		if strings.HasPrefix(p.Name, diffPart) && (slowest == 0 || p.rate() < slowest) {
			slowest = p.rate()
		}
	}
	return slowest
}

// pass says whether all bounds are kept. A figure that is not there keeps none.
func (f *figures) pass() bool {
	return !slices.ContainsFunc(f.bounds(), func(b bound) bool { return !b.Pass })
}
