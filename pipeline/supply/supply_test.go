package supply

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/openvex/go-vex/pkg/vex"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"livesplice/kmod/livepatch"
)

// sample is an update of vmlinux and a module, with text that JSON and XML must escape.
func sample() *Update {
	sum := func(c string) string { return strings.Repeat(c, 64) }
	return &Update{
		Manifest: &livepatch.Manifest{ID: "5d39151f", Module: "livesplice_5d39151f", ModuleFile: "livesplice_5d39151f.ko", ModuleSHA256: sum("a"), Release: "6.1.0-54-amd64",
			BuildID: "887cd47f", Arch: "amd64", Revision: 3, Description: "Refuse <hints> & \"more\"\nsecond line", Fixes: []string{"CVE-2026-12345", "CVE-2026-12346"},
			NeedsReboot: []string{"CVE-2026-54321"}, Patches: []livepatch.Patch{{Name: "01-a.patch", SHA256: sum("b")}, {Name: "02-b.patch", SHA256: sum("c")}},
			Objects:   []livepatch.Object{{Name: "vmlinux", BuildID: "887cd47f", Functions: []livepatch.Function{{Name: "do_fcntl"}}}, {Name: "ext4", BuildID: "0011", Functions: []livepatch.Function{{Name: "ext4_unlink"}}}},
			Toolchain: livepatch.Toolchain{Compiler: "gcc-12 (Debian 12.2.0-14+deb12u1) 12.2.0", Linker: "GNU ld (GNU Binutils for Debian) 2.40", Livesplice: "v0.1.0+dirty"}},
		Kernel: "#1 SMP PREEMPT_DYNAMIC Debian 6.1.190-1 (2026-10-16)",
		Packages: []Package{{File: "linux-livesplice-6.1.0-54-amd64_3_amd64.deb", Format: "deb", Name: "linux-livesplice-6.1.0-54-amd64", Version: "3", Arch: "amd64", SHA256: sum("d")},
			{File: "kernel-livesplice-6.1.0-54-amd64-3-1.x86_64.rpm", Format: "rpm", Name: "kernel-livesplice-6.1.0-54-amd64", Version: "3", Release: "1", Arch: "x86_64", SHA256: sum("e")}},
		Inputs: []Input{{Role: "source", Name: "linux-source-6.1_6.1.190-1_all.deb", Version: "6.1.190-1", SHA256: sum("f")}, {Role: "module source", Name: "a folder"},
			{Role: "patch", Name: "01-a.patch", SHA256: sum("b")}},
		Parameters: map[string]any{"revision": 3, "fixes": []string{"CVE-2026-12345"}}, Maintainer: "Nobody <nobody@example.org>", Severity: "important",
		Time: time.Date(2026, 10, 16, 0, 0, 0, 0, time.UTC),
	}
}

func document(t *testing.T, write func() ([]byte, error)) []byte {
	t.Helper()
	data, err := write()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// schemas is the folder of CycloneDX's own schemas, in the module that reads and writes it.
func schemas(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/CycloneDX/cyclonedx-go").Output()
	if err != nil {
		t.Fatalf("go list -m: %v", err)
	}
	return filepath.Join(strings.TrimSpace(string(out)), "schema")
}

// TestSBOM holds the bill of materials against CycloneDX's schema, and reads it back.
func TestSBOM(t *testing.T) {
	data := document(t, sample().SBOM)
	c := jsonschema.NewCompiler()
	dir := schemas(t)
	for name, file := range map[string]string{"bom-1.6.schema.json": "bom-1.6.schema.json", "spdx.schema.json": "spdx.schema.json", "jsf-0.82.schema.json": "jsf-0.82.schemax.json"} {
		f, err := os.Open(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		doc, err := jsonschema.UnmarshalJSON(f)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.AddResource("http://cyclonedx.org/schema/"+name, doc); err != nil {
			t.Fatal(err)
		}
	}
	schema, err := c.Compile("http://cyclonedx.org/schema/bom-1.6.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	validate := func(data []byte) error {
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		return schema.Validate(doc)
	}
	if err := validate(data); err != nil {
		t.Errorf("%v\n%s", err, data)
	}
	for _, no := range []string{`"SHA-256"`, `"CycloneDX"`, `"device-driver"`, `"unofficial"`} {
		if validate(bytes.ReplaceAll(data, []byte(no), []byte(`"other"`))) == nil {
			t.Errorf("the schema takes a document without %s", no)
		}
	}
	var bom cdx.BOM
	if err := cdx.NewBOMDecoder(bytes.NewReader(data), cdx.BOMFileFormatJSON).Decode(&bom); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range *bom.Components {
		got = append(got, c.BOMRef+" "+c.Name)
	}
	want := []string{"package-1 linux-livesplice-6.1.0-54-amd64", "package-2 kernel-livesplice-6.1.0-54-amd64", "object-vmlinux vmlinux", "object-ext4 ext4",
		"input-1 linux-source-6.1_6.1.190-1_all.deb", "input-2 a folder", "input-3 01-a.patch", "compiler gcc-12", "linker GNU ld"}
	if !slices.Equal(got, want) {
		t.Errorf("components %q, want %q", got, want)
	}
	if p := *bom.Metadata.Component.Pedigree.Patches; len(p) != 2 || len(*p[1].Resolves) != 2 || (*p[1].Resolves)[1].ID != "CVE-2026-12346" {
		t.Errorf("patches %+v", p)
	}
	refs := map[string]bool{"update": true}
	for _, c := range *bom.Components {
		refs[c.BOMRef] = true
	}
	for _, d := range *bom.Dependencies {
		for _, r := range append([]string{d.Ref}, *d.Dependencies...) {
			if !refs[r] {
				t.Errorf("dependency on %q, which is no component", r)
			}
		}
	}
}

// TestVEX lets OpenVEX's own library read and judge the document.
func TestVEX(t *testing.T) {
	doc, err := vex.Parse(document(t, sample().VEX))
	if err != nil {
		t.Fatal(err)
	}
	for i := range doc.Statements {
		if err := doc.Statements[i].Validate(); err != nil {
			t.Error(err)
		}
	}
	const deb = "pkg:deb/livesplice/linux-livesplice-6.1.0-54-amd64@3?arch=amd64"
	for name, want := range map[string]vex.Status{"CVE-2026-12345": vex.StatusFixed, "CVE-2026-12346": vex.StatusFixed, "CVE-2026-54321": vex.StatusAffected} {
		for _, product := range []string{deb, "pkg:rpm/livesplice/kernel-livesplice-6.1.0-54-amd64@3-1?arch=x86_64"} {
			found := doc.Matches(name, product, nil)
			if len(found) != 1 || found[0].Status != want {
				t.Errorf("%s of %s: %+v, want one statement %s", name, product, found, want)
			}
		}
	}
	if doc.Timestamp == nil || !doc.Timestamp.Equal(sample().Time) {
		t.Errorf("timestamp %v", doc.Timestamp)
	}
	u := sample()
	u.Manifest.Fixes, u.Manifest.NeedsReboot = nil, nil
	if data := document(t, u.VEX); data != nil {
		t.Errorf("a document without a statement:\n%s", data)
	}
}

func TestUpdateInfo(t *testing.T) {
	data := document(t, sample().UpdateInfo)
	const want = `<?xml version="1.0" encoding="UTF-8"?>
<updates>
  <update from="nobody@example.org" status="final" type="security" version="1">
    <id>LIVESPLICE-5d39151f</id>
    <title>Refuse &lt;hints&gt; &amp; &#34;more&#34;</title>
    <issued date="2026-10-16 00:00:00"></issued>
    <updated date="2026-10-16 00:00:00"></updated>
    <release>6.1.0-54-amd64</release>
    <severity>Important</severity>
    <summary>Live update of kernel 6.1.0-54-amd64</summary>
    <description>Refuse &lt;hints&gt; &amp; &#34;more&#34;&#xA;second line&#xA;&#xA;Replaces, without a reboot:&#xA;- do_fcntl of vmlinux&#xA;- ext4_unlink of ext4&#xA;&#xA;Not in this update, needs a reboot: CVE-2026-54321&#xA;</description>
    <references>
      <reference href="https://www.cve.org/CVERecord?id=CVE-2026-12345" id="CVE-2026-12345" type="cve" title="CVE-2026-12345"></reference>
      <reference href="https://www.cve.org/CVERecord?id=CVE-2026-12346" id="CVE-2026-12346" type="cve" title="CVE-2026-12346"></reference>
    </references>
    <pkglist>
      <collection short="livesplice">
        <name>livesplice updates of 6.1.0-54-amd64</name>
        <package name="kernel-livesplice-6.1.0-54-amd64" version="3" release="1" epoch="0" arch="x86_64">
          <filename>kernel-livesplice-6.1.0-54-amd64-3-1.x86_64.rpm</filename>
          <sum type="sha256">eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee</sum>
        </package>
      </collection>
    </pkglist>
  </update>
</updates>
`
	if string(data) != want {
		t.Errorf("got:\n%s\nwant:\n%s", data, want)
	}
	for d := xml.NewDecoder(bytes.NewReader(data)); ; {
		if _, err := d.Token(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	u := sample()
	u.Packages = u.Packages[:1]
	if data := document(t, u.UpdateInfo); data != nil {
		t.Errorf("a notice without an rpm:\n%s", data)
	}
}

func TestProvenance(t *testing.T) {
	data := document(t, sample().Provenance)
	var s statement
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		t.Fatal(err)
	}
	if s.Type != "https://in-toto.io/Statement/v1" || s.PredicateType != "https://slsa.dev/provenance/v1" {
		t.Errorf("type %q, predicate %q", s.Type, s.PredicateType)
	}
	var subjects, inputs []string
	for _, r := range s.Subject {
		subjects = append(subjects, r.Name+" "+r.Digest["sha256"][:4])
	}
	for _, r := range s.Predicate.BuildDefinition.Dependencies {
		inputs = append(inputs, r.Annotations["role"]+" "+r.Name)
	}
	if want := []string{"linux-livesplice-6.1.0-54-amd64_3_amd64.deb dddd", "kernel-livesplice-6.1.0-54-amd64-3-1.x86_64.rpm eeee", "livesplice_5d39151f.ko aaaa"}; !slices.Equal(subjects, want) {
		t.Errorf("subjects %q, want %q", subjects, want)
	}
	if want := []string{"source linux-source-6.1_6.1.190-1_all.deb", "module source a folder", "patch 01-a.patch", "compiler gcc-12 (Debian 12.2.0-14+deb12u1) 12.2.0",
		"linker GNU ld (GNU Binutils for Debian) 2.40"}; !slices.Equal(inputs, want) {
		t.Errorf("inputs %q, want %q", inputs, want)
	}
	// SLSA wants both to be URIs.
	for _, id := range []string{s.Predicate.BuildDefinition.BuildType, s.Predicate.RunDetails.Builder.ID} {
		if u, err := url.Parse(id); err != nil || u.Scheme != "pkg" {
			t.Errorf("%q is no package URL: %v", id, err)
		}
	}
	if strings.Contains(string(data), "2026-10-16T") || strings.Contains(string(data), "startedOn") {
		t.Error("the provenance has a time")
	}
}

// TestSameBytes writes each document twice, and again for an update that differs.
func TestSameBytes(t *testing.T) {
	for name, write := range map[string]func(*Update) ([]byte, error){"SBOM": (*Update).SBOM, "VEX": (*Update).VEX, "updateinfo": (*Update).UpdateInfo, "provenance": (*Update).Provenance} {
		one := document(t, func() ([]byte, error) { return write(sample()) })
		if again := document(t, func() ([]byte, error) { return write(sample()) }); !bytes.Equal(one, again) {
			t.Errorf("%s differs from run to run", name)
		}
		u := sample()
		u.Packages[1].SHA256 = strings.Repeat("0", 64)
		if other := document(t, func() ([]byte, error) { return write(u) }); bytes.Equal(one, other) {
			t.Errorf("%s is the same for another package", name)
		}
	}
}

func TestPURL(t *testing.T) {
	p := Package{Format: "deb", Name: "linux-livesplice-6.1.0+x", Version: "1+b~2", Arch: "amd64"}
	if got, want := p.PURL(), "pkg:deb/livesplice/linux-livesplice-6.1.0%2Bx@1%2Bb~2?arch=amd64"; got != want {
		t.Errorf("PURL() = %q, want %q", got, want)
	}
}
