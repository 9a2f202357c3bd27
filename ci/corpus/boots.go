package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"livesplice/ci/vm"
	"livesplice/kmod/livepatch"
	"livesplice/pipeline/corpus"
	"livesplice/pipeline/verify"
)

// boots exercises updates, many in each boot of a machine. What each came to is kept in a file line by line, so that a run that
// was stopped goes on.
type boots struct {
	image   string // linux-image .deb
	perBoot int
	log     io.Writer
	known   map[string]verdict // by sha256 of image's name and module
	file    *os.File
}

// kept is a line of the file.
type kept struct {
	Key  string `json:"key"`
	File string `json:"file"`
	verdict
}

// updates are the modules of a corpus in its folder.
func updates(r *corpus.Result, out string) []update {
	var all []update
	for _, e := range r.Entries {
		if e.Outcome == corpus.Spliced {
			all = append(all, update{file: e.File, name: strings.TrimSuffix(e.Module, ".ko"), path: filepath.Join(out, "modules", e.Module), objects: e.Objects, stays: len(e.Held) > 0})
		}
	}
	return all
}

func openBoots(out, image string, perBoot int, log io.Writer) (*boots, error) {
	b := &boots{image: image, perBoot: perBoot, log: log, known: map[string]verdict{}}
	path := filepath.Join(out, "boots.jsonl")
	old, err := os.Open(path)
	if err == nil {
		defer old.Close()
		for s := bufio.NewScanner(old); s.Scan(); {
			var k kept
			if json.Unmarshal(s.Bytes(), &k) == nil && k.Key != "" { // one that was cut short is done again
				b.known[k.Key] = k.verdict
			}
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if b.file, err = os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644); err == nil {
		_, err = b.file.WriteString("\n") // ends a line that was cut short
	}
	return b, err
}

func (b *boots) key(u update) (string, error) {
	module, err := os.ReadFile(u.path)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	fmt.Fprintf(h, "boots 1\n%s\n", filepath.Base(b.image))
	h.Write(module)
	return fmt.Sprintf("%x", h.Sum(nil))[:32], nil
}

// all gives the verdict on each update, in their order.
func (b *boots) all(ctx context.Context, updates []update) ([]verdict, error) {
	verdicts := make([]verdict, len(updates))
	var todo []int
	for i, u := range updates {
		key, err := b.key(u)
		if err != nil {
			return nil, err
		}
		v, ok := b.known[key]
		if verdicts[i] = v; !ok {
			todo = append(todo, i)
		}
	}
	for len(todo) > 0 {
		now := todo[:min(b.perBoot, len(todo))]
		done, err := b.boot(ctx, updates, now, verdicts)
		if err != nil {
			return nil, err
		}
		todo = todo[done:]
	}
	return verdicts, nil
}

// The limits of one machine. A script that hangs must not take the others with it.
const (
	machineLife = 60 * time.Minute
	updateLife  = 5 * time.Minute
	memory      = 4096 // MiB: the initramfs holds the target modules with all that they need
)

// boot exercises some of the updates in one machine, and says how many it came to. A machine that dies takes the verdict on
// the one that it died of with it; the rest is for the next.
func (b *boots) boot(ctx context.Context, updates []update, which []int, verdicts []verdict) (int, error) {
	var modules []string
	for _, i := range which {
		for _, o := range updates[i].objects {
			if o.Name != livepatch.VMLinux {
				modules = append(modules, o.Name)
			}
		}
	}
	slices.Sort(modules)
	start := time.Now()
	m, err := vm.Start(ctx, vm.Config{Image: b.image, Modules: slices.Compact(modules), Memory: memory, Timeout: machineLife})
	if err != nil {
		return 0, err
	}
	defer m.Close()
	fmt.Fprintf(b.log, "%s runs, %.0f s after its start\n", m.Release(), time.Since(start).Seconds())
	if res, err := m.Run(ctx, verify.Prepare); err != nil || res.ExitCode != 0 {
		return 0, fmt.Errorf("tracefs: %s %w", res.Stderr, err)
	}
	for n, i := range which {
		one, stop := context.WithTimeout(ctx, updateLife)
		v, err := exercise(one, m, updates[i])
		stop()
		if ctx.Err() != nil {
			return n, context.Cause(ctx)
		}
		if err != nil {
			v.problem("machine: %v", err)
		}
		verdicts[i] = v
		b.tell(updates[i], v)
		if kerr := b.keep(updates[i], v); kerr != nil {
			return n, kerr
		}
		if len(v.Problems) > 0 { // what is wrong with it now may be wrong for the next as well
			return n + 1, nil
		}
	}
	return len(which), nil
}

func (b *boots) tell(u update, v verdict) {
	state := "ok"
	if len(v.Problems) > 0 {
		state = "BAD"
	}
	fmt.Fprintf(b.log, "%-4s %s %s", state, u.file, u.name)
	if len(v.Absent) > 0 {
		fmt.Fprintf(b.log, ", not loadable: %s", strings.Join(v.Absent, " "))
	}
	if len(v.Late) > 0 {
		fmt.Fprintf(b.log, ", late too: %s", strings.Join(v.Late, " "))
	}
	fmt.Fprintln(b.log)
	for _, p := range v.Problems {
		fmt.Fprintf(b.log, "     %s\n", p)
	}
}

func (b *boots) keep(u update, v verdict) error {
	key, err := b.key(u)
	if err != nil {
		return err
	}
	text, err := json.Marshal(kept{Key: key, File: u.file, verdict: v})
	if err != nil {
		return err
	}
	_, err = b.file.Write(append(text, '\n'))
	return err
}

func (b *boots) close() { b.file.Close() }

// summary is the verdicts as plain text, for the table.
func summary(verdicts []verdict) string {
	well, absent, late := 0, 0, 0
	for _, v := range verdicts {
		if len(v.Problems) > 0 {
			continue
		}
		well++
		if len(v.Absent) > 0 {
			absent++
		}
		if len(v.Late) > 0 {
			late++
		}
	}
	var s strings.Builder
	fmt.Fprintf(&s, "in a VM: loaded, seen patched, undone, unloaded, kernel log clean: %d of %d\n", well, len(verdicts))
	fmt.Fprintf(&s, "  %-52s %4d\n", "of these, patched once more as their module came", late)
	fmt.Fprintf(&s, "  %-52s %4d\n", "of these, the module does not load in the VM", absent)
	return s.String()
}
