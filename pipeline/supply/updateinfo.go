package supply

import (
	"encoding/xml"
	"net/mail"
	"strings"
	"time"
)

// The elements of updateinfo.xml, as createrepo_c reads and writes them.
//
// Source: xml_parser_updateinfo.c and xml_dump_updateinfo.c, createrepo_c 0.17.
type (
	updates struct {
		XMLName xml.Name `xml:"updates"`
		Update  notice   `xml:"update"`
	}
	notice struct {
		From        string      `xml:"from,attr"`
		Status      string      `xml:"status,attr"`
		Type        string      `xml:"type,attr"`
		Version     string      `xml:"version,attr"`
		ID          string      `xml:"id"`
		Title       string      `xml:"title"`
		Issued      dated       `xml:"issued"`
		Updated     dated       `xml:"updated"`
		Release     string      `xml:"release"`
		Severity    string      `xml:"severity"`
		Summary     string      `xml:"summary"`
		Description string      `xml:"description"`
		References  []reference `xml:"references>reference"`
		Collection  collection  `xml:"pkglist>collection"`
	}
	dated struct {
		Date string `xml:"date,attr"`
	}
	reference struct {
		Href  string `xml:"href,attr"`
		ID    string `xml:"id,attr"`
		Type  string `xml:"type,attr"`
		Title string `xml:"title,attr"`
	}
	collection struct {
		Short    string          `xml:"short,attr"`
		Name     string          `xml:"name"`
		Packages []noticePackage `xml:"package"`
	}
	noticePackage struct {
		Name     string `xml:"name,attr"`
		Version  string `xml:"version,attr"`
		Release  string `xml:"release,attr"`
		Epoch    string `xml:"epoch,attr"`
		Arch     string `xml:"arch,attr"`
		Filename string `xml:"filename"`
		Sum      struct {
			Type  string `xml:"type,attr"`
			Value string `xml:",chardata"`
		} `xml:"sum"`
	}
)

// UpdateInfo is the notice for a repository with the update's rpm: `modifyrepo_c --mdtype=updateinfo` adds it, `dnf
// updateinfo` shows it. It is nil when the update has no rpm.
func (u *Update) UpdateInfo() ([]byte, error) {
	m := u.Manifest
	n := notice{From: u.Maintainer, Status: "final", Type: "bugfix", Version: "1", ID: "LIVESPLICE-" + m.ID, Title: u.title(), Release: m.Release,
		Severity: strings.ToUpper(u.Severity[:1]) + u.Severity[1:], Summary: "Live update of kernel " + m.Release, Description: u.description()}
	if addr, err := mail.ParseAddress(u.Maintainer); err == nil {
		n.From = addr.Address
	}
	if len(m.Fixes) > 0 {
		n.Type = "security"
	}
	n.Issued.Date = u.Time.UTC().Format(time.DateTime)
	n.Updated = n.Issued
	for _, name := range m.Fixes {
		n.References = append(n.References, reference{Href: cveURL(name), ID: name, Type: "cve", Title: name})
	}
	n.Collection = collection{Short: "livesplice", Name: "livesplice updates of " + m.Release}
	for _, p := range u.Packages {
		if p.Format != "rpm" {
			continue
		}
		np := noticePackage{Name: p.Name, Version: p.Version, Release: p.Release, Epoch: "0", Arch: p.Arch, Filename: p.File}
		np.Sum.Type, np.Sum.Value = "sha256", p.SHA256
		n.Collection.Packages = append(n.Collection.Packages, np)
	}
	if len(n.Collection.Packages) == 0 {
		return nil, nil
	}
	text, err := xml.MarshalIndent(updates{Update: n}, "", "  ")
	return append([]byte(xml.Header), append(text, '\n')...), err
}

// description is the update's, with the functions that it replaces.
func (u *Update) description() string {
	var b strings.Builder
	b.WriteString(strings.TrimSpace(u.Manifest.Description) + "\n\nReplaces, without a reboot:\n")
	for _, o := range u.Manifest.Objects {
		if len(o.Functions) == 0 {
			b.WriteString("- nothing of " + o.Name + ", to which it adds code\n")
		}
		for _, f := range o.Functions {
			b.WriteString("- " + f.Name + " of " + o.Name + "\n")
		}
	}
	if len(u.Manifest.NeedsReboot) > 0 {
		b.WriteString("\nNot in this update, needs a reboot: " + strings.Join(u.Manifest.NeedsReboot, ", ") + "\n")
	}
	return b.String()
}
