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
	var b strings.Builder
	b.WriteString("file \"" + e.Path + "\": ")
	switch {
	case e.Got != "" && e.Want != "":
		b.WriteString(e.Got + ", want " + e.Want)
	case e.Got != "":
		b.WriteString(e.Got)
	default:
		b.WriteString("want " + e.Want)
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	return b.String()
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
