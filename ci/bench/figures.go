package main

import (
	"slices"
	"time"

	"livesplice/pipeline"
)

// The bounds: what an update of one unit may cost.
const (
	coldBound   = 60 * time.Second        // from packages and an empty cache, on two cores
	warmBound   = 1500 * time.Millisecond // beyond the compilers' and kbuild's own time
	memoryBound = 500e6                   // bytes, of livesplice itself
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

// part is work on bytes: the median of several times.
type part struct {
	Name      string        `json:"name"`
	Wall      time.Duration `json:"wall_ns"`
	Bytes     int64         `json:"bytes,omitempty"`     // of input
	Functions int           `json:"functions,omitempty"` // compared, or found
}

// rate is the input by time, in millions of bytes a second.
func (p part) rate() float64 {
	if p.Wall <= 0 {
		return 0
	}
	return float64(p.Bytes) / 1e6 / p.Wall.Seconds()
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

// bound is a figure and what it must stay below.
type bound struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Limit float64 `json:"limit"`
	Unit  string  `json:"unit"`
	Pass  bool    `json:"pass"`
}

func newBound(name string, value, limit float64, unit string) bound {
	return bound{Name: name, Value: value, Limit: limit, Unit: unit, Pass: value > 0 && value < limit}
}

func (f *figures) bounds() []bound {
	return []bound{
		newBound("cold, wall", f.Cold.Wall.Seconds(), coldBound.Seconds(), "s"),
		newBound("warm, beyond compilers and kbuild", f.middle().own().Seconds(), warmBound.Seconds(), "s"),
		newBound("peak memory of livesplice", float64(f.peak())/1e6, memoryBound/1e6, "MB"),
	}
}

// pass says whether all bounds are kept. A figure that is not there keeps none.
func (f *figures) pass() bool {
	return !slices.ContainsFunc(f.bounds(), func(b bound) bool { return !b.Pass })
}
