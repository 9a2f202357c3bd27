// Package matrix makes updates of many fixes for many kernels, as one manifest lists them: planned, shared out among
// machines, several at a time, and taken up again where a run was stopped.
package matrix

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"livesplice/kconfig"
)

// Manifest is the file that `livesplice matrix` is given; docs/matrix.md describes it. Paths are relative to its folder.
type Manifest struct {
	Format   int      `yaml:"matrix"` // 1
	Defaults Defaults `yaml:"defaults"`
	Kernels  []Kernel `yaml:"kernels"`
	Fixes    []Fix    `yaml:"fixes"`
}

// Defaults hold for fixes that do not say otherwise.
type Defaults struct {
	Formats  []string `yaml:"formats"`  // "deb", "rpm"; none: both
	Engine   string   `yaml:"engine"`   // "auto" if empty
	Revision int      `yaml:"revision"` // 1 if 0
	Stack    bool     `yaml:"stack"`
}

// Kernel is one shipped kernel.
type Kernel struct {
	Name          string   `yaml:"name"`
	Source        string   `yaml:"source"`
	BuildTree     string   `yaml:"build-tree"`
	Packages      []string `yaml:"packages"`
	DebugInfo     string   `yaml:"debuginfo"`
	CC            string   `yaml:"cc"`
	ToolchainRoot string   `yaml:"toolchain-root"`

	line int
}

// Fix is one update, made for each kernel that it is meant for.
type Fix struct {
	Name        string              `yaml:"name"`
	ID          string              `yaml:"id"`
	Description string              `yaml:"description"`
	Fixes       []string            `yaml:"fixes"` // CVE names
	Patches     []string            `yaml:"patches"`
	PatchesFor  map[string][]string `yaml:"patches-for"` // by kernel: instead of Patches
	Kernels     []string            `yaml:"kernels"`     // none: all
	Revision    int                 `yaml:"revision"`    // 0: the default
	Stack       *bool               `yaml:"stack"`       // nil: the default

	line int
}

// maxManifest bounds the file, in bytes: 10,000 fixes with their CVEs take 2 MB.
const maxManifest = 16 << 20

// Read reads a manifest. Errors: *kconfig.UsageError, with the line.
func Read(path string) (*Manifest, error) {
	bad := func(format string, args ...any) (*Manifest, error) {
		return nil, &kconfig.UsageError{Thing: fmt.Sprintf("manifest %q", path), Reason: fmt.Sprintf(format, args...)}
	}
	f, err := os.Open(path)
	if err != nil {
		var pe *os.PathError
		errors.As(err, &pe)
		return bad("%v", pe.Err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxManifest+1))
	if err != nil {
		return bad("%v", err)
	}
	m, err := parse(data)
	if err != nil {
		return bad("%v", err)
	}
	folder, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	m.within(folder)
	return m, nil
}

// parse reads a manifest's text. A key that is not known is an error, as is one that stands there twice.
func parse(data []byte) (*Manifest, error) {
	if len(data) > maxManifest {
		return nil, fmt.Errorf("more than %d MiB", maxManifest>>20)
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	m := &Manifest{}
	if err := dec.Decode(m); errors.Is(err, io.EOF) {
		return nil, errors.New("it is empty")
	} else if err != nil {
		return nil, plain(err)
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one document")
	}
	if err := m.places(data); err != nil {
		return nil, plain(err)
	}
	return m, m.check()
}

var unknownKey = regexp.MustCompile(`field (.*) not found in type matrix\.\w+`)

// plain gives an error of the YAML library in one line, without the names of Go's types.
func plain(err error) error {
	text := strings.TrimPrefix(strings.TrimPrefix(err.Error(), "yaml: "), "unmarshal errors:\n")
	var lines []string
	for line := range strings.Lines(text) {
		lines = append(lines, unknownKey.ReplaceAllString(strings.TrimSpace(line), `key "$1" is not known`))
	}
	return errors.New(strings.Join(lines, "; "))
}

// places finds the lines on which kernels and fixes stand.
func (m *Manifest) places(data []byte) error {
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return err
	}
	if len(doc.Content) != 1 {
		return nil
	}
	lines := func(key string) []int {
		var all []int
		top := doc.Content[0]
		for i := 0; i+1 < len(top.Content); i += 2 {
			if top.Content[i].Value != key {
				continue
			}
			for _, item := range top.Content[i+1].Content {
				all = append(all, item.Line)
			}
		}
		return all
	}
	for i, line := range lines("kernels") {
		if i < len(m.Kernels) {
			m.Kernels[i].line = line
		}
	}
	for i, line := range lines("fixes") {
		if i < len(m.Fixes) {
			m.Fixes[i].line = line
		}
	}
	return nil
}

// nameForm is that of names, which become those of folders.
var nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._+~-]{0,99}$`)

// check says what is wrong in a manifest, all at once.
func (m *Manifest) check() error {
	var errs []string
	bad := func(line int, format string, args ...any) {
		text := fmt.Sprintf(format, args...)
		if line > 0 {
			text = fmt.Sprintf("line %d: %s", line, text)
		}
		errs = append(errs, text)
	}
	if m.Format != 1 {
		bad(0, "want \"matrix: 1\", the format of this file; it is %d", m.Format)
	}
	if len(m.Kernels) == 0 {
		bad(0, "no kernels")
	}
	if len(m.Fixes) == 0 {
		bad(0, "no fixes")
	}
	var kernels []string
	for _, k := range m.Kernels {
		switch {
		case !nameForm.MatchString(k.Name):
			bad(k.line, "kernel name %q: want up to 100 letters, digits and ._+~-, a letter or digit first", k.Name)
		case slices.Contains(kernels, k.Name):
			bad(k.line, "kernel %q: another one has this name", k.Name)
		case k.Source == "" && k.BuildTree == "":
			bad(k.line, "kernel %q: no source and no build-tree", k.Name)
		case len(k.Packages) == 0:
			bad(k.line, "kernel %q: no packages", k.Name)
		}
		kernels = append(kernels, k.Name)
	}
	names := map[string]bool{}
	for _, f := range m.Fixes {
		switch {
		case !nameForm.MatchString(f.Name):
			bad(f.line, "fix name %q: want up to 100 letters, digits and ._+~-, a letter or digit first", f.Name)
		case names[f.Name]:
			bad(f.line, "fix %q: another one has this name", f.Name)
		}
		names[f.Name] = true
		for _, k := range f.Kernels {
			if !slices.Contains(kernels, k) {
				bad(f.line, "fix %q: kernel %q: there is none of this name", f.Name, k)
			}
		}
		for k := range f.PatchesFor {
			if !slices.Contains(kernels, k) {
				bad(f.line, "fix %q: patches-for %q: there is no kernel of this name", f.Name, k)
			}
		}
		for _, k := range kernels {
			if f.isFor(k) && len(f.patches(k)) == 0 {
				bad(f.line, "fix %q: no patches for kernel %q", f.Name, k)
				break
			}
		}
	}
	m.checkRevisions(bad)
	if len(errs) == 0 {
		return nil
	}
	slices.Sort(errs) // those of a map come in any order
	return errors.New(strings.Join(errs, "; "))
}

// checkRevisions refuses two cumulative updates of one revision for one kernel: they would be one package of two contents.
func (m *Manifest) checkRevisions(bad func(line int, format string, args ...any)) {
	for _, k := range m.Kernels {
		first := map[int]string{}
		for _, f := range m.Fixes {
			if !f.isFor(k.Name) || f.stacked(m.Defaults) {
				continue
			}
			revision := f.revision(m.Defaults)
			if other := first[revision]; other != "" && other != f.Name {
				bad(f.line, "fix %q: a cumulative update of revision %d for kernel %q, as fix %q is; give it another revision, make one fix of both, or make each a single update by \"stack: true\"",
					f.Name, revision, k.Name, other)
				return
			}
			first[revision] = f.Name
		}
	}
}

func (f *Fix) isFor(kernel string) bool {
	return len(f.Kernels) == 0 || slices.Contains(f.Kernels, kernel)
}

func (f *Fix) patches(kernel string) []string {
	if own, ok := f.PatchesFor[kernel]; ok {
		return own
	}
	return f.Patches
}

func (f *Fix) stacked(d Defaults) bool {
	if f.Stack != nil {
		return *f.Stack
	}
	return d.Stack
}

func (f *Fix) revision(d Defaults) int {
	if f.Revision != 0 {
		return f.Revision
	}
	return max(d.Revision, 1)
}

// within makes the paths absolute.
func (m *Manifest) within(folder string) {
	full := func(path *string) {
		if *path != "" && !filepath.IsAbs(*path) {
			*path = filepath.Join(folder, *path)
		}
	}
	each := func(paths []string) {
		for i := range paths {
			full(&paths[i])
		}
	}
	for i := range m.Kernels {
		k := &m.Kernels[i]
		full(&k.Source)
		full(&k.BuildTree)
		full(&k.DebugInfo)
		full(&k.ToolchainRoot)
		if strings.ContainsRune(k.CC, '/') && k.ToolchainRoot == "" {
			full(&k.CC)
		}
		each(k.Packages)
	}
	for i := range m.Fixes {
		each(m.Fixes[i].Patches)
		for _, paths := range m.Fixes[i].PatchesFor {
			each(paths)
		}
	}
}
