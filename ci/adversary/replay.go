package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// again does one update of a campaign again, and shows its patch and what all three machines said. The reference is that of the
// campaign, which must have come so far.
func (o *options) again(ctx context.Context, stdout io.Writer) (wrong bool, err error) {
	var seed uint64
	var batch int
	var name string
	if _, err := fmt.Sscanf(strings.ReplaceAll(o.replay, "/", " "), "%d %d %s", &seed, &batch, &name); err != nil {
		return false, fmt.Errorf("replay %q: want SEED/BATCH/UNIT", o.replay)
	}
	c, err := openCampaign(ctx, o, seed)
	if err != nil {
		return false, err
	}
	defer c.close()
	var t *trial
	for n := range batch + 1 { // each knows the patches of those before
		trials, err := c.batch(ctx, n)
		if err != nil {
			return false, err
		}
		if n == batch {
			i := slices.IndexFunc(trials, func(t *trial) bool { return t.Unit == name })
			if i < 0 {
				return false, fmt.Errorf("replay %q: the batch has no patch of %s", o.replay, name)
			}
			t = trials[i]
		}
	}
	m, err := c.made.create(ctx, t.patch, c.updateFolder(batch, t))
	if err != nil {
		return false, err
	}
	fmt.Fprintf(stdout, "%s\n%s, %s\n%s\n%s %q %s\n", t.patch, strings.Join(t.Kinds, " + "), t.Order, t.text, m.Outcome, m.Codes, m.Message)
	ref, ok := c.observed.get(c.observedKey(reference, t))
	old, ok2 := c.observed.get(c.observedKey(control, t))
	if m.ID == "" || !ok || !ok2 {
		return m.ID != "", nil
	}
	r := newRunner(c.base, moduleNames(c.units), 1+batch%2, c.splicectl)
	defer r.close()
	steps := t.steps(live, m.ID)
	o1, died, err := r.run(ctx, steps, c.updateFolder(batch, t), m.ID)
	if err != nil {
		return false, err
	}
	for _, s := range steps {
		fmt.Fprintf(stdout, "== %s\n", s.name)
		for i, x := range []observations{o1, ref, old} {
			fmt.Fprintf(stdout, "%-9s %q %q\n", []string{"live", "reference", "control"}[i], x.Output[s.name], x.Log[s.name])
		}
	}
	differences := compare(t.update, o1, ref, old)
	fmt.Fprintln(stdout, strings.Join(differences, "\n"), died)
	return len(differences) > 0 || died != "", os.Stdout.Sync()
}
