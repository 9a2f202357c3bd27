package pkgfmt

import (
	"encoding/json"
	"fmt"
	"path"
	"strings"
	"time"

	"livesplice/kmod/livepatch"
)

// change is one entry of a package's changelog. Points begin with a capital and end with a full stop.
type change struct {
	points  []string
	urgency string // of Debian: low, medium, high
}

// updateChange tells what an update brings, CVEs in the form that Debian's trackers look for.
func updateChange(m *livepatch.Manifest) change {
	c := change{urgency: "high", points: []string{fmt.Sprintf("Revision %d, update %s.", m.Revision, m.ID)}}
	if title, _, _ := strings.Cut(strings.TrimSpace(m.Description), "\n"); title != "" {
		c.points[0] = fmt.Sprintf("Revision %d, update %s: %s", m.Revision, m.ID, title)
	}
	if len(m.Fixes) > 0 {
		c.points = append(c.points, "Fixes "+strings.Join(m.Fixes, ", ")+".")
	}
	if len(m.NeedsReboot) > 0 {
		c.points = append(c.points, "Not in this update, needs a reboot: "+strings.Join(m.NeedsReboot, ", ")+".")
	}
	for _, o := range m.Objects {
		var names []string
		for _, f := range o.Functions {
			names = append(names, f.Name)
		}
		if len(names) == 0 {
			c.points = append(c.points, fmt.Sprintf("Adds code to %s.", o.Name))
			continue
		}
		c.points = append(c.points, fmt.Sprintf("Replaces in %s: %s.", o.Name, strings.Join(names, ", ")))
	}
	return c
}

// debian is the entry as deb-changelog(5) has it.
func (c change) debian(name, version, maintainer string, at time.Time) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%s) unstable; urgency=%s\n\n", name, version, c.urgency)
	for _, p := range c.points {
		b.WriteString(wrap("  * ", "    ", p))
	}
	fmt.Fprintf(&b, "\n -- %s  %s\n", maintainer, at.UTC().Format(time.RFC1123Z))
	return b.String()
}

// wrap breaks a text between words into lines of at most 80 columns, as far as its words allow.
func wrap(first, next, text string) string {
	const columns = 80
	var b strings.Builder
	line, empty := first, true
	for _, word := range strings.Fields(text) {
		if !empty && len([]rune(line))+1+len([]rune(word)) > columns {
			b.WriteString(line + "\n")
			line, empty = next, true
		}
		if !empty {
			line += " "
		}
		line, empty = line+word, false
	}
	b.WriteString(line + "\n")
	return b.String()
}

// addDebDocs puts in what Debian Policy 12.5 and 12.7 demand: copyright, and a changelog, which of a package without a
// Debian revision is named changelog.gz.
func (e *emission) addDebDocs(copyright string, c change) error {
	doc := path.Join("/usr/share/doc", e.info.Name)
	if err := e.addEmbedded(path.Join(doc, "copyright"), copyright); err != nil {
		return err
	}
	data, err := gzipped([]byte(c.debian(e.info.Name, e.info.Version, e.info.Maintainer, e.mtime)))
	if err != nil {
		return err
	}
	return e.add(path.Join(doc, "changelog.gz"), 0o644, data)
}

// setRPMChangelog gives the entry to nfpm, which reads a file of chglog's form for %changelog: YAML, of which JSON is a
// part.
func (e *emission) setRPMChangelog(c change) error {
	type note struct {
		Note string `json:"note"`
	}
	type entry struct {
		Semver   string    `json:"semver"` // stands behind the packager
		Date     time.Time `json:"date"`
		Packager string    `json:"packager"`
		Changes  []note    `json:"changes"`
	}
	out := entry{Semver: e.info.Version + "-1", Date: e.mtime, Packager: e.info.Maintainer}
	for _, p := range c.points {
		out.Changes = append(out.Changes, note{p})
	}
	data, err := json.Marshal([]entry{out})
	if err != nil {
		return err
	}
	e.info.Changelog, err = e.stageFile(data)
	return err
}
