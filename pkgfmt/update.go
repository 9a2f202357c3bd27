package pkgfmt

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goreleaser/nfpm/v2"

	"livesplice/kmod/livepatch"
)

// UpdateSpec is what an update package is made from.
type UpdateSpec struct {
	// Manifest is valid (livepatch.Manifest.Validate). One that is empty makes
	// the package of a subscription: it changes nothing, later revisions do.
	Manifest *livepatch.Manifest
	// Files are the contents of the module and of the patches, by the names
	// that Manifest gives them, and nothing else.
	Files map[string][]byte
	// Maintainer is "Name <mail@host>".
	Maintainer string
	// MTime is every time in the package.
	MTime time.Time
	// Stack makes the package of a single update, named after its ID, instead
	// of a revision of the kernel's one cumulative package.
	Stack bool
}

// nonPackageChars are what a Debian package's name may not hold, once in lower
// case. Source: Debian Policy 4.6, 5.6.7.
var nonPackageChars = regexp.MustCompile(`[^a-z0-9+.-]+`)

// UpdateName returns the name of the package that brings m:
// linux-livesplice-<uname -r> or kernel-livesplice-<uname -r>, in which a
// Debian name has lower case and hyphens only; with stack the ID follows.
func UpdateName(m *livepatch.Manifest, format Format, stack bool) string {
	name := "kernel-livesplice-" + m.Release
	if format == FormatDeb {
		name = "linux-livesplice-" + nonPackageChars.ReplaceAllString(strings.ToLower(m.Release), "-")
	}
	if stack {
		name += "-" + m.ID
	}
	return name
}

// EmitUpdate writes the package of an update into outDir and returns its path.
// The file appears whole or not at all; the same spec gives the same bytes.
//
// The package holds the update's folder below /usr/lib/livesplice/<build-id>/.
// It depends on splicectl, but not on the kernel, whose removal it must not
// stand in the way of. Installing it reconciles (dpkg: by a trigger; rpm:
// %posttrans); removing it undoes the update while the files still exist; an
// upgrade undoes nothing, since the new revision's module replaces the old one.
func EmitUpdate(ctx context.Context, spec UpdateSpec, format Format, outDir string) (string, error) {
	if err := spec.check(); err != nil {
		return "", err
	}
	m := spec.Manifest
	e, err := newEmission(&nfpm.Info{
		Name:        UpdateName(m, format, spec.Stack),
		Arch:        m.Arch,
		Version:     strconv.Itoa(m.Revision),
		Section:     "kernel",
		Priority:    "optional",
		License:     "GPL-2.0-only",
		Description: updateDescription(m, spec.Stack),
		Overridables: nfpm.Overridables{
			Depends: []string{"splicectl"},
		},
	}, spec.Maintainer, spec.MTime)
	if err != nil {
		return "", err
	}
	defer e.close()
	if err := e.addUpdate(m, spec.Files); err != nil {
		return "", err
	}
	switch format {
	case FormatDeb:
		err = e.debUpdate(m)
	case FormatRPM:
		err = e.rpmUpdate(m)
	}
	if err != nil {
		return "", err
	}
	return e.write(ctx, format, outDir)
}

// check makes sure that what splicectl will check on the machine holds.
func (s *UpdateSpec) check() error {
	m := s.Manifest
	if err := m.Validate(); err != nil {
		return err
	}
	if s.Stack == m.Replace && !m.Empty() {
		return fmt.Errorf("update %q: replace is %v: the module of a cumulative package replaces, that of a single one does not", m.ID, m.Replace)
	}
	want := make(map[string]string, len(m.Patches)+1)
	if !m.Empty() {
		want[m.ModuleFile] = m.ModuleSHA256
	}
	for _, p := range m.Patches {
		if _, twice := want[p.Name]; twice || p.Name == livepatch.ManifestName {
			return fmt.Errorf("update %q: two files are named %q", m.ID, p.Name)
		}
		want[p.Name] = p.SHA256
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		data, ok := s.Files[name]
		if !ok {
			return fmt.Errorf("update %q: file %q of the manifest is missing", m.ID, name)
		}
		sum := sha256.Sum256(data)
		if got := hex.EncodeToString(sum[:]); got != want[name] {
			return fmt.Errorf("update %q: file %q: its sha256 is %s, the manifest says %s", m.ID, name, got, want[name])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.Files)) {
		if _, ok := want[name]; !ok {
			return fmt.Errorf("update %q: file %q is not in the manifest", m.ID, name)
		}
	}
	return nil
}

// updateDescription is the package's: a line of its own and then the update's.
func updateDescription(m *livepatch.Manifest, stack bool) string {
	var b strings.Builder
	switch {
	case m.Empty():
		fmt.Fprintf(&b, "live updates of kernel %s (none yet)\n", m.Release)
		b.WriteString("This package changes nothing. Its later revisions change the running kernel\nwithout a reboot.\n")
	case stack:
		fmt.Fprintf(&b, "live update %s of kernel %s\n", m.ID, m.Release)
		b.WriteString("Changes the running kernel without a reboot; its removal changes it back.\n")
	default:
		fmt.Fprintf(&b, "live updates of kernel %s\n", m.Release)
		b.WriteString("Changes the running kernel without a reboot; its removal changes it back.\nEach revision holds all of the earlier ones.\n")
	}
	if m.Description != "" {
		b.WriteString("\n" + strings.TrimSpace(m.Description) + "\n")
	}
	if len(m.Fixes) > 0 {
		b.WriteString("\nFixes:\n")
		for _, f := range m.Fixes {
			b.WriteString(f + "\n")
		}
	}
	return b.String()
}

// addUpdate puts the update's folder in.
func (e *emission) addUpdate(m *livepatch.Manifest, contents map[string][]byte) error {
	e.addFolder("/" + livepatch.UpdatesDir)
	builds := path.Join("/", livepatch.UpdatesDir, m.BuildID)
	e.addFolder(builds)
	if m.Empty() {
		return nil
	}
	dir := path.Join(builds, m.ID)
	e.addFolder(dir)
	manifest, err := m.Encode()
	if err != nil {
		return err
	}
	if err := e.add(path.Join(dir, livepatch.ManifestName), 0o644, manifest); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(contents)) {
		if err := e.add(path.Join(dir, name), 0o644, contents[name]); err != nil {
			return err
		}
	}
	return nil
}

func (e *emission) debUpdate(m *livepatch.Manifest) error {
	e.info.Deb.Fields = map[string]string{"Enhances": "linux-image-" + nonPackageChars.ReplaceAllString(strings.ToLower(m.Release), "-")}
	e.info.Deb.Triggers.ActivateNoAwait = []string{reconcileTrigger}
	if err := e.addDebDocs("host/copyright.update", updateChange(m)); err != nil {
		return err
	}
	if m.Empty() {
		return nil
	}
	return e.script(&e.info.Scripts.PreRemove, "update.deb.prerm", m.ID)
}

func (e *emission) rpmUpdate(m *livepatch.Manifest) error {
	// rpm has no name for "enhances" that nfpm can write; this one is as weak.
	e.info.Suggests = []string{"kernel-uname-r = " + m.Release}
	if err := e.setRPMChangelog(updateChange(m)); err != nil {
		return err
	}
	if m.Empty() {
		return nil
	}
	for name, to := range map[string]*string{
		"update.rpm.preun":     &e.info.Scripts.PreRemove,
		"update.rpm.postun":    &e.info.Scripts.PostRemove,
		"update.rpm.posttrans": &e.info.RPM.Scripts.PostTrans,
	} {
		if err := e.script(to, name, m.ID); err != nil {
			return err
		}
	}
	return nil
}
