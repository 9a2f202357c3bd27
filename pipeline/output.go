package pipeline

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"livesplice/kconfig"
	"livesplice/kmod/diff"
	"livesplice/kmod/livepatch"
	"livesplice/kmod/match"
	"livesplice/kmod/vmlinux"
	"livesplice/pkgfmt"
)

// output writes packages, module and what each stage said into a scratch folder beside their place, and moves them
// when all are there.
func (c *creation) output(ctx context.Context) (*Result, string, error) {
	out, err := filepath.Abs(c.opts.Out)
	if err != nil {
		return nil, "", err
	}
	scratch, undo, err := makeScratch(out)
	if err != nil {
		return nil, "", err
	}
	defer os.RemoveAll(scratch)
	res, err := c.fill(ctx, scratch)
	if err == nil {
		err = moveAll(scratch, out)
	}
	if err != nil {
		os.RemoveAll(scratch)
		undo()
		return nil, "", err
	}
	for i, p := range res.Packages {
		res.Packages[i] = filepath.Join(c.opts.Out, p)
	}
	for i, d := range res.Documents {
		res.Documents[i] = filepath.Join(c.opts.Out, d)
	}
	res.Folder, res.Review = filepath.Join(c.opts.Out, res.Folder), filepath.Join(c.opts.Out, res.Review)
	return res, strings.Join(res.Report.Packages, " "), nil
}

// makeScratch makes a scratch folder in dir, and dir if need be; undo removes dir again, if empty and made here. The undo of
// another run may come between the two, so it tries more than once.
func makeScratch(dir string) (scratch string, undo func(), err error) {
	for range 100 {
		if undo, err = makeFolder(dir); err == nil {
			scratch, err = os.MkdirTemp(dir, ".livesplice-")
		}
		if err == nil {
			return scratch, undo, nil
		}
		undo()
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrExist) { // MkdirAll gives either
			break
		}
	}
	return "", nil, err
}

// makeFolder makes a folder and those above it; undo removes what it made, if empty.
func makeFolder(dir string) (undo func(), err error) {
	var made []string
	for d := dir; ; d = filepath.Dir(d) {
		if _, err := os.Stat(d); err == nil || d == filepath.Dir(d) {
			break
		}
		made = append(made, d)
	}
	return func() {
		for _, d := range made {
			os.Remove(d)
		}
	}, os.MkdirAll(dir, 0o755)
}

func moveAll(from, to string) error {
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, e := range entries { // before the first is moved
		if st, err := os.Lstat(filepath.Join(to, e.Name())); err == nil && st.IsDir() != e.IsDir() {
			return &kconfig.UsageError{Thing: `flag "--out"`, Reason: fmt.Sprintf("%q is in the way, and of another kind", filepath.Join(to, e.Name()))}
		}
	}
	for _, e := range entries {
		target := filepath.Join(to, e.Name())
		if e.IsDir() {
			if err := os.RemoveAll(target); err != nil {
				return err
			}
		}
		if err := os.Rename(filepath.Join(from, e.Name()), target); err != nil {
			return err
		}
	}
	return nil
}

// packageFormats are the words of --format.
var packageFormats = map[string]pkgfmt.Format{"deb": pkgfmt.FormatDeb, "rpm": pkgfmt.FormatRPM}

// fill writes everything into dir; paths in the result are relative to it.
func (c *creation) fill(ctx context.Context, dir string) (*Result, error) {
	report := c.report()
	manifest := c.manifest(report)
	if err := manifest.Validate(); err != nil {
		return nil, err
	}
	spec := pkgfmt.UpdateSpec{Manifest: manifest, Files: map[string][]byte{manifest.ModuleFile: c.module}, Maintainer: pkgfmt.Maintainer(),
		MTime: packageTime(c.kernel.Version), Stack: c.opts.Stack}
	for i, p := range manifest.Patches {
		spec.Files[p.Name] = c.plan.Patches[i].data
	}
	res := &Result{Report: report, Manifest: manifest, Folder: "livesplice-" + c.id}
	for _, name := range c.opts.Formats {
		path, err := pkgfmt.EmitUpdate(ctx, spec, packageFormats[name], dir)
		if err != nil {
			return nil, err
		}
		report.Packages = append(report.Packages, filepath.Base(path))
		res.Packages = append(res.Packages, filepath.Base(path))
	}
	if err := c.writeStages(filepath.Join(dir, res.Folder), manifest, report); err != nil {
		return nil, err
	}
	res.Review = res.Folder + "-review.html"
	if err := c.writeReview(dir, res); err != nil {
		return nil, err
	}
	var err error
	res.Documents, err = c.writeSupply(dir, res)
	return res, err
}

// writeStages writes the module, its manifest and the value of each stage.
func (c *creation) writeStages(dir string, manifest *livepatch.Manifest, report *Report) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	var diffs []*diff.Result
	var matches []*match.Result
	for _, u := range c.units {
		diffs, matches = append(diffs, u.Diff), append(matches, u.Match)
	}
	for name, v := range map[string]any{"plan.json": c.plan, "diff.json": diffs, "match.json": matches, "link.json": c.link, "kernel.json": c.predicted, "report.json": report} {
		data, err := json.MarshalIndent(v, "", "  ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, name), append(data, '\n'), 0o644); err != nil {
			return err
		}
	}
	data, err := manifest.Encode()
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, livepatch.ManifestName), data, 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, manifest.ModuleFile), c.module, 0o644)
}

func (c *creation) manifest(report *Report) *livepatch.Manifest {
	m := &livepatch.Manifest{
		Format: livepatch.ManifestFormat, ID: c.id, Module: c.link.Module, ModuleFile: c.link.Module + ".ko",
		ModuleSHA256: fmt.Sprintf("%x", sha256.Sum256(c.module)), Release: c.kernel.Release, BuildID: c.kernel.BuildID.String(), Arch: "amd64",
		Revision: c.opts.Revision, Description: c.opts.Description, Fixes: c.opts.Fixes, NeedsReboot: c.opts.NeedsReboot, Engine: livepatch.EngineLivepatch, Replace: !c.opts.Stack,
		Warnings:  c.manifestWarnings(),
		Unload:    c.unload,
		Toolchain: livepatch.Toolchain{Compiler: c.kernel.Compiler, Linker: c.kernel.Linker, Livesplice: Version()},
	}
	if m.Description == "" {
		m.Description = c.description()
	}
	for i, p := range c.plan.Patches {
		m.Patches = append(m.Patches, livepatch.Patch{Name: patchName(i, p.Name), SHA256: fmt.Sprintf("%x", sha256.Sum256(p.data))})
	}
	images := c.targets.opened()
	for _, patched := range c.link.Objects() {
		o := livepatch.Object{Name: patched.Name, BuildID: c.kernel.BuildID.String(), Functions: []livepatch.Function{}}
		if im := images[o.Name]; im != nil {
			o.BuildID = fmt.Sprintf("%x", im.BuildID)
		}
		for _, s := range patched.Splices {
			f := report.function(s)
			o.Functions = append(o.Functions, livepatch.Function{Name: s.Place.Name, SymPos: s.Place.SymPos, Address: vmlinux.Hex(s.Place.Addr).String(), Size: int(s.Size),
				New: s.New, SHA256: s.SHA256, Unit: s.Unit, Proof: string(f.Proof), By: f.By, Why: f.Why})
		}
		m.Objects = append(m.Objects, o)
	}
	for _, u := range report.Units {
		m.Units = append(m.Units, livepatch.Unit{Source: u.Source, Object: u.Target, Functions: u.Counts.Functions, Strict: u.Strict, ByInsn: u.ByInsn,
			Unmatched: u.Unmatched, Carried: u.Carried})
	}
	return m
}

var strange = regexp.MustCompile(`[^A-Za-z0-9._+-]+`)

// patchName is a patch's name in the update's folder: numbered, so that two files of one name do not collide and their
// order shows.
func patchName(i int, name string) string {
	name = strings.TrimLeft(strange.ReplaceAllString(name, "_"), ".")
	return fmt.Sprintf("%02d-%s", i+1, name[:min(len(name), 180)])
}

var bannerDate = regexp.MustCompile(`\d{4}-\d{2}-\d{2}`)

// packageTime is every time in packages for a kernel: SOURCE_DATE_EPOCH, else the day that the kernel's version (`uname -v`)
// names, else the oldest that all package formats can hold. The clock is never asked, so that the same inputs give the same
// bytes.
//
// Source: reproducible-builds.org, SOURCE_DATE_EPOCH specification.
func packageTime(version string) time.Time {
	if n, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64); err == nil { // checkEnvironment has looked at it
		return time.Unix(n, 0).UTC()
	}
	if t, err := time.Parse(time.DateOnly, bannerDate.FindString(version)); err == nil {
		return t
	}
	// "#1 SMP PREEMPT_DYNAMIC Thu Jan  1 12:00:00 UTC 2026", as date(1) gives it: six fields.
	const fields = 6
	if words := strings.Fields(version); len(words) >= fields {
		if t, err := time.Parse(time.UnixDate, strings.Join(words[len(words)-fields:], " ")); err == nil {
			return t.UTC()
		}
	}
	return time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)
}

// Version is livesplice's own: the module version that Go recorded, or "devel".
func Version() string {
	if b, ok := debug.ReadBuildInfo(); ok && b.Main.Version != "" && b.Main.Version != "(devel)" {
		return b.Main.Version
	}
	return "devel"
}
