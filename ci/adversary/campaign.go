package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// campaign is what one seed comes to: a scaffold, its kernel, and patches in batches, one of each unit in a batch.
type campaign struct {
	seed      uint64
	dir       string
	log       io.Writer
	jobs      int
	tool      string // hash of the programs
	made      *livesplice
	splicectl string
	units     []*unit
	scaffold  string // hash of the units' files

	bare *bare
	base *built
	seen map[string]bool // patches, by their hash

	observed *store[observations]
	created  *store[made]
	results  *store[result]
}

// result is what came of one update.
type result struct {
	Seed        uint64   `json:"seed"`
	Batch       int      `json:"batch"`
	Unit        string   `json:"unit"`
	Kinds       []string `json:"kinds"`
	Order       order    `json:"order"`
	Outcome     string   `json:"outcome"`
	Codes       []string `json:"codes,omitempty"`
	Message     string   `json:"message,omitempty"`
	Compared    bool     `json:"compared,omitempty"`
	Differences []string `json:"differences,omitempty"`
}

// openCampaign draws the scaffold of a seed, and builds its kernel where that is not there yet.
func openCampaign(ctx context.Context, o *options, seed uint64) (*campaign, error) {
	units, err := drawUnits(seed, o.units, o.kinds)
	if err != nil {
		return nil, err
	}
	c := &campaign{seed: seed, dir: filepath.Join(o.state, fmt.Sprintf("seed-%d", seed)), log: o.log, jobs: o.jobs, units: units, splicectl: o.splicectl, seen: map[string]bool{}}
	for _, p := range []string{o.livesplice, o.splicectl} {
		text, err := os.ReadFile(p)
		if err != nil {
			return nil, err
		}
		c.tool = hashOf(c.tool, string(text))
	}
	if err := os.MkdirAll(c.dir, 0o755); err != nil {
		return nil, err
	}
	files := scaffoldFiles(units)
	c.scaffold = hashFiles(files)
	c.tell("the base kernel, %d units", len(units))
	if c.bare, err = findBare(ctx, o.state); err != nil {
		return nil, err
	}
	if c.base, err = buildScaffold(ctx, c.bare, filepath.Join(c.dir, "base"), files); err != nil {
		return nil, err
	}
	c.made = &livesplice{program: o.livesplice, base: c.base}
	if c.observed, err = openStore[observations](filepath.Join(c.dir, "observed.jsonl")); err != nil {
		return nil, err
	}
	if c.created, err = openStore[made](filepath.Join(c.dir, "created.jsonl")); err != nil {
		return nil, err
	}
	c.results, err = openStore[result](filepath.Join(c.dir, "results.jsonl"))
	return c, err
}

func (c *campaign) tell(format string, args ...any) {
	fmt.Fprintf(c.log, "%s seed %d: %s\n", time.Now().UTC().Format(time.TimeOnly), c.seed, fmt.Sprintf(format, args...))
}

// trial is an update of a batch, with its patch.
type trial struct {
	*update
	key   string // of patch and operations
	patch string // file
	text  string
	made  made
}

// draws is how often a patch is drawn anew that was there before.
const draws = 20

// batch draws the patches of a batch and writes them. Those that change nothing, or were there before, are left out.
func (c *campaign) batch(ctx context.Context, n int) ([]*trial, error) {
	dir := filepath.Join(c.dir, fmt.Sprintf("batch-%d", n))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	var all []*trial
	for _, u := range c.units {
		for i := range draws {
			up := u.drawUpdate(c.seed, fmt.Sprintf("%s %d %d", u.name, n, i))
			text, err := unified(ctx, c.dir, up.before, up.after)
			if err != nil {
				return nil, err
			}
			if h := hashOf(text); text == "" || c.seen[h] {
				continue
			} else {
				c.seen[h] = true
			}
			t := &trial{update: up, patch: filepath.Join(dir, u.name+".patch"), text: text}
			t.key = hashOf(hashFiles(up.reference), text, string(up.Order), fmt.Sprint(up.setup, up.probe, up.undone, up.Twice))
			all = append(all, t)
			if err := replaceFile(t.patch, text); err != nil {
				return nil, err
			}
			break
		}
	}
	return all, nil
}

// run tries the updates of a batch.
func (c *campaign) run(ctx context.Context, n int) ([]result, error) {
	trials, err := c.batch(ctx, n)
	if err != nil {
		return nil, err
	}
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return c.observeReference(gctx, n, trials) })
	g.Go(func() error {
		if err := c.observe(gctx, c.base, control, trials); err != nil {
			return err
		}
		return c.create(gctx, n, trials)
	})
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return c.compare(ctx, n, trials)
}

// observedKey names what a machine other than the one with the update shows.
func (c *campaign) observedKey(m machine, t *trial) string {
	return fmt.Sprintf("%d %s %s", m, c.scaffold, t.key)
}

// observeReference builds the reference of a batch, all its patches in one kernel, and takes the observations.
func (c *campaign) observeReference(ctx context.Context, n int, trials []*trial) error {
	if !slices.ContainsFunc(trials, func(t *trial) bool { _, ok := c.observed.get(c.observedKey(reference, t)); return !ok }) {
		return nil
	}
	files := scaffoldFiles(c.units)
	for _, t := range trials {
		for name, text := range t.reference {
			files[name] = text
		}
	}
	c.tell("batch %d: the reference kernel", n)
	b, err := buildScaffold(ctx, c.bare, filepath.Join(c.dir, "reference"), files)
	if err != nil {
		return err
	}
	return c.observe(ctx, b, reference, trials)
}

// observe takes the observations of all trials on the reference or the control.
func (c *campaign) observe(ctx context.Context, b *built, m machine, trials []*trial) error {
	r := newRunner(b, moduleNames(c.units), 1, "")
	defer r.close()
	for _, t := range trials {
		key := c.observedKey(m, t)
		if _, ok := c.observed.get(key); ok {
			continue
		}
		o, died, err := r.run(ctx, t.steps(m, ""), "", "")
		if err != nil {
			return err
		}
		if died != "" {
			return fmt.Errorf("unit %s (%s): patch %s: the kernel without the update dies of it: %s", t.Unit, strings.Join(t.Kinds, ", "), t.patch, died)
		}
		if err := c.observed.put(key, o); err != nil {
			return err
		}
	}
	return nil
}

func (c *campaign) updateFolder(n int, t *trial) string {
	return filepath.Join(c.dir, fmt.Sprintf("batch-%d", n), t.Unit)
}

// create makes the updates.
func (c *campaign) create(ctx context.Context, n int, trials []*trial) error {
	c.tell("batch %d: %d updates", n, len(trials))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(c.jobs)
	for _, t := range trials {
		key := c.tool + " " + t.key
		if m, ok := c.created.get(key); ok {
			if _, err := os.Stat(filepath.Join(c.updateFolder(n, t), manifestName)); m.ID == "" || err == nil {
				t.made = m
				continue
			}
		}
		g.Go(func() error {
			m, err := c.made.create(gctx, t.patch, c.updateFolder(n, t))
			if err != nil {
				return fmt.Errorf("patch %s: %w", t.patch, err)
			}
			t.made = *m
			return c.created.put(key, *m)
		})
	}
	return g.Wait()
}

// compare loads the updates, one after the other, and compares.
func (c *campaign) compare(ctx context.Context, n int, trials []*trial) (all []result, err error) {
	r := newRunner(c.base, moduleNames(c.units), 1+n%2, c.splicectl)
	defer func() { r.close() }()
	for _, t := range trials {
		key := c.tool + " " + t.key
		if res, ok := c.results.get(key); ok {
			all = append(all, res)
			continue
		}
		res := result{Seed: c.seed, Batch: n, Unit: t.Unit, Kinds: t.Kinds, Order: t.Order, Outcome: t.made.Outcome, Codes: t.made.Codes, Message: t.made.Message}
		if t.made.ID != "" {
			o, died, err := r.run(ctx, t.steps(live, t.made.ID), c.updateFolder(n, t), t.made.ID)
			if err != nil {
				return all, err
			}
			ref, _ := c.observed.get(c.observedKey(reference, t))
			old, _ := c.observed.get(c.observedKey(control, t))
			res.Compared = true
			if res.Differences = compare(t.update, o, ref, old); died != "" {
				res.Differences = append(res.Differences, "the machine died: "+died)
			}
			if len(res.Differences) > 0 {
				r.close() // what is wrong in it now may be wrong for the next as well
			}
		}
		if err := c.results.put(key, res); err != nil {
			return all, err
		}
		c.tellResult(res)
		all = append(all, res)
	}
	return all, nil
}

func (c *campaign) tellResult(r result) {
	what := r.Outcome
	switch {
	case len(r.Differences) > 0:
		what = "DIFFERS"
	case len(r.Codes) > 0:
		what += " (" + strings.Join(r.Codes, ", ") + ")"
	case r.Message != "" && r.Outcome != "no change":
		what += ": " + r.Message
	}
	fmt.Fprintf(c.log, "  %d/%d/%s %s, %s: %s\n", r.Seed, r.Batch, r.Unit, strings.Join(r.Kinds, " + "), r.Order, what)
	for _, d := range r.Differences {
		fmt.Fprintf(c.log, "      %s\n", d)
	}
}

func (c *campaign) close() {
	for _, closer := range []interface{ close() error }{c.observed, c.created, c.results} {
		_ = closer.close()
	}
}
