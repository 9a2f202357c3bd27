package pipeline

import (
	"errors"
	"fmt"

	"livesplice/kconfig"
	"livesplice/kmod/diff"
	"livesplice/kmod/match"
	"livesplice/pipeline/patch"
	"livesplice/pipeline/rebuild"
	"livesplice/pipeline/verify"
	"livesplice/pkgfmt"
)

// The exit codes of livesplice.
const (
	ExitDone     = 0
	ExitFault    = 1 // ours or the machine's
	ExitUsage    = 2 // a flag, a file or a patch that cannot be used
	ExitNoChange = 3 // the patch changes no object code
	ExitRefused  = 4 // not safe to apply live
	ExitMismatch = 5 // source and shipped kernel do not match
	ExitBuild    = 6 // the kernel's own build failed
)

// ErrNoChange says that a patch leaves all object code as it is.
var ErrNoChange = errors.New("the patch changes no object code: nothing to update")

// ErrNotBuilt is an ErrNoChange: this kernel is not built from any file that the patch touches.
var ErrNotBuilt = fmt.Errorf("this kernel is not built from what the patch touches: %w", ErrNoChange)

// coded is an error that stands for several, and has the exit code of the most serious one: *matrix.Unfinished.
type coded interface {
	error
	ExitCode() int
}

// ExitCode is the exit code for what an operation returned.
func ExitCode(err error) int {
	var (
		usage    *kconfig.UsageError
		input    *pkgfmt.InputError
		patchErr *patch.Error
		refused  diff.Refusals
		refusal  *rebuild.Refusal
		mismatch *match.Mismatch
		other    *pkgfmt.MismatchError
		compiler *rebuild.CompilerError
		build    *rebuild.BuildError
		failed   *verify.Failed
		several  coded
	)
	switch {
	case err == nil:
		return ExitDone
	case errors.As(err, &usage), errors.As(err, &input), errors.As(err, &patchErr):
		return ExitUsage
	case errors.Is(err, ErrNoChange):
		return ExitNoChange
	case errors.As(err, &refused), errors.As(err, &refusal), errors.As(err, &failed):
		return ExitRefused
	case errors.As(err, &mismatch), errors.As(err, &other), errors.As(err, &compiler):
		return ExitMismatch
	case errors.As(err, &build):
		return ExitBuild
	case errors.As(err, &several):
		return several.ExitCode()
	}
	return ExitFault
}
