package diff

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Code names a kind of finding. Each is described in docs/refusals.md.
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
	VariableFolded  Code = "variable-folded"     // the compiler dropped a variable that the patched source has
	UnknownSection  Code = "unknown-section"     // a section that is not known points into changed code
	WeakFunction    Code = "weak-function"       // a weak function changed that is not the definition in use
	MovedDefinition Code = "moved-definition"    // a global name stands for something else than before
	RemovedCaller   Code = "removed-caller"      // a function that is gone is still called, and calls one that is replaced
	NotExtractable  Code = "not-extractable"     // changed code refers to something that cannot be carried
	ModuleKey       Code = "module-static-key"   // code branches on a static key of the module that it is in
	UnknownCode     Code = "unknown-instruction" // code that cannot be decoded
)

// Finding is one thing that a reviewer of a change is told: a reason to refuse it, or (package finding) to look at it.
type Finding struct {
	Code    Code   `json:"code"`
	Unit    string `json:"unit"`             // source file, relative to the tree
	Subject string `json:"subject"`          // function, datum or section
	Source  string `json:"source,omitempty"` // file:line where the subject is defined, when known
	Reason  string `json:"reason"`
	Remedy  string `json:"remedy"`
}

func (f Finding) String() string {
	where := f.Unit
	if f.Source != "" {
		where = f.Source
	}
	return fmt.Sprintf("%s: %s: %s [%s]; %s", where, f.Subject, f.Reason, f.Code, f.Remedy)
}

// SortFindings puts findings in a stable order: by unit, subject, code.
func SortFindings(list []Finding) {
	slices.SortStableFunc(list, func(a, b Finding) int {
		return cmp.Or(strings.Compare(a.Unit, b.Unit), strings.Compare(a.Subject, b.Subject), cmp.Compare(a.Code, b.Code))
	})
}

// Refusal is one reason why a patch cannot be applied live.
type Refusal = Finding

// Refusals is the error that holds all reasons at once; the program exits with 4.
type Refusals []Refusal

func (r Refusals) Error() string {
	lines := make([]string, len(r))
	for i, one := range r {
		lines[i] = "refused: " + one.String()
	}
	return strings.Join(lines, "\n")
}

// Sort puts refusals in the order of SortFindings.
func (r Refusals) Sort() { SortFindings(r) }
