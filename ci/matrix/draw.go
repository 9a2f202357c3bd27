package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"livesplice/pipeline/cache"
	"livesplice/pipeline/corpus"
	"livesplice/pipeline/process"
	"livesplice/pipeline/source"
)

// fix is the change of one source file, as a patch for each kernel.
type fix struct {
	name    string   // the file's path with dashes
	patches []string // by kernel, relative to the manifest's folder
}

// draw takes fixes from the changes between the kernels' sources and a later one.
type draw struct {
	*work
	kernels []kernel
	later   kernel
}

// fixes are so many files that differ from the later source in each kernel: those named in a file, in its order, or drawn by
// chance among those that can be spliced alone in the last kernel. Their patches are written to patches/.
func (d *draw) fixes(ctx context.Context, n int, seed uint64, names string) ([]fix, error) {
	c, err := cache.Open(d.cache)
	if err != nil {
		return nil, err
	}
	var sources []string
	for _, k := range append(slices.Clone(d.kernels), d.later) {
		t, err := source.Open(ctx, c, k.files.Source)
		if err != nil {
			return nil, err
		}
		sources = append(sources, t.Dir)
	}
	var fixes []fix
	for sample := n + n/2; ; sample += n {
		files, all, err := d.files(ctx, sample, seed, names)
		if err != nil {
			return nil, err
		}
		if fixes, err = d.write(ctx, files, sources, n); err != nil || len(fixes) == n {
			return fixes, err
		}
		if all {
			return nil, fmt.Errorf("%d of %d files can be taken: too few for %d fixes", len(fixes), len(files), n)
		}
	}
}

// files names source files to be tried, in order; all says that there are no more.
func (d *draw) files(ctx context.Context, sample int, seed uint64, names string) (files []string, all bool, err error) {
	if names != "" {
		text, err := os.ReadFile(names)
		return strings.Fields(string(text)), true, err
	}
	k := d.kernels[len(d.kernels)-1] // fewer files differ in a newer one
	r, err := corpus.Run(ctx, corpus.Options{OldSource: k.files.Source, NewSource: d.later.files.Source, Kernel: k.files.Kernel(), Sample: sample, Seed: seed,
		Out: filepath.Join(d.dir, "drawn"), Cache: d.cache, Log: d.log})
	if err != nil {
		return nil, false, err
	}
	buildable := 0
	for _, e := range r.Entries {
		switch e.Outcome {
		case corpus.NotBuilt, corpus.Alone:
			continue
		case corpus.Spliced:
			if len(e.Headers) == 0 {
				files = append(files, e.File)
			}
		}
		buildable++
	}
	return files, buildable < sample, nil
}

// write writes the patches of the first n files that differ in each kernel.
func (d *draw) write(ctx context.Context, files, sources []string, n int) ([]fix, error) {
	if err := os.RemoveAll(filepath.Join(d.dir, "patches")); err != nil {
		return nil, err
	}
	var fixes []fix
	for _, file := range files {
		if len(fixes) == n {
			break
		}
		f := fix{name: strings.ReplaceAll(file, "/", "-")}
		texts, err := changes(ctx, file, sources)
		if err != nil {
			return nil, err
		}
		for i, text := range texts {
			path := filepath.Join("patches", d.kernels[i].Release, f.name+".patch")
			f.patches = append(f.patches, path)
			if err := os.MkdirAll(filepath.Join(d.dir, filepath.Dir(path)), 0o755); err != nil {
				return nil, err
			}
			if err := os.WriteFile(filepath.Join(d.dir, path), text, 0o644); err != nil {
				return nil, err
			}
		}
		if len(texts) > 0 {
			fixes = append(fixes, f)
		}
	}
	return fixes, nil
}

// changes are the patches that make a file of each source but the last one that of the last; none if one of them has the
// same or no such file.
func changes(ctx context.Context, file string, sources []string) ([][]byte, error) {
	var texts [][]byte
	last := filepath.Join(sources[len(sources)-1], file)
	for _, dir := range sources[:len(sources)-1] {
		if _, err := os.Stat(filepath.Join(dir, file)); errors.Is(err, os.ErrNotExist) {
			return nil, nil
		}
		res, err := process.Run(ctx, process.Cmd{Path: "diff", Args: []string{"-u", "--label", "a/" + file, "--label", "b/" + file, filepath.Join(dir, file), last}})
		var exit *process.ExitError
		switch {
		case err == nil:
			return nil, nil
		case !errors.As(err, &exit) || res.ExitCode != 1: // 1 is diff's way to say that there is a difference
			return nil, err
		}
		texts = append(texts, []byte(res.Stdout))
	}
	return texts, nil
}

// manifest is the file for livesplice matrix. All updates are single ones: cumulative ones would need revisions.
func manifest(kernels []kernel, fixes []fix) string {
	var b bytes.Buffer
	b.WriteString("matrix: 1\ndefaults:\n  stack: true\nkernels:\n")
	for _, k := range kernels {
		fmt.Fprintf(&b, "  - name: %q\n    source: %q\n    packages:\n", k.Release, k.files.Source)
		for _, p := range k.files.Kernel() {
			fmt.Fprintf(&b, "      - %q\n", p)
		}
	}
	b.WriteString("fixes:\n")
	for _, f := range fixes {
		fmt.Fprintf(&b, "  - name: %q\n    patches-for:\n", f.name)
		for i, k := range kernels {
			fmt.Fprintf(&b, "      %q: [%q]\n", k.Release, f.patches[i])
		}
	}
	return b.String()
}
