package pipeline

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"livesplice/pipeline/supply"
	"livesplice/pkgfmt"
)

// writeSupply writes into dir what the tools of a supply chain read: a bill of materials, what is fixed, provenance, and the
// notice for an rpm repository. It gives their names.
func (c *creation) writeSupply(dir string, res *Result) ([]string, error) {
	u := &supply.Update{Manifest: res.Manifest, Kernel: c.kernel.Version, Maintainer: pkgfmt.Maintainer(), Severity: c.opts.Severity, Time: packageTime(c.kernel.Version),
		Parameters: map[string]any{"id": c.opts.ID, "description": c.opts.Description, "fixes": append([]string{}, c.opts.Fixes...),
			"needs-reboot": append([]string{}, c.opts.NeedsReboot...), "severity": c.opts.Severity, "engine": c.opts.Engine, "format": c.opts.Formats,
			"revision": c.opts.Revision, "stack": c.opts.Stack}}
	for _, name := range res.Packages {
		p, err := describePackage(dir, name)
		if err != nil {
			return nil, err
		}
		u.Packages = append(u.Packages, p)
	}
	var err error
	if u.Inputs, err = c.supplyInputs(); err != nil {
		return nil, err
	}
	for _, p := range res.Manifest.Patches {
		u.Inputs = append(u.Inputs, supply.Input{Role: "patch", Name: p.Name, SHA256: p.SHA256})
	}
	var names []string
	for _, d := range []struct {
		suffix string
		write  func() ([]byte, error)
	}{{".cdx.json", u.SBOM}, {".vex.json", u.VEX}, {".intoto.json", u.Provenance}, {".updateinfo.xml", u.UpdateInfo}} {
		data, err := d.write()
		if err != nil {
			return nil, err
		}
		if data == nil {
			continue
		}
		name := res.Folder + d.suffix
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, nil
}

// supplyInputs are the files that the update was made from, patches apart.
func (c *creation) supplyInputs() ([]supply.Input, error) {
	in := supply.Input{Role: "source", Name: filepath.Base(c.source.Origin), Version: c.source.PackageVersion, SHA256: c.source.ID}
	if st, err := os.Stat(c.source.Origin); err == nil && st.IsDir() { // it has no one hash, and its path is of this machine
		in = supply.Input{Role: "source", Name: "folder with the source of Linux " + c.source.Version.String()}
	}
	out := []supply.Input{in}
	given, err := c.kernel.Given()
	if err != nil {
		return nil, err
	}
	for _, g := range given {
		out = append(out, supply.Input{Role: "kernel", Name: g.Name, Version: g.Version, SHA256: g.SHA256})
	}
	if c.build != "" { // what the published packages of the kernel may not have
		for _, name := range []string{".config", "Module.symvers"} {
			sum, err := c.cache.HashFile(filepath.Join(c.build, name))
			if err != nil {
				return nil, err
			}
			out = append(out, supply.Input{Role: "build", Name: "build/" + name, SHA256: sum})
		}
	}
	if c.signer != nil {
		cert := c.signer.Cert
		out = append(out, supply.Input{Role: "certificate", Name: cert.Subject.String(), SHA256: fmt.Sprintf("%x", sha256.Sum256(cert.Raw))})
	}
	if c.opts.ModuleSource != "" {
		out = append(out, supply.Input{Role: "module source", Name: "folder with the source of out-of-tree modules"})
	}
	for _, name := range slices.Sorted(maps.Keys(c.external)) {
		file := c.external[name]
		if file == "" {
			continue // from one of the packages
		}
		sum, err := c.cache.HashFile(file)
		if err != nil {
			return nil, fmt.Errorf("file %q: %w", file, err)
		}
		out = append(out, supply.Input{Role: "module", Name: filepath.Base(file), SHA256: sum})
	}
	return out, nil
}

// describePackage reads a package that was just made.
func describePackage(dir, name string) (supply.Package, error) {
	p, err := pkgfmt.Open(filepath.Join(dir, name))
	if err != nil {
		return supply.Package{}, err
	}
	f, err := describeFile(dir, name)
	if err != nil {
		return supply.Package{}, err
	}
	out := supply.Package{File: name, Format: p.Format.String(), Name: p.Name, Version: p.Version, Arch: p.Arch, SHA256: f.SHA256}
	if p.Format == pkgfmt.FormatRPM {
		out.Version, out.Release, _ = strings.Cut(p.Version, "-")
	}
	return out, nil
}
