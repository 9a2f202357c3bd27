package pipeline

import (
	"fmt"
	"io"
	"sync"
	"time"

	"livesplice/pipeline/rebuild"
)

// Timing is what one stage took.
type Timing struct {
	Stage string        `json:"stage"`
	Wall  time.Duration `json:"wall_ns"`
	// Tools is the wall time spent in compilers and kbuild within the stage; parallel runs add up.
	Tools time.Duration `json:"tools_ns"`
}

// Stages narrates the stages and keeps their times. It is safe for concurrent use.
type Stages struct {
	mu      sync.Mutex
	out     io.Writer
	bar     *bar
	tools   map[string]time.Duration
	timings []Timing
}

// NewStages writes a line for each stage that ends, and shows how far a long one is; out may be nil.
func NewStages(out io.Writer) *Stages {
	if out == nil {
		out = io.Discard
	}
	return &Stages{out: out, bar: newBar(out), tools: map[string]time.Duration{}}
}

// Timings are those of the stages that have ended, in the order of their ends.
func (s *Stages) Timings() []Timing {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Timing(nil), s.timings...)
}

// run is one stage; fn's text is what it found, for people.
func (s *Stages) run(name string, fn func() (string, error)) error {
	start := time.Now()
	text, err := fn()
	s.mu.Lock()
	defer s.mu.Unlock()
	t := Timing{Stage: name, Wall: time.Since(start), Tools: s.tools[name]}
	s.timings = append(s.timings, t)
	if err != nil {
		text = "stopped"
	}
	s.bar.clear()
	fmt.Fprintf(s.out, "%-8s %6.2fs  %s\n", name, t.Wall.Seconds(), text)
	return err
}

// cost adds time spent in other programs to a stage.
func (s *Stages) cost(stage string, costs ...rebuild.Cost) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range costs {
		s.tools[stage] += c.Wall
	}
}

// Progress says that so many of a stage's pieces of work are done, and which was the last.
func (s *Stages) Progress(stage string, done, total int, what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bar.show(stage, done, total, what)
}

// Note writes a line of narration.
func (s *Stages) Note(format string, args ...any) { s.line("note", format, args...) }

// Warn writes a line of narration that asks for a look at the patch.
func (s *Stages) Warn(format string, args ...any) { s.line("warning", format, args...) }

func (s *Stages) line(kind, format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bar.clear()
	fmt.Fprintf(s.out, "%-8s          %s\n", kind, fmt.Sprintf(format, args...))
}
