package supply

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"

	"livesplice/kmod/livepatch"
)

// SBOM is a bill of materials, CycloneDX 1.6 as JSON: the update with its packages, and below it the kernel that it is for,
// the source, the patches, the compiler and livesplice.
func (u *Update) SBOM() ([]byte, error) {
	m := u.Manifest
	bom := cdx.NewBOM()
	bom.SerialNumber = u.uuid("cyclonedx", u.Inputs)
	yes := true
	main := cdx.Component{BOMRef: "update", Type: cdx.ComponentTypeDeviceDriver, Name: m.Module, Version: fmt.Sprint(m.Revision), Description: u.title(),
		Hashes: hashes(m.ModuleSHA256), Modified: &yes, Pedigree: u.pedigree(),
		Licenses:   &cdx.Licenses{{License: &cdx.License{ID: "GPL-2.0-only"}}},
		Properties: &[]cdx.Property{{Name: "livesplice:id", Value: m.ID}, {Name: "livesplice:release", Value: m.Release}, {Name: "livesplice:build-id", Value: m.BuildID}}}
	livesplice := cdx.Component{BOMRef: "livesplice", Type: cdx.ComponentTypeApplication, Name: "livesplice", Version: m.Toolchain.Livesplice, PackageURL: u.tool()}
	bom.Metadata = &cdx.Metadata{Timestamp: u.Time.UTC().Format(time.RFC3339), Component: &main, Tools: &cdx.ToolsChoice{Components: &[]cdx.Component{livesplice}},
		Lifecycles: &[]cdx.Lifecycle{{Phase: cdx.LifecyclePhaseBuild}}}
	var parts []cdx.Component
	for i, p := range u.Packages {
		version := p.Version
		if p.Release != "" {
			version += "-" + p.Release
		}
		parts = append(parts, cdx.Component{BOMRef: fmt.Sprintf("package-%d", i+1), Type: cdx.ComponentTypeFile, Name: p.Name, Version: version, PackageURL: p.PURL(), Hashes: hashes(p.SHA256),
			Properties: &[]cdx.Property{{Name: "livesplice:file", Value: p.File}}})
	}
	var needs []string
	add := func(c cdx.Component) {
		parts, needs = append(parts, c), append(needs, c.BOMRef)
	}
	for _, o := range m.Objects {
		add(cdx.Component{BOMRef: "object-" + o.Name, Type: cdx.ComponentTypeOS, Name: o.Name, Version: m.Release + " " + u.Kernel,
			Properties: &[]cdx.Property{{Name: "livesplice:build-id", Value: o.BuildID}, {Name: "livesplice:replaced-functions", Value: names(o.Functions)}}})
		if o.Name != livepatch.VMLinux {
			parts[len(parts)-1].Type = cdx.ComponentTypeDeviceDriver
		}
	}
	for i, in := range u.Inputs {
		c := cdx.Component{BOMRef: fmt.Sprintf("input-%d", i+1), Type: cdx.ComponentTypeFile, Name: in.Name, Version: in.Version, Hashes: hashes(in.SHA256),
			Properties: &[]cdx.Property{{Name: "livesplice:role", Value: in.Role}}}
		add(c)
	}
	for _, tool := range []struct{ role, version string }{{"compiler", m.Toolchain.Compiler}, {"linker", m.Toolchain.Linker}} {
		name, _, _ := strings.Cut(tool.version, " (")
		if tool.version == "" {
			continue
		}
		add(cdx.Component{BOMRef: tool.role, Type: cdx.ComponentTypeApplication, Name: name, Version: tool.version, Properties: &[]cdx.Property{{Name: "livesplice:role", Value: tool.role}}})
	}
	bom.Components = &parts
	deps := []cdx.Dependency{{Ref: "update", Dependencies: &needs}}
	for i := range u.Packages {
		deps = append(deps, cdx.Dependency{Ref: fmt.Sprintf("package-%d", i+1), Dependencies: &[]string{"update"}})
	}
	bom.Dependencies = &deps
	var b bytes.Buffer
	if err := cdx.NewBOMEncoder(&b, cdx.BOMFileFormatJSON).SetPretty(true).SetEscapeHTML(false).EncodeVersion(bom, cdx.SpecVersion1_6); err != nil {
		return nil, fmt.Errorf("bill of materials: %w", err)
	}
	return b.Bytes(), nil
}

// pedigree tells the patches with what they fix. Which of several patches fixes which CVE nobody said: each names all.
func (u *Update) pedigree() *cdx.Pedigree {
	var issues []cdx.Issue
	for _, name := range u.Manifest.Fixes {
		issues = append(issues, cdx.Issue{Type: cdx.IssueTypeSecurity, ID: name, Name: name, Source: &cdx.Source{Name: "CVE", URL: cveURL(name)}})
	}
	var patches []cdx.Patch
	for _, p := range u.Manifest.Patches {
		patch := cdx.Patch{Type: cdx.PatchTypeUnofficial, Diff: &cdx.Diff{URL: "urn:sha256:" + p.SHA256}}
		if len(issues) > 0 {
			patch.Resolves = &issues
		}
		patches = append(patches, patch)
	}
	return &cdx.Pedigree{Patches: &patches}
}

func hashes(sum string) *[]cdx.Hash {
	if sum == "" {
		return nil
	}
	return &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: sum}}
}

func names(list []livepatch.Function) string {
	words := make([]string, len(list))
	for i, f := range list {
		words[i] = f.Name
	}
	return strings.Join(words, " ")
}
