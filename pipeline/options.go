package pipeline

import (
	"fmt"
	"os"
	"regexp"
	"slices"

	"livesplice/kconfig"
)

// Options are what `livesplice create` is told.
type Options struct {
	Patches     []string // files, applied in this order
	Source      string   // the source as shipped: folder, linux-source .deb or tar
	Kernel      []string // shipped packages, or folders with them unpacked
	DebugInfo   string   // a vmlinux with symbols, or the package that has it; "" for none
	CC          string   // the compiler, "" for the one that the kernel's config names
	ID          string   // "" for the hash over the inputs
	Description string
	Fixes       []string // CVE names
	Engine      string   // "auto" or "livepatch"
	Formats     []string // "deb", "rpm"
	Out         string   // folder for the results
	Revision    int      // version of the cumulative package
	Stack       bool     // a single update beside others instead of a cumulative one
	Jobs        int      // parallel compilers; 0 for the number of CPUs
	Cache       string   // folder; "" for the user's cache
}

var (
	idForm  = regexp.MustCompile(`^[0-9a-f]{8}$`)
	cveForm = regexp.MustCompile(`^CVE-\d{4}-\d{4,}$`)
)

// check reports the first option that cannot be used.
func (o *Options) check() error {
	bad := func(thing, format string, args ...any) error {
		return &kconfig.UsageError{Thing: thing, Reason: fmt.Sprintf(format, args...)}
	}
	switch {
	case len(o.Patches) == 0:
		return bad("argument PATCH", "at least one patch is needed")
	case o.Source == "":
		return bad(`flag "--source"`, "the source as shipped is needed: a folder, a linux-source .deb or a tar")
	case len(o.Kernel) == 0:
		return bad(`flag "--kernel"`, "the shipped kernel packages are needed: image and headers")
	case o.Engine == "stop_machine":
		return bad(`flag "--engine"`, "the stop_machine engine is not there yet; use livepatch")
	case o.Engine != "auto" && o.Engine != "livepatch":
		return bad(`flag "--engine"`, "%q is none of auto, livepatch, stop_machine", o.Engine)
	case o.ID != "" && !idForm.MatchString(o.ID):
		return bad(`flag "--id"`, "%q is not eight lower-case hexadecimal digits", o.ID)
	case o.Revision < 1:
		return bad(`flag "--revision"`, "%d is not a positive number", o.Revision)
	case len(o.Formats) == 0:
		return bad(`flag "--format"`, "at least one of deb, rpm is needed")
	}
	for _, f := range o.Formats {
		if f != "deb" && f != "rpm" {
			return bad(`flag "--format"`, "%q is none of deb, rpm", f)
		}
	}
	for _, c := range o.Fixes {
		if !cveForm.MatchString(c) {
			return bad(`flag "--fixes"`, "%q is not of the form CVE-2026-12345", c)
		}
	}
	if st, err := os.Stat(o.Out); err == nil && !st.IsDir() {
		return bad(`flag "--out"`, "%q is not a folder", o.Out)
	}
	slices.Sort(o.Formats)
	o.Formats = slices.Compact(o.Formats)
	return nil
}
