package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"livesplice/pipeline/process"
)

// record is what was measured once of a kernel, in records/<kernel>.json.
type record struct {
	Kernel   string  `json:"kernel"`
	Date     string  `json:"date,omitempty"`
	CPU      string  `json:"cpu,omitempty"` // model, and how many
	Load     string  `json:"load,omitempty"`
	Compiler string  `json:"compiler,omitempty"`
	What     string  `json:"what"` // is built
	Full     float64 `json:"full_seconds,omitempty"`
	FullCPU  float64 `json:"full_cpu_seconds,omitempty"`
	Log      string  `json:"log,omitempty"` // file beside the record
	// Given says by whom the figures are, if not by this program: there is no log of them.
	Given      string  `json:"given,omitempty"`
	KpatchCold float64 `json:"kpatch_build_cold_seconds,omitempty"`
	KpatchWarm float64 `json:"kpatch_build_warm_seconds,omitempty"`
}

// readRecord is the record of a kernel, nil if there is none.
func readRecord(dir, kernel string) (*record, error) {
	path := filepath.Join(dir, kernel+".json")
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	r := &record{}
	if err := json.Unmarshal(data, r); err != nil {
		return nil, fmt.Errorf("file %q: %w", path, err)
	}
	if (r.Log == "") == (r.Given == "") {
		return nil, fmt.Errorf("file %q: want either the log of what was measured, or who gave the figures", path)
	}
	return r, nil
}

// build measures a full build of a subject in an empty folder, with the configuration and compiler of its finished one, and
// keeps record and log.
func (b *bench) build(ctx context.Context, s subject, kernel string) error {
	obj := filepath.Join(b.dir, "full")
	if err := os.MkdirAll(obj, 0o755); err != nil {
		return err
	}
	defer os.RemoveAll(obj)
	config, err := os.ReadFile(filepath.Join(s.tree, ".config"))
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(obj, ".config"), config, 0o644); err != nil {
		return err
	}
	compiler := compilerOf(string(config))
	fmt.Fprintf(b.log, "benchpeers: full build of %s\n", kernel)
	r := &record{Kernel: kernel, Date: time.Now().UTC().Format(time.DateOnly), Compiler: compiler, What: "vmlinux and modules", Log: kernel + ".log"}
	if r.CPU, r.Load, err = processors(); err != nil {
		return err
	}
	program, _, _ := strings.Cut(compiler, " ")
	args := []string{"-C", s.source, "O=" + obj, "CC=" + program, "HOSTCC=" + program, fmt.Sprintf("-j%d", runtime.NumCPU())}
	var log strings.Builder
	for _, targets := range [][]string{{"olddefconfig"}, {"vmlinux", "modules"}} {
		res, err := process.Run(ctx, process.Cmd{Path: "make", Args: append(args, targets...), Env: os.Environ(), Limit: 64 << 20})
		fmt.Fprintf(&log, "$ make -j%d %s\n%s%s%.1f s\n", runtime.NumCPU(), strings.Join(targets, " "), res.Stdout, res.Stderr, res.Wall.Seconds())
		if err != nil {
			return err
		}
		r.Full, r.FullCPU = tenths(res.Wall), tenths(res.CPU()) // of the last one
	}
	// Folders of this machine are nobody's business.
	text := strings.NewReplacer(obj, "OBJECT", s.source, "SOURCE").Replace(log.String())
	if err := os.WriteFile(filepath.Join(b.records, r.Log), []byte(text), 0o644); err != nil {
		return err
	}
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(b.records, kernel+".json"), append(data, '\n'), 0o644)
}

// tenths are seconds with one digit behind the point.
func tenths(d time.Duration) float64 { return d.Round(100 * time.Millisecond).Seconds() }

// compilerOf is the compiler that a configuration was made with, as it calls itself: its program, then its version.
func compilerOf(config string) string {
	for line := range strings.Lines(config) {
		if text, ok := strings.CutPrefix(strings.TrimSpace(line), "CONFIG_CC_VERSION_TEXT="); ok {
			return strings.Trim(text, `"`)
		}
	}
	return "gcc"
}
