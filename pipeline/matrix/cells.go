package matrix

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"livesplice/kconfig"
	"livesplice/pipeline"
	"livesplice/pipeline/cache"
	"livesplice/pipeline/rebuild"
	"livesplice/pipeline/source"
	"livesplice/pkgfmt"
)

// Cell is one fix for one kernel.
type Cell struct {
	Kernel  *Kernel
	Fix     *Fix
	Patches []string // absolute
	Options pipeline.Options
}

// Name is the cell's folder in the output.
func (c Cell) Name() string { return c.Kernel.Name + "/" + c.Fix.Name }

// Cells lists the cells, kernel by kernel, in the manifest's order.
func (m *Manifest) Cells() []Cell {
	formats := m.Defaults.Formats
	if len(formats) == 0 {
		formats = []string{"deb", "rpm"}
	}
	engine := m.Defaults.Engine
	if engine == "" {
		engine = "auto"
	}
	var cells []Cell
	for i := range m.Kernels {
		k := &m.Kernels[i]
		for j := range m.Fixes {
			f := &m.Fixes[j]
			if !f.isFor(k.Name) {
				continue
			}
			patches := f.patches(k.Name)
			opts := k.options()
			opts.Patches, opts.ID, opts.Description, opts.Fixes = patches, f.ID, f.Description, f.Fixes
			opts.Engine, opts.Formats, opts.Revision, opts.Stack = engine, slices.Clone(formats), f.revision(m.Defaults), f.stacked(m.Defaults)
			cells = append(cells, Cell{Kernel: k, Fix: f, Patches: patches, Options: opts})
		}
	}
	return cells
}

// options say which kernel it is.
func (k *Kernel) options() pipeline.Options {
	return pipeline.Options{Source: k.Source, BuildTree: k.BuildTree, Kernel: k.Packages, DebugInfo: k.DebugInfo, CC: k.CC, ToolchainRoot: k.ToolchainRoot}
}

// Shard is a part of the cells: the Index-th of Of, counted from 1. The zero Shard is all.
type Shard struct{ Index, Of int }

var shardForm = regexp.MustCompile(`^(\d{1,5})/(\d{1,5})$`)

// ParseShard reads "2/5"; "" is all.
func ParseShard(s string) (Shard, error) {
	if s == "" {
		return Shard{}, nil
	}
	if m := shardForm.FindStringSubmatch(s); m != nil {
		index, _ := strconv.Atoi(m[1])
		of, _ := strconv.Atoi(m[2])
		if index >= 1 && index <= of {
			return Shard{index, of}, nil
		}
	}
	return Shard{}, &kconfig.UsageError{Thing: `flag "--shard"`, Reason: fmt.Sprintf("%q is none of 1/N to N/N", s)}
}

// Of the cells are those of the shard: neighbours, so that a machine prepares few kernels, and as many as in any other shard,
// or one more or less. Each cell is in exactly one shard.
func (s Shard) of(cells []Cell) []Cell {
	if s.Of == 0 {
		return cells
	}
	return cells[len(cells)*(s.Index-1)/s.Of : len(cells)*s.Index/s.Of]
}

// suffix is for names of files: "-2-of-5", "" for all.
func (s Shard) suffix() string {
	if s.Of == 0 {
		return ""
	}
	return fmt.Sprintf("-%d-of-%d", s.Index, s.Of)
}

// keys names the inputs of cells by content, so that a cell is made again when one of them changes. That of a folder (source
// or packages unpacked) holds on this machine only.
type keys struct {
	cache   *cache.Cache
	program string            // the sha256 of livesplice itself
	known   map[string]string // by path
}

func newKeys(c *cache.Cache) (*keys, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	hash, err := c.HashFile(program)
	return &keys{cache: c, program: hash, known: map[string]string{}}, err
}

// of is the hash over all that a cell's result depends on.
func (k *keys) of(ctx context.Context, c Cell) (string, error) {
	h := sha256.New()
	o := c.Options
	fmt.Fprintf(h, "livesplice matrix cell 1\n%s %s\n", pipeline.Version(), k.program)
	fmt.Fprintf(h, "cc %q\nroot %q\nid %q\ndescription %q\nfixes %q\nengine %q\nformats %q\nrevision %d\nstack %v\nmaintainer %q\nepoch %q\n",
		o.CC, o.ToolchainRoot, o.ID, o.Description, o.Fixes, o.Engine, o.Formats, o.Revision, o.Stack, pkgfmt.Maintainer(), os.Getenv("SOURCE_DATE_EPOCH"))
	inputs := []struct {
		what  string
		paths []string
	}{{"source", []string{o.Source}}, {"package", o.Kernel}, {"debuginfo", []string{o.DebugInfo}}, {"key", []string{o.SignKey}},
		{"certificate", []string{o.SignCert}}, {"patch", o.Patches}}
	if o.BuildTree != "" {
		build, built, err := rebuild.FindSource(o.BuildTree)
		if err != nil {
			return "", err
		}
		inputs[0].paths = []string{build, built}
	}
	for _, in := range inputs {
		for _, path := range in.paths {
			if err := k.add(ctx, h, in.what, path); err != nil {
				return "", err
			}
		}
	}
	return fmt.Sprintf("%x", h.Sum(nil)), nil
}

func (k *keys) add(ctx context.Context, w io.Writer, what, path string) error {
	if path == "" {
		return nil
	}
	id, ok := k.known[path]
	if !ok {
		var err error
		if id, err = k.identity(ctx, path); err != nil {
			return fmt.Errorf("%s %w", what, err)
		}
		k.known[path] = id
	}
	name := ""
	if what == "patch" { // its name is in the update
		name = filepath.Base(path)
	}
	_, err := fmt.Fprintf(w, "%s %s %q\n", what, id, name)
	return err
}

// identity names what is in a file or folder.
func (k *keys) identity(ctx context.Context, path string) (string, error) {
	st, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if st.IsDir() {
		return source.FolderID(ctx, path)
	}
	return k.cache.HashFile(path)
}

// inputs finds files that are not there, all at once.
func inputs(cells []Cell) error {
	var missing []string
	seen := map[string]bool{}
	for _, c := range cells {
		o := c.Options
		for _, path := range slices.Concat([]string{o.Source, o.BuildTree, o.DebugInfo, o.ToolchainRoot, o.SignKey, o.SignCert}, o.Kernel, o.Patches) {
			if path == "" || seen[path] {
				continue
			}
			seen[path] = true
			if _, err := os.Stat(path); err != nil {
				missing = append(missing, fmt.Sprintf("%q", path))
			}
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return &kconfig.UsageError{Thing: "manifest", Reason: "it names what is not there: " + strings.Join(missing, ", ")}
}
