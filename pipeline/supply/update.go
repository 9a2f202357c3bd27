// Package supply writes what the tools of a supply chain read of an update: a bill of materials (CycloneDX), what it fixes
// (OpenVEX), where it comes from (in-toto, SLSA), and the notice that an rpm repository carries (updateinfo.xml). It is
// pure: no clock, no host; the same update gives the same bytes.
package supply

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"livesplice/kmod/livepatch"
)

// Update is what the documents are about.
type Update struct {
	Manifest *livepatch.Manifest
	Kernel   string // uname -v of the shipped kernel
	Packages []Package
	Inputs   []Input
	// Parameters are the flags that decide the result, by name; strings, numbers, booleans and lists of strings.
	Parameters map[string]any
	Maintainer string    // "Name <mail@host>"
	Severity   string    // one of Severities
	Time       time.Time // every time in the documents; never that of the clock
}

// Severities are what a notice can say, as dnf knows them.
//
// Source: dnf updateinfo, option --sec-severity, dnf 4.14; "None" is what createrepo_c writes for none.
var Severities = []string{"none", "low", "moderate", "important", "critical"}

// Package is one of the packages of the update.
type Package struct {
	File    string // its name, without a folder
	Format  string // "deb" or "rpm"
	Name    string
	Version string // of a deb the whole of it, of an rpm without its release
	Release string // of an rpm
	Arch    string // as the package manager names it
	SHA256  string // hex
}

// PURL names the package as scanners do. The namespace is whose packages these are: not the distribution's.
//
// Source: package-url specification, types deb and rpm.
func (p Package) PURL() string {
	version := p.Version
	if p.Release != "" {
		version += "-" + p.Release
	}
	return fmt.Sprintf("pkg:%s/livesplice/%s@%s?arch=%s", p.Format, purlEscape(p.Name), purlEscape(version), purlEscape(p.Arch))
}

// purlEscape escapes what would end a part of a package URL.
func purlEscape(s string) string {
	return strings.ReplaceAll(url.PathEscape(s), "+", "%2B")
}

// Input is a file that the update was made from.
type Input struct {
	Role    string // as docs/supply-chain.md lists them
	Name    string // its name, without a folder; of a piece of an unpacked package its path in it; of a certificate its subject
	Version string // of a package, "" when it is not known
	SHA256  string // hex; "" for a folder of source, which has no one hash
}

// tool is livesplice itself as a package URL: who made the documents.
func (u *Update) tool() string {
	return "pkg:golang/livesplice@" + purlEscape(u.Manifest.Toolchain.Livesplice)
}

// uuid is a name of a document that follows from what it says: version 8, which leaves its bits to whoever makes it.
//
// Source: RFC 9562, 5.8.
func (u *Update) uuid(document string, about ...any) string {
	h := sha256.New()
	// What a manifest, packages and inputs hold can always be encoded.
	json.NewEncoder(h).Encode(append([]any{document, u.Manifest, u.Packages}, about...))
	b := h.Sum(nil)[:16]
	b[6], b[8] = b[6]&0x0f|0x80, b[8]&0x3f|0x80
	return fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// cveURL is where a CVE is described.
func cveURL(name string) string { return "https://www.cve.org/CVERecord?id=" + url.QueryEscape(name) }

// title is the update in one line.
func (u *Update) title() string {
	line, _, _ := strings.Cut(strings.TrimSpace(u.Manifest.Description), "\n")
	return line
}

// indented is JSON as people read it, the same bytes for the same value.
func indented(v any) ([]byte, error) {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err := enc.Encode(v)
	return []byte(b.String()), err
}
