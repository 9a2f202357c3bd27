package diff

import (
	"fmt"
	"sort"
	"strings"
)

// Code names a reason for which a change is not made live. Each is described in docs/refusals.md.
type Code string

// The codes that this package gives.
const (
	InitCode        Code = "init-code"           // code in .init.text changed
	ExitCode        Code = "exit-code"           // code in .exit.text of a module changed
	DataChanged     Code = "data-changed"        // initialised content or size of existing data changed
	TableChanged    Code = "table-changed"       // an entry that the kernel reads once, at boot or load, is new or changed
	NoFentry        Code = "no-fentry"           // ftrace cannot redirect the function
	NoInstr         Code = "noinstr"             // the function runs where tracing must not
	AmbiguousStatic Code = "ambiguous-static"    // a static local has no certain counterpart
	UnknownSection  Code = "unknown-section"     // a section that is not known points into changed code
	WeakFunction    Code = "weak-function"       // a weak function changed
	NotExtractable  Code = "not-extractable"     // changed code refers to something that cannot be carried
	ModuleKey       Code = "module-static-key"   // code branches on a static key of the module that it is in
	UnknownCode     Code = "unknown-instruction" // code that cannot be decoded
)

// Refusal is one reason why a patch cannot be applied live.
type Refusal struct {
	Code    Code   `json:"code"`
	Unit    string `json:"unit"`             // source file, relative to the tree
	Subject string `json:"subject"`          // function, datum or section
	Source  string `json:"source,omitempty"` // file:line where the subject is defined, when known
	Reason  string `json:"reason"`
	Remedy  string `json:"remedy"`
}

func (r Refusal) String() string {
	where := r.Unit
	if r.Source != "" {
		where = r.Source
	}
	return fmt.Sprintf("%s: %s: %s [%s]; %s", where, r.Subject, r.Reason, r.Code, r.Remedy)
}

// Refusals is the error that holds all reasons at once; the program exits with 4.
type Refusals []Refusal

func (r Refusals) Error() string {
	lines := make([]string, len(r))
	for i, one := range r {
		lines[i] = "refused: " + one.String()
	}
	return strings.Join(lines, "\n")
}

// Sort puts refusals in a stable order: by unit, subject, code.
func (r Refusals) Sort() {
	sort.SliceStable(r, func(i, j int) bool {
		a, b := r[i], r[j]
		if a.Unit != b.Unit {
			return a.Unit < b.Unit
		}
		if a.Subject != b.Subject {
			return a.Subject < b.Subject
		}
		return a.Code < b.Code
	})
}
