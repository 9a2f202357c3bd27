package supply

import "time"

// vexDocument is OpenVEX.
//
// Source: OpenVEX specification 0.2.0.
type vexDocument struct {
	Context    string         `json:"@context"`
	ID         string         `json:"@id"`
	Author     string         `json:"author"`
	Timestamp  string         `json:"timestamp"`
	Version    int            `json:"version"`
	Tooling    string         `json:"tooling"`
	Statements []vexStatement `json:"statements"`
}

type vexStatement struct {
	Vulnerability struct {
		ID   string `json:"@id"`
		Name string `json:"name"`
	} `json:"vulnerability"`
	Products []vexProduct `json:"products"`
	Status   string       `json:"status"`
	Notes    string       `json:"status_notes,omitempty"`
	Action   string       `json:"action_statement,omitempty"`
}

type vexProduct struct {
	ID          string            `json:"@id"`
	Identifiers map[string]string `json:"identifiers"`
	Hashes      map[string]string `json:"hashes"`
}

// VEX says of each CVE that the update names whether its packages fix it. It is nil when the update names none: a document
// without a statement is none.
func (u *Update) VEX() ([]byte, error) {
	m := u.Manifest
	if len(m.Fixes)+len(m.NeedsReboot) == 0 {
		return nil, nil
	}
	doc := vexDocument{Context: "https://openvex.dev/ns/v0.2.0", ID: u.uuid("openvex"), Author: u.Maintainer, Timestamp: u.Time.UTC().Format(time.RFC3339), Version: 1,
		Tooling: u.tool()}
	var products []vexProduct
	for _, p := range u.Packages {
		products = append(products, vexProduct{ID: p.PURL(), Identifiers: map[string]string{"purl": p.PURL()}, Hashes: map[string]string{"sha-256": p.SHA256}})
	}
	add := func(name, status, notes, action string) {
		s := vexStatement{Products: products, Status: status, Notes: notes, Action: action}
		s.Vulnerability.ID, s.Vulnerability.Name = cveURL(name), name
		doc.Statements = append(doc.Statements, s)
	}
	for _, name := range m.Fixes {
		add(name, "fixed", "in the running kernel "+m.Release+" (build-id "+m.BuildID+"), once the update is applied", "")
	}
	for _, name := range m.NeedsReboot {
		add(name, "affected", "", "Reboot into a kernel that has the fix: this update of "+m.Release+" does not carry it.")
	}
	return indented(doc)
}
