package corpus

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
)

// batch is how many files kbuild is asked for at once: a run of make costs seconds, each object in it a fraction of one.
const batch = 16

// draw takes the files in order, several at a time, until enough of them are buildable. Which ones that is depends on the
// order alone, not on which is ready first: the entries end with the file that is the last one needed, and are sorted by
// name.
func (w *work) draw(ctx context.Context, files []string) ([]Entry, error) {
	d := &drawn{entries: make([]*Entry, len(files)), want: w.opts.Sample}
	queue := make(chan int)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(queue)
		return w.feed(ctx, files, d, queue)
	})
	for range w.opts.Jobs {
		g.Go(func() error {
			for i := range queue {
				e, err := w.one(ctx, files[i])
				if err == nil {
					err = w.results.keep(e)
				}
				if err != nil {
					return fmt.Errorf("file %q: %w", files[i], err)
				}
				fmt.Fprintf(w.opts.Log, "%-22s %s %s\n", e.Outcome, e.File, codes(e.Codes))
				d.put(i, e.Entry)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return d.result(), nil
}

// feed hands out the indices of the files whose results are not known yet.
func (w *work) feed(ctx context.Context, files []string, d *drawn, queue chan<- int) error {
	for from := 0; from < len(files) && !d.enough(); from += batch {
		var todo []int
		for i := from; i < min(from+batch, len(files)); i++ {
			if e, ok := w.results.find(files[i]); ok {
				d.put(i, e)
				continue
			}
			todo = append(todo, i)
		}
		if err := w.record(ctx, files, todo); err != nil {
			return err
		}
		for _, i := range todo {
			if d.enough() {
				return nil
			}
			select {
			case queue <- i:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
	}
	return nil
}

// record lets kbuild compile the units of several files as shipped, in one run.
func (w *work) record(ctx context.Context, files []string, which []int) error {
	var units []string
	for _, i := range which {
		u, _, err := w.owned(ctx, files[i])
		if err != nil {
			return err
		}
		units = append(units, u...)
	}
	slices.Sort(units)
	_, err := w.tree.Record(ctx, slices.Compact(units)...)
	return err
}

// owned are the objects of the kernel and its modules that a file is part of, and the targets that they are linked into.
func (w *work) owned(ctx context.Context, file string) (units, targets []string, err error) {
	owners, err := w.tree.Owner(ctx, []string{file})
	if err != nil {
		return nil, nil, err
	}
	for _, o := range owners {
		if o.Unit != "" {
			units, targets = append(units, o.Unit), append(targets, o.Target)
		}
	}
	slices.Sort(units)
	slices.Sort(targets)
	return slices.Compact(units), slices.Compact(targets), nil
}

// drawn collects entries in the order of the files.
type drawn struct {
	want int // buildable ones; 0: all

	mu      sync.Mutex
	entries []*Entry
	next    int // entries before it are all there
	count   int // buildable ones among these
}

func (d *drawn) put(i int, e Entry) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.entries[i] = &e
	for d.next < len(d.entries) && d.entries[d.next] != nil && !d.full() {
		if d.entries[d.next].Outcome.buildable() {
			d.count++
		}
		d.next++
	}
}

func (d *drawn) full() bool { return d.want > 0 && d.count >= d.want }

func (d *drawn) enough() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.full()
}

func (d *drawn) result() []Entry {
	var all []Entry
	for _, e := range d.entries[:d.next] {
		all = append(all, *e)
	}
	slices.SortFunc(all, func(a, b Entry) int { return strings.Compare(a.File, b.File) })
	return all
}
