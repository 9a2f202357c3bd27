package pkgfmt

import "context"

// Description is what a file is, for `livesplice inspect`.
type Description struct {
	Path string `json:"path"`
	Kind string `json:"kind"` // "deb", "rpm", "module", "vmlinuz", "vmlinux"
}

// Describe says what a package, module or kernel image is. *InputError for anything else.
func Describe(ctx context.Context, path string) (*Description, error) { panic("later") }

// String is the text form: one "key: value" a line.
func (d *Description) String() string { panic("later") }
