package corpus

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"livesplice/kmod/diff"
	"livesplice/pipeline"
	"livesplice/pipeline/verify"
)

// Outcome says what came of one file.
type Outcome string

// The outcomes. The first five are those of buildable files: part of the kernel or of one of its modules, and a change
// that compiles and links by itself, with headers of the new version if it takes some.
const (
	Spliced  Outcome = "spliced"
	NoChange Outcome = "no object change"
	Refused  Outcome = "refused"
	Mismatch Outcome = "no match"
	Failed   Outcome = "failed" // ours
	NotBuilt Outcome = "not built"
	Alone    Outcome = "needs other files" // of the new version, which are no headers
)

var outcomes = []Outcome{Spliced, NoChange, Refused, Mismatch, Failed, NotBuilt, Alone}

func (o Outcome) buildable() bool { return o != NotBuilt && o != Alone }

// Entry is one file's result.
type Entry struct {
	File     string          `json:"file"`
	Outcome  Outcome         `json:"outcome"`
	Units    []string        `json:"units,omitempty"`   // objects as kbuild names them
	Targets  []string        `json:"targets,omitempty"` // "vmlinux", or modules' names
	Headers  []string        `json:"headers,omitempty"` // of the new version that it takes
	Codes    []diff.Code     `json:"codes,omitempty"`   // of refusals, each once
	Refusals diff.Refusals   `json:"refusals,omitempty"`
	Error    string          `json:"error,omitempty"`   // the whole message
	Module   string          `json:"module,omitempty"`  // file in Out/modules
	Objects  []verify.Object `json:"objects,omitempty"` // what the module replaces
	Held     []string        `json:"held,omitempty"`    // what of the module may be in use after it is undone; none: it may be unloaded
}

// line is one line of results.jsonl.
type line struct {
	Key string `json:"key"`
	Entry
	Seconds float64           `json:"seconds"` // it took; not part of a result
	Stages  []pipeline.Timing `json:"stages,omitempty"`
}

// results are kept line by line in a file. A line holds for one key: a hash over the inputs, the program and the file.
type results struct {
	inputs string
	mu     sync.Mutex
	file   *os.File
	known  map[string]line
}

func openResults(dir, inputs string) (*results, error) {
	r := &results{inputs: inputs, known: map[string]line{}}
	path := filepath.Join(dir, "results.jsonl")
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, text := range bytes.Split(data, []byte("\n")) {
		var l line
		if json.Unmarshal(text, &l) == nil && l.Key != "" { // one that was cut short is done again
			r.known[l.Key] = l
		}
	}
	if r.file, err = os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644); err != nil {
		return nil, err
	}
	if n := len(data); n > 0 && data[n-1] != '\n' {
		_, err = r.file.Write([]byte("\n"))
	}
	return r, err
}

func (r *results) key(file string) string {
	return fmt.Sprintf("%x", sha256.Sum256([]byte("corpus 2\n"+r.inputs+file)))[:32]
}

func (r *results) find(file string) (Entry, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	l, ok := r.known[r.key(file)]
	return l.Entry, ok
}

func (r *results) keep(l line) error {
	l.Key = r.key(l.File)
	text, err := json.Marshal(l)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.known[l.Key] = l
	_, err = r.file.Write(append(text, '\n'))
	return err
}

func (r *results) close() { r.file.Close() }

// slowest tells what took the time: the median, and the files that took longest.
func (w *work) slowest(entries []Entry) {
	var took []line
	for _, e := range entries {
		w.results.mu.Lock()
		took = append(took, w.results.known[w.results.key(e.File)])
		w.results.mu.Unlock()
	}
	if len(took) == 0 {
		return
	}
	slices.SortFunc(took, func(a, b line) int { return cmp.Compare(b.Seconds, a.Seconds) })
	fmt.Fprintf(w.opts.Log, "time for each file: median %.1f s; the longest:\n", took[len(took)/2].Seconds)
	for _, l := range took[:min(5, len(took))] {
		fmt.Fprintf(w.opts.Log, "%8.1f s  %s\n", l.Seconds, l.File)
	}
}
