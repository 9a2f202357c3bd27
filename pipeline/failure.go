package pipeline

import (
	"errors"
	"fmt"

	"livesplice/kmod/diff"
	"livesplice/kmod/match"
	"livesplice/pipeline/rebuild"
)

// FailureFormat is the version of Failure's JSON. Members are added without notice; a change of what is there comes with
// another number.
const FailureFormat = 1

// Failure is what a run that made nothing says to programs: the error, by its kind. A Report has no member exit_code.
type Failure struct {
	Format   int    `json:"format"` // FailureFormat
	ExitCode int    `json:"exit_code"`
	Kind     string `json:"kind"`    // what the exit code means, in a word: see kindOf
	Message  string `json:"message"` // as on standard error
	// Refusals are all reasons at once; docs/refusals.md says what each code means. Only with exit code 4.
	Refusals []diff.Finding `json:"refusals,omitempty"`
	// Differences are what source and shipped kernel differ in, where that is code or data. Only with exit code 5.
	Differences []match.Difference `json:"differences,omitempty"`
	Build       *BuildFailure      `json:"build,omitempty"` // only with exit code 6
}

// BuildFailure is a failed step of the kernel's own build.
type BuildFailure struct {
	Unit       string `json:"unit"` // what was to be made: "fs/namei.o", "modules_prepare"
	Command    string `json:"command"`
	ExitCode   int    `json:"exit_code"`             // the command's
	FirstError string `json:"first_error,omitempty"` // the compiler's first error line, its path relative to the source
}

// NewFailure describes the error of an operation; nil for none.
func NewFailure(err error) *Failure {
	if err == nil {
		return nil
	}
	f := &Failure{Format: FailureFormat, ExitCode: ExitCode(err), Message: err.Error()}
	f.Kind = kindOf(f.ExitCode)
	var (
		refused  diff.Refusals
		refusal  *rebuild.Refusal
		mismatch *match.Mismatch
		build    *rebuild.BuildError
	)
	switch f.ExitCode {
	case ExitRefused:
		if errors.As(err, &refused) {
			f.Refusals = refused
		} else if errors.As(err, &refusal) {
			// The only one that rebuilding gives: constants for assembly code, made from the layout of structs.
			f.Refusals = []diff.Finding{{Code: codeLayout, Unit: refusal.File, Subject: "assembly", Reason: refusal.Reason, Remedy: refusal.Remedy}}
		}
	case ExitMismatch:
		if errors.As(err, &mismatch) {
			f.Differences = mismatch.Differences
		}
	case ExitBuild:
		if errors.As(err, &build) {
			f.Build = &BuildFailure{Unit: build.Unit, Command: build.Command, ExitCode: build.ExitCode, FirstError: build.FirstError}
		}
	}
	return f
}

// kindOf names an exit code.
func kindOf(code int) string {
	names := map[int]string{ExitFault: "fault", ExitUsage: "usage", ExitNoChange: "no-change", ExitRefused: "refused", ExitMismatch: "mismatch", ExitBuild: "build"}
	if name, ok := names[code]; ok {
		return name
	}
	return fmt.Sprintf("exit-%d", code)
}
