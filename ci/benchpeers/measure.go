package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"livesplice/pipeline/process"
)

// subject is a kernel and a patch for it.
type subject struct {
	name     string // of its record; "": the release that its build says
	source   string
	tree     string // its finished build; "" if there is none
	packages []string
	patch    string
}

// bench is where it happens.
type bench struct {
	dir     string // temporary
	program string // livesplice
	kpatch  string
	records string
	warm    int
	full    bool
	log     io.Writer
}

// cost is what a run took; the processor's time is that of all programs in it, and depends less on what else the machine did.
type cost struct{ wall, cpu time.Duration }

// pair is the cost of a first run and of a later one, of another patch of the same unit; zero: there was none.
type pair struct{ cold, warm cost }

// figures are those of one subject.
type figures struct {
	name, patch string
	packages    pair // livesplice create from packages
	tree        pair // livesplice create --build-tree
	kpatch      pair
	why         string // kpatch-build was not measured
	record      *record
}

func (b *bench) measure(ctx context.Context, s subject) (*figures, error) {
	f := &figures{name: s.name, patch: strings.TrimSuffix(filepath.Base(s.patch), ".patch")}
	config := ""
	if s.tree != "" {
		release, err := os.ReadFile(filepath.Join(s.tree, "include/config/kernel.release"))
		if err != nil {
			return nil, err
		}
		f.name = strings.TrimSpace(string(release))
		text, err := os.ReadFile(filepath.Join(s.tree, ".config"))
		if err != nil {
			return nil, err
		}
		config = string(text)
	}
	var err error
	if s.tree != "" && b.full {
		if err := b.build(ctx, s, f.name); err != nil {
			return nil, err
		}
	}
	if f.record, err = readRecord(b.records, f.name); err != nil {
		return nil, err
	}
	if len(s.packages) > 1 { // headers among them
		args := []string{"--source", s.source}
		for _, p := range s.packages {
			args = append(args, "--kernel", p)
		}
		if f.packages, err = b.create(ctx, s, args); err != nil {
			return nil, err
		}
	}
	if s.tree == "" {
		f.why = "there is no finished build of this kernel here, from which it could take vmlinux"
		return f, nil
	}
	if f.tree, err = b.create(ctx, s, []string{"--build-tree", s.tree, "--kernel", s.packages[0]}); err != nil {
		return nil, err
	}
	if _, err := exec.LookPath(b.kpatch); err != nil {
		f.why = "it is not installed here; Debian has it since 13, package kpatch-build"
		return f, nil
	}
	if f.why = unfit(config); f.why == "" {
		f.kpatch, err = b.peer(ctx, s)
	}
	return f, err
}

// unfit says why kpatch-build, 0.9.10, refuses a kernel of this configuration; "" if it does not.
func unfit(config string) string {
	has := func(option string) bool { return slices.Contains(strings.Split(config, "\n"), option+"=y") }
	switch {
	case !has("CONFIG_DEBUG_INFO"):
		return "the kernel has no debug information, which it needs (CONFIG_DEBUG_INFO)"
	case has("CONFIG_X86_KERNEL_IBT"):
		return "it takes no kernel with CONFIG_X86_KERNEL_IBT"
	}
	return ""
}

// create runs livesplice create with an empty cache, and then with other patches of the same unit.
func (b *bench) create(ctx context.Context, s subject, args []string) (pair, error) {
	cache, out := filepath.Join(b.dir, "cache"), filepath.Join(b.dir, "out")
	var runs []cost
	for i := range 1 + b.warm {
		patch, err := b.varied(s.patch, i)
		if err != nil {
			return pair{}, err
		}
		fmt.Fprintf(b.log, "benchpeers: livesplice create %s, run %d\n", args[0], i)
		all := slices.Concat([]string{"--cache", cache, "create", "--out", out}, args, []string{patch})
		res, err := process.Run(ctx, process.Cmd{Path: b.program, Args: all, Env: os.Environ()})
		if err != nil {
			return pair{}, fmt.Errorf("livesplice create: %w\n%s", err, res.Stderr)
		}
		runs = append(runs, cost{res.Wall, res.CPU()})
		if err := os.RemoveAll(out); err != nil {
			return pair{}, err
		}
	}
	return pair{runs[0], median(runs[1:])}, os.RemoveAll(cache)
}

// median is the run of median wall time; of an even number the slower of the two in the middle.
func median(runs []cost) cost {
	sorted := slices.SortedFunc(slices.Values(runs), func(a, b cost) int { return cmp.Compare(a.wall, b.wall) })
	return sorted[len(sorted)/2]
}

// varied is another patch for the same code: a comment goes into its first added line, so that the unit must be compiled again.
func (b *bench) varied(patch string, n int) (string, error) {
	text, err := os.ReadFile(patch)
	if err != nil {
		return "", err
	}
	lines := strings.Split(string(text), "\n")
	at := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, "+") && strings.HasSuffix(l, ";") })
	if at < 0 {
		return "", fmt.Errorf("patch %q: want an added line that ends with a semicolon", patch)
	}
	lines[at] += fmt.Sprintf(" /* run %d */", n)
	path := filepath.Join(b.dir, "change.patch")
	return path, os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o644)
}
