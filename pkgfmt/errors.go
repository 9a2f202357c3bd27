package pkgfmt

import "strings"

// InputError says that a file cannot be used: it is missing, truncated, corrupt, or not the kind of file that was
// expected. The user can mend it by giving another file (exit code 2).
type InputError struct {
	Path string // the file as the user named it, with "(member)" after it where the fault is inside
	Want string // what was expected, as a noun phrase: "a .deb or .rpm package"
	Got  string // what was found instead, as a noun phrase; may be empty
	Err  error  // the cause, where a reader reported one
}

func (e *InputError) Error() string {
	parts := make([]string, 0, 3)
	if e.Got != "" && e.Want != "" {
		parts = append(parts, e.Got+", want "+e.Want)
	} else if e.Got != "" {
		parts = append(parts, e.Got)
	} else if e.Want != "" {
		parts = append(parts, "want "+e.Want)
	}
	if e.Err != nil {
		parts = append(parts, e.Err.Error())
	}
	return "file \"" + e.Path + "\": " + strings.Join(parts, ": ")
}

func (e *InputError) Unwrap() error { return e.Err }

// MismatchError says that a file is sound but belongs to another kernel than the rest (exit code 5).
type MismatchError struct {
	Path string // the file that differs
	Want string // what it should be of: "release 6.1.0-54-amd64 (linux-image-6.1.0-54-amd64_6.1.190-1_amd64.deb)"
	Got  string // what it is of, in the same words
}

func (e *MismatchError) Error() string {
	return "file \"" + e.Path + "\": " + e.Got + ", want " + e.Want
}
