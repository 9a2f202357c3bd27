package livepatch

import (
	"errors"
	"fmt"
)

// Refused says that an update was not touched because it is not safe or not
// possible to apply it here: another kernel, files that root does not own, a
// hash that differs, a guard that stands.
type Refused struct {
	Thing  string // what was refused: `update "0badcafe"`, `file "..."`
	Reason string
	// ByKernel says that the kernel itself did not take the module, as it
	// will not until the next boot.
	ByKernel bool
}

func (e *Refused) Error() string { return e.Thing + ": refused: " + e.Reason }

// refuse returns a *Refused.
func refuse(thing, format string, args ...any) error {
	return &Refused{Thing: thing, Reason: fmt.Sprintf(format, args...)}
}

// Blocked says that a transition did not finish in time. The kernel was
// brought back to what it was before, unless Reason says that this did not
// finish either. Trying again later may succeed.
type Blocked struct {
	Module  string
	Reason  string
	Holders []Blocker
}

func (e *Blocked) Error() string {
	s := fmt.Sprintf("livepatch %q: blocked: %s", e.Module, e.Reason)
	for i, b := range e.Holders {
		if i == maxNamed {
			return s + fmt.Sprintf("; and %d more", len(e.Holders)-i)
		}
		if i == 0 {
			s += "; held up by "
		} else {
			s += ", "
		}
		s += b.String()
	}
	return s
}

// maxNamed is how many blocking tasks the text of an error names.
const maxNamed = 5

// ErrUnknownUpdate is wrapped by the error for an ID that is neither among the
// files of the running kernel nor loaded.
var ErrUnknownUpdate = errors.New("no such update: neither on disk for the running kernel nor loaded")

// UpdateState is what became of an update on this machine, as status says it.
type UpdateState string

const (
	Applied    UpdateState = "applied"    // the running kernel has it
	Pending    UpdateState = "pending"    // for another kernel or for the next boot
	Superseded UpdateState = "superseded" // a cumulative update of a higher revision is there
	Undone     UpdateState = "undone"     // the administrator undid it
	Transition UpdateState = "transition" // the kernel is switching its tasks right now
	BlockedNow UpdateState = "blocked"    // it could not be applied, or not undone; Why says more
)

// worst returns the error that decides the exit code, and whether there is one.
func worst(err error) (refused, blocked, other bool) {
	if err == nil {
		return
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			r, b, o := worst(e)
			refused, blocked, other = refused || r, blocked || b, other || o
		}
		return
	}
	var r *Refused
	var b *Blocked
	switch {
	case errors.As(err, &r):
		refused = true
	case errors.As(err, &b):
		blocked = true
	default:
		other = true
	}
	return
}

// Exit codes of splicectl.
const (
	ExitDone    = 0 // done, or nothing was to be done, or recorded as pending
	ExitFault   = 1 // the machine's fault or ours
	ExitUsage   = 2 // the command line
	ExitBlocked = 3 // a transition did not finish; the kernel is as before
	ExitRefused = 4 // not safe or not possible to apply here
)

// ExitCode returns the exit code that stands for err; of several joined errors
// the gravest counts: a fault, then a refusal, then a blocked transition.
func ExitCode(err error) int {
	refused, blocked, other := worst(err)
	switch {
	case errors.Is(err, ErrUnknownUpdate):
		return ExitUsage
	case other:
		return ExitFault
	case refused:
		return ExitRefused
	case blocked:
		return ExitBlocked
	}
	return ExitDone
}
