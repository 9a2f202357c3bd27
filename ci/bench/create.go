package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"livesplice/ci/archive"
	"livesplice/pipeline"
	"livesplice/pipeline/process"
)

// setting is where and with what the measuring happens.
type setting struct {
	dir     string // temporary; everything is below it
	cache   string // livesplice's, empty at first
	program string // livesplice
	files   archive.Files
	cores   []int // the CPUs that measured programs run on: two at most
}

// run runs a program on the chosen cores. env is nil for a clean environment.
func (b *setting) run(ctx context.Context, env []string, program string, args ...string) (process.Result, error) {
	var list []string
	for _, c := range b.cores {
		list = append(list, strconv.Itoa(c))
	}
	return process.Run(ctx, process.Cmd{Path: "taskset", Args: append([]string{"-c", strings.Join(list, ","), program}, args...), Env: env})
}

// creations fills in the runs of livesplice create.
func (b *setting) creations(ctx context.Context, f *figures, warm int) error {
	text, err := os.ReadFile(patchFile)
	if err != nil {
		return err
	}
	say("cold run")
	if f.Cold, err = b.create(ctx, text); err != nil {
		return err
	}
	for i := range warm {
		say(fmt.Sprintf("warm run %d", i+1))
		varied, err := vary(text, i+1)
		if err != nil {
			return err
		}
		r, err := b.create(ctx, varied)
		if err != nil {
			return err
		}
		if r.stage("diff").Tools == 0 || r.stage("prepare").Tools != 0 {
			return fmt.Errorf("warm run %d: want the patched unit compiled and the tree from the cache, have stages %+v", i+1, r.Stages)
		}
		f.Warm = append(f.Warm, r)
	}
	say("the same patch again")
	if f.Again, err = b.create(ctx, text); err == nil && f.Again.stage("diff").Tools != 0 {
		err = fmt.Errorf("again: want no compiler to run, have stages %+v", f.Again.Stages)
	}
	return err
}

// vary makes another patch of the same effect, so that the patched unit must be compiled and the module linked anew.
func vary(patch []byte, n int) ([]byte, error) {
	const comment = "/* nothing is ever written to it */"
	if bytes.Count(patch, []byte(comment)) != 1 {
		return nil, fmt.Errorf("patch %q: want the comment %q in it once", patchFile, comment)
	}
	return bytes.Replace(patch, []byte(comment), fmt.Appendf(nil, "/* nothing is ever written to it, %d */", n), 1), nil
}

// create runs livesplice create once, in a process of its own.
func (b *setting) create(ctx context.Context, patch []byte) (creation, error) {
	file, out, timings := filepath.Join(b.dir, "fix.patch"), filepath.Join(b.dir, "out"), filepath.Join(b.dir, "timings.json")
	if err := os.WriteFile(file, patch, 0o644); err != nil {
		return creation{}, err
	}
	res, err := b.run(ctx, os.Environ(), b.program, "--cache", b.cache, "create", "--source", b.files.Source, "--kernel", b.files.Image,
		"--kernel", b.files.Headers, "--kernel", b.files.HeadersCommon, "--timings", timings, "--out", out, file)
	if err != nil {
		return creation{}, fmt.Errorf("livesplice create: %w", err)
	}
	text, err := os.ReadFile(timings)
	if err != nil {
		return creation{}, err
	}
	var m pipeline.Measured
	if err := json.Unmarshal(text, &m); err != nil {
		return creation{}, fmt.Errorf("file %q: %w", timings, err)
	}
	return creation{Wall: res.Wall, Measured: m}, os.RemoveAll(out)
}
