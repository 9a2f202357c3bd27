package pipeline

import (
	"fmt"
	"net/mail"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"livesplice/kconfig"
	"livesplice/pipeline/supply"
	"livesplice/pkgfmt"
)

// Options are what `livesplice create` is told.
type Options struct {
	Patches   []string // files, applied in this order
	Source    string   // the source as shipped: folder, linux-source .deb, .src.rpm or tar
	Kernel    []string // shipped packages, or folders with them unpacked
	BuildTree string   // the finished build of Kernel, which is read only; Source may then be ""; "" for none
	DebugInfo string   // a vmlinux with symbols, or the package that has it; "" for none
	CC        string   // the compiler, "" for the one that the kernel's config names
	// ToolchainRoot is a root with compiler and build tools of another release, in which the kernel's build runs; "" for none.
	ToolchainRoot string
	// ModuleSource is the source folder of out-of-tree modules, which the patches are then of; "" for patches of the kernel.
	ModuleSource string
	Modules      []string // shipped .ko files made from ModuleSource, plain or compressed; others are looked for in Kernel
	ID           string   // "" for the hash over the inputs
	Description  string
	Fixes        []string // CVE names
	NeedsReboot  []string // CVE names that concern this kernel and that only a fixed kernel helps against
	Severity     string   // one of supply.Severities, for the notice of an rpm repository; "" for none
	Engine       string   // "auto" or "livepatch"
	SignKey      string   // private key in PEM form with which the module is signed; "" for no signature
	SignCert     string   // its certificate, PEM or DER
	Formats      []string // "deb", "rpm"
	Out          string   // folder for the results
	Revision     int      // version of the cumulative package
	Stack        bool     // a single update beside others instead of a cumulative one
	Jobs         int      // parallel compilers; 0 for the number of CPUs
	Cache        string   // folder; "" for the user's cache
	// Launcher is a command before the compiler, such as ccache, distcc or icecc; "" for none. It changes no result.
	Launcher string
	// Untimed leaves the timings out of the review page, which are all that differs from run to run of the same inputs. A
	// SOURCE_DATE_EPOCH in the environment does too.
	Untimed bool
}

var (
	idForm  = regexp.MustCompile(`^[0-9a-f]{8}$`)
	cveForm = regexp.MustCompile(`^CVE-\d{4}-\d{4,}$`)
)

// Bounds that the manifest sets; see kmod/livepatch.
const (
	maxRevision    = 1 << 30
	maxDescription = 4096 // bytes
)

// Check reports the first option that cannot be used, and puts Formats in order. Whether files are there is not looked at.
func (o *Options) Check() error {
	bad := func(thing, format string, args ...any) error {
		return &kconfig.UsageError{Thing: thing, Reason: fmt.Sprintf(format, args...)}
	}
	if o.Severity == "" {
		o.Severity = supply.Severities[0]
	}
	switch {
	case !slices.Contains(supply.Severities, o.Severity):
		return bad(`flag "--severity"`, "%q is none of %s", o.Severity, strings.Join(supply.Severities, ", "))
	case len(o.Patches) == 0:
		return bad("argument PATCH", "at least one patch is needed")
	case o.Source == "" && o.BuildTree == "":
		return bad(`flag "--source"`, "the source as shipped is needed: a folder, a linux-source .deb, a .src.rpm or a tar; or the finished build, by --build-tree")
	case len(o.Kernel) == 0 && o.BuildTree != "":
		return bad(`flag "--kernel"`, "the shipped kernel packages are needed: the image")
	case len(o.Kernel) == 0:
		return bad(`flag "--kernel"`, "the shipped kernel packages are needed: image and headers")
	case o.ModuleSource == "" && len(o.Modules) > 0:
		return bad(`flag "--module"`, "the source of the module is needed too: --module-source; modules of the kernel itself are in the packages that --kernel names")
	case (o.SignKey == "") != (o.SignCert == ""):
		return bad(`flags "--sign-key" and "--sign-cert"`, "a signature takes both: the private key and its certificate")
	case o.Engine == "stop_machine":
		return bad(`flag "--engine"`, "the stop_machine engine is not there yet; use livepatch")
	case o.Engine != "auto" && o.Engine != "livepatch":
		return bad(`flag "--engine"`, "%q is none of auto, livepatch, stop_machine", o.Engine)
	case o.ID != "" && !idForm.MatchString(o.ID):
		return bad(`flag "--id"`, "%q is not eight lower-case hexadecimal digits", o.ID)
	case o.Revision < 1 || o.Revision > maxRevision:
		return bad(`flag "--revision"`, "%d is not a number from 1 to %d", o.Revision, maxRevision)
	case o.Jobs < 0:
		return bad(`flag "--jobs"`, "%d is a negative number", o.Jobs)
	case len(o.Description) > maxDescription:
		return bad(`flag "--description"`, "%d bytes, at most %d are allowed", len(o.Description), maxDescription)
	case !printable(o.Description):
		return bad(`flag "--description"`, "not printable UTF-8 text")
	}
	if err := checkFormats(o.Formats); err != nil {
		return err
	}
	for _, c := range o.Fixes {
		if !cveForm.MatchString(c) {
			return bad(`flag "--fixes"`, "%q is not of the form CVE-2026-12345", c)
		}
	}
	for _, c := range o.NeedsReboot {
		switch {
		case !cveForm.MatchString(c):
			return bad(`flag "--needs-reboot"`, "%q is not of the form CVE-2026-12345", c)
		case slices.Contains(o.Fixes, c):
			return bad(`flag "--needs-reboot"`, "%s is among those that --fixes names", c)
		}
	}
	if err := checkEnvironment(); err != nil {
		return err
	}
	slices.Sort(o.Formats)
	o.Formats = slices.Compact(o.Formats)
	o.Fixes, o.NeedsReboot = once(o.Fixes), once(o.NeedsReboot)
	return nil
}

// once is a list without what stands in it before.
func once(list []string) (out []string) {
	for _, s := range list {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// checkFormats says whether each format is one of those that can be written, and that there is one.
func checkFormats(formats []string) error {
	bad := &kconfig.UsageError{Thing: `flag "--format"`, Reason: "at least one of deb, rpm is needed"}
	if len(formats) == 0 {
		return bad
	}
	for _, f := range formats {
		if f != "deb" && f != "rpm" {
			bad.Reason = fmt.Sprintf("%q is none of deb, rpm", f)
			return bad
		}
	}
	return nil
}

// checkEnvironment looks at the variables that packages are made by.
func checkEnvironment() error {
	if _, err := mail.ParseAddress(pkgfmt.Maintainer()); err != nil {
		return &kconfig.UsageError{Thing: "environment DEBFULLNAME, DEBEMAIL", Reason: fmt.Sprintf("%q is not of the form Name <mail@host>", pkgfmt.Maintainer())}
	}
	if s := os.Getenv("SOURCE_DATE_EPOCH"); s != "" {
		// An rpm holds times in 32 bits.
		if n, err := strconv.ParseInt(s, 10, 64); err != nil || n <= 0 || n >= 1<<32 {
			return &kconfig.UsageError{Thing: "environment SOURCE_DATE_EPOCH", Reason: fmt.Sprintf("%q is not a number of seconds between 1970 and 2106", s)}
		}
	}
	return nil
}

// printable says whether a text can stand in a package's description.
func printable(s string) bool {
	return utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }) < 0
}

// probe finds out whether results can be written, which is better known before the work than after it. It leaves
// nothing behind.
func probe(out string) error {
	bad := &kconfig.UsageError{Thing: `flag "--out"`}
	if st, err := os.Stat(out); err == nil && !st.IsDir() {
		bad.Reason = fmt.Sprintf("%q is not a folder", out)
		return bad
	}
	dir, err := filepath.Abs(out)
	if err != nil {
		return err
	}
	scratch, undo, err := makeScratch(dir)
	if err == nil {
		err = os.Remove(scratch)
		undo()
	}
	if err != nil {
		bad.Reason = fmt.Sprintf("folder %q cannot be written to: %v", out, err)
		return bad
	}
	return nil
}
