// Package review shows an update to whoever signs it off: a page of HTML with all that is known of it (Page), and the
// same in short for a terminal (Brief). It is pure: the same update gives the same bytes, the times of its making apart.
package review

import (
	"time"

	"livesplice/kmod/link"
	"livesplice/kmod/livepatch"
	"livesplice/kmod/vmlinux"
)

// Input is a finished update.
type Input struct {
	Manifest *livepatch.Manifest
	Kernel   string   // uname -v of the shipped kernel
	Patches  [][]byte // as Manifest.Patches names them
	Units    []link.Unit
	Plan     *link.Plan
	Module   []byte         // the finished .ko
	Image    *vmlinux.Image // the shipped kernel
	Notes    []string       // what was said while the update was made
	Files    []File
	Timings  []Timing // empty for a page that is the same in each run
}

// File is one of the results, or one that they were made from.
type File struct {
	Name   string
	Size   int64  // bytes
	SHA256 string // hex
}

// Timing is what one stage took; Tools is the time spent in compilers and kbuild, parallel runs added up.
type Timing struct {
	Stage       string
	Wall, Tools time.Duration
}

// Page is all that the page shows.
type Page struct {
	*livepatch.Manifest
	Kernel   string
	Diffs    []PatchText
	Units    []Unit
	Late     []LateSymbol
	Sections []ModuleSection
	Notes    []string
	Files    []File
	Timings  []Timing
	// Omitted says what was left out to bound the page.
	Omitted []string
}

// Unit is one source file of the update.
type Unit struct {
	livepatch.Unit
	Functions []Function // replaced, copied and new ones, in the order of the object
	Others    []Verdict  // what else differs between the two objects
	Proofs    []Proof
	Data      []Datum
	Sections  []ExtractSection
}

// Function is one function that the update brings.
type Function struct {
	Anchor  string // on the page
	Name    string
	Kind    string // "replaced", "copy", "new"
	Place   *livepatch.Function
	Object  string // that the function is replaced in
	Source  string // file:line of its declaration, "" when it is not known
	Why     []string
	Was, Is uint64 // bytes of code, parts that were split off included; Was is 0 for a new function
	Callers *Callers
	Parts   []Part
}

// Verdict is the verdict on a function or datum that the update does not bring as a function.
type Verdict struct{ Kind, Name, Verdict, Why string }

// Proof is how one function of a unit was found in the shipped binary.
type Proof struct {
	Name    string
	Address uint64 // 0 when it was not located
	Size    uint64
	Proof   string
	By      string
	Patched int    // sites where the binary holds a nop
	Why     string // why it was not located
}

// Datum is a named datum that the update brings.
type Datum struct {
	Name, Section string
	Size          uint64
}

// ExtractSection is a section of a unit's extract. Entries is 0 for what is no table of entries.
type ExtractSection struct {
	Name, Kind    string
	Size, Entries uint64
}

// LateSymbol is one that the kernel's livepatch core resolves.
type LateSymbol struct {
	Object, Name string
	SymPos       int
	Address      uint64
	By           string
	Patched      string // the object whose loading resolves it
	Uses         int    // relocations that name it
}

// ModuleSection is a section of relocations that the livepatch core applies.
type ModuleSection struct {
	Name  string
	Count int
}
