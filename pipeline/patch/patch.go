// Package patch reads unified diffs, as `diff -u` and git write them, and applies them to file contents in memory. It
// is pure: files come from a function of the caller, new contents go back in a map, no tree is written to.
//
// Paths are read with their first component taken off (patch -p1). A hunk may apply at another line than it names, as
// long as every context and removed line is there exactly, and there is only one such place; fuzz is never allowed.
package patch

import (
	"fmt"
	"path"
	"strings"

	"github.com/bluekeyes/go-gitdiff/gitdiff"
)

// Kind is what a patch does to a file.
type Kind int

// The kinds of changes. A mode change may come with a Modify, Rename or Copy as well: see Change.NewMode.
const (
	Invalid Kind = iota
	Modify
	Create
	Delete
	Rename
	Copy
	ModeOnly // other permission bits, the same content
)

var kindNames = [...]string{"invalid", "modify", "create", "delete", "rename", "copy", "mode"}

func (k Kind) String() string {
	if k < 0 || int(k) >= len(kindNames) {
		return kindNames[Invalid]
	}
	return kindNames[k]
}

// Change is one file of a patch.
type Change struct {
	Kind    Kind
	Path    string // slash-separated, relative to the top of the source tree; the new name of a Rename or Copy
	OldPath string // where the content comes from; Path itself unless Rename or Copy; "" for Create
	Binary  bool
	NewMode uint32 // permission bits that the patch sets (0o644, 0o755); 0: it says nothing of them
	Line    int    // 1-based line of the patch file where the change begins

	Fragments []Fragment // empty for Binary, ModeOnly and a rename without a change

	plain bool // of a diff without "diff --git"
}

// mayCreate says whether the change makes the file where there is none. A plain diff need not name /dev/null for that, only
// begin at line 0; git apply and patch(1) take it so.
func (ch Change) mayCreate() bool {
	return ch.plain && ch.Kind == Modify && len(ch.Fragments) == 1 && ch.Fragments[0].OldStart == 0 && len(ch.Fragments[0].old()) == 0
}

// Fragment is one hunk.
type Fragment struct {
	Line     int    // 1-based line of the patch file with the "@@"
	OldStart int64  // 1-based line in the old file that it names; 0 for a Create
	Section  string // what stands behind the second "@@", usually a function's name

	lines []gitdiff.Line
}

// Patch is one patch file.
type Patch struct {
	Name    string // as the user named it
	changes []Change
}

// Files are the changes in the order of the patch file. A file may occur twice.
func (p *Patch) Files() []Change { return p.changes }

// Error says what is wrong with a patch, or why it does not apply. The user can mend it (exit code 2).
type Error struct {
	Patch  string // its name
	Line   int    // 1-based line in the patch file; 0: the whole of it
	File   string // the file in the source tree; "" when the patch itself is unreadable
	Hunk   int    // 1-based among the file's hunks; 0: the whole file
	Reason string
	Err    error // the cause, if a reader reported one
}

func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "patch %q: ", e.Patch)
	if e.Line > 0 {
		fmt.Fprintf(&b, "line %d: ", e.Line)
	}
	if e.File != "" {
		fmt.Fprintf(&b, "file %q: ", e.File)
	}
	if e.Hunk > 0 {
		fmt.Fprintf(&b, "hunk %d: ", e.Hunk)
	}
	b.WriteString(e.Reason)
	if e.Err != nil {
		if e.Reason != "" {
			b.WriteString(": ")
		}
		b.WriteString(e.Err.Error())
	}
	return b.String()
}

func (e *Error) Unwrap() error { return e.Err }

// Parse reads one patch file. All errors are *Error: among them a patch that holds no change, one whose hunks hold
// more or fewer lines than their headers say, and one that names a path outside the tree.
func Parse(name string, data []byte) (*Patch, error) {
	chunks, err := split(name, data)
	if err != nil {
		return nil, err
	}
	if len(chunks) == 0 {
		return nil, &Error{Patch: name, Reason: "no change in it: want a unified diff (diff -u, git diff)"}
	}
	p := &Patch{Name: name}
	for _, c := range chunks {
		ch, err := c.parse(name)
		if err != nil {
			return nil, err
		}
		p.changes = append(p.changes, ch)
	}
	return p, nil
}

// parse reads the diff of one file.
func (c chunk) parse(name string) (Change, error) {
	fail := func(file, reason string, err error) (Change, error) {
		return Change{}, &Error{Patch: name, Line: c.line, File: file, Reason: reason, Err: err}
	}
	files, _, err := gitdiff.Parse(strings.NewReader(c.text))
	if err != nil {
		return fail("", "not a sound unified diff", err)
	}
	if len(files) != 1 {
		return fail("", fmt.Sprintf("%d file headers where one was expected", len(files)), nil)
	}
	f := files[0]
	oldPath, newPath := f.OldName, f.NewName
	if !c.git { // go-gitdiff takes the prefix off git's names only
		oldPath, newPath = strip(oldPath), strip(newPath)
		if was := strip(c.oldName()); !f.IsNew && !f.IsDelete && strings.HasPrefix(newPath, was) {
			oldPath, newPath = was, was // the shorter of x and x.orig, as git apply and patch(1) have it
		}
	}
	ch := Change{plain: !c.git, Path: newPath, OldPath: oldPath, Binary: f.IsBinary, Line: c.line, NewMode: uint32(f.NewMode.Perm())}
	switch {
	case f.IsNew:
		ch.Kind, ch.OldPath = Create, ""
	case f.IsDelete:
		ch.Kind, ch.Path = Delete, oldPath
	case f.IsRename:
		ch.Kind = Rename
	case f.IsCopy:
		ch.Kind = Copy
	case len(f.TextFragments) == 0 && !f.IsBinary:
		ch.Kind = ModeOnly
	default:
		ch.Kind = Modify
	}
	if strings.HasSuffix(ch.Path+ch.OldPath, "\r") {
		return fail("", "lines end in CR LF, want a patch whose lines end in LF", nil)
	}
	for _, p := range []string{ch.Path, ch.OldPath} {
		if reason := checkPath(p, p == ch.OldPath && ch.Kind == Create); reason != "" {
			return fail("", reason, nil)
		}
	}
	if ch.Kind == ModeOnly && f.OldMode == f.NewMode {
		return fail(ch.Path, "no change in it", nil)
	}
	for i, t := range f.TextFragments {
		line := c.line
		if i < len(c.hunks) {
			line = c.hunks[i]
		}
		if err := t.Validate(); err != nil {
			return Change{}, &Error{Patch: name, Line: line, File: ch.Path, Hunk: i + 1, Reason: "not sound", Err: err}
		}
		ch.Fragments = append(ch.Fragments, Fragment{Line: line, OldStart: t.OldPosition, Section: t.Comment, lines: t.Lines})
	}
	return ch, nil
}

// oldName is the first name of a plain diff's header, unless it is quoted.
func (c *chunk) oldName() string {
	line, _, _ := strings.Cut(c.text, "\n")
	name, _, _ := strings.Cut(strings.TrimPrefix(line, "--- "), "\t")
	return name
}

// strip takes the first component off a path of a plain diff.
func strip(name string) string {
	_, rest, ok := strings.Cut(strings.TrimLeft(name, "/"), "/")
	if !ok {
		return name
	}
	return strings.TrimLeft(rest, "/")
}

// checkPath says why a path cannot be that of a file in the source tree; "" if it can.
func checkPath(p string, mayBeEmpty bool) string {
	switch {
	case p == "" && mayBeEmpty:
		return ""
	case p == "" || p == "." || strings.ContainsRune(p, 0):
		return fmt.Sprintf("path %q names no file", p)
	case path.IsAbs(p):
		return fmt.Sprintf("path %q is absolute", p)
	case path.Clean(p) != p || p == ".." || strings.HasPrefix(p, "../"):
		return fmt.Sprintf("path %q leaves the source tree or is not in its shortest form", p)
	}
	return ""
}
