package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Outcomes of `livesplice create`, by its exit code.
var outcomes = map[int]string{0: "spliced", 1: "fault", 2: "usage", 3: "no change", 4: "refused", 5: "mismatch", 6: "build failed"}

// made is what livesplice made of a patch.
type made struct {
	Outcome string   `json:"outcome"`
	Codes   []string `json:"codes,omitempty"`   // of refusals, each once, sorted
	Message string   `json:"message,omitempty"` // without an update
	ID      string   `json:"id,omitempty"`      // of the update
}

// createLife bounds one run: this machine may be busy.
const createLife = 10 * time.Minute

// livesplice is the program, with what it is told about the kernel.
type livesplice struct {
	program string
	base    *built
}

// create makes an update of a patch in the folder out.
func (l *livesplice) create(ctx context.Context, patch, out string) (*made, error) {
	ctx, stop := context.WithTimeout(ctx, createLife)
	defer stop()
	if err := os.RemoveAll(out); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, l.program, "create", "--build-tree", l.base.tree(), "--kernel", l.base.kernel(), "--format", "deb", "--out", out, "-j", "1", "--json", patch)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if ctx.Err() != nil || err != nil && !errors.As(err, &exit) {
		return nil, errors.Join(err, context.Cause(ctx))
	}
	m := &made{Outcome: outcomes[cmd.ProcessState.ExitCode()]}
	if m.Outcome == "" {
		m.Outcome = "fault"
	}
	if m.Outcome != "spliced" {
		m.fail(stdout.Bytes(), stderr.String())
		return m, nil
	}
	return m, m.read(out)
}

// fail reads why there is no update.
func (m *made) fail(stdout []byte, stderr string) {
	var failure struct {
		Message  string `json:"message"`
		Refusals []struct {
			Code string `json:"code"`
		} `json:"refusals"`
	}
	if json.Unmarshal(stdout, &failure) != nil {
		failure.Message = stderr[max(0, len(stderr)-2000):]
	}
	m.Message = failure.Message
	for _, r := range failure.Refusals {
		m.Codes = append(m.Codes, r.Code)
	}
	slices.Sort(m.Codes)
	m.Codes = slices.Compact(m.Codes)
}

const manifestName = "manifest.json"

// read finds the module, and leaves nothing but it and its manifest in the folder.
func (m *made) read(out string) error {
	found, err := filepath.Glob(filepath.Join(out, "*", manifestName))
	if err != nil || len(found) != 1 {
		return fmt.Errorf("folder %q: %d manifests", out, len(found))
	}
	text, err := os.ReadFile(found[0])
	if err != nil {
		return err
	}
	var manifest struct {
		ModuleFile string `json:"module_file"`
		ID         string `json:"id"`
	}
	if err := json.Unmarshal(text, &manifest); err != nil {
		return fmt.Errorf("file %q: %w", found[0], err)
	}
	m.ID = manifest.ID
	module, err := os.ReadFile(filepath.Join(filepath.Dir(found[0]), manifest.ModuleFile))
	if err != nil {
		return err
	}
	if err := os.RemoveAll(out); err != nil {
		return err
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	return errors.Join(os.WriteFile(filepath.Join(out, manifest.ModuleFile), module, 0o644), os.WriteFile(filepath.Join(out, manifestName), text, 0o644))
}

// unified makes the patch of files that differ, as git would.
func unified(ctx context.Context, scratch string, before, after map[string]string) (string, error) {
	var names []string
	for name := range after {
		if before[name] != after[name] {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var b strings.Builder
	for _, name := range names {
		paths := []string{filepath.Join(scratch, "before"), filepath.Join(scratch, "after")}
		for i, text := range []string{before[name], after[name]} {
			if err := os.WriteFile(paths[i], []byte(text), 0o644); err != nil {
				return "", err
			}
		}
		label := folder + "/" + name
		cmd := exec.CommandContext(ctx, "diff", "-u", "--label", "a/"+label, "--label", "b/"+label, paths[0], paths[1])
		out, err := cmd.Output()
		var exit *exec.ExitError
		if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 1) {
			return "", fmt.Errorf("diff: %w", err)
		}
		b.Write(out)
	}
	return b.String(), nil
}
