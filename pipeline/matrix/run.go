package matrix

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"livesplice/kconfig"
	"livesplice/pipeline"
	"livesplice/pipeline/cache"
	"livesplice/pipeline/process"
	"livesplice/pipeline/rebuild"
)

// Options are what `livesplice matrix` is told besides the manifest.
type Options struct {
	Out      string // folder for the cells, <kernel>/<fix>/ each
	Shard    Shard
	Jobs     int // compilers at the same time, of all cells together; 0: the number of CPUs
	Cache    string
	Launcher string
	SignKey  string // as of `livesplice create`; "" for none
	SignCert string
	Log      io.Writer // a line for each cell; may be nil
}

// batch is for how many cells kbuild is asked at once what it knows of their units: a run of make costs seconds, each
// object in it a fraction of one.
const batch = 16

// Planned is a cell and what is to be done about it.
type Planned struct {
	Kernel  string   `json:"kernel"`
	Fix     string   `json:"fix"`
	Patches []string `json:"patches"`
	Done    bool     `json:"done"`
	Why     string   `json:"why"` // "done", "refused", "not done yet", ...
}

// work is one run.
type work struct {
	opts    Options
	cache   *cache.Cache
	keys    *keys
	cells   []Cell
	records []*Record // by cell; nil: to be done
	state   []string
	key     []string

	trees []*rebuild.Tree // of the kernels so far, to be closed after the last cell

	mu   sync.Mutex
	done int // cells whose records are there
}

// Plan says which cells there are in the shard, and which of them are to be done. It writes nothing to Out.
func Plan(ctx context.Context, m *Manifest, opts Options) ([]Planned, error) {
	w, err := open(ctx, m, opts)
	if err != nil {
		return nil, err
	}
	planned := []Planned{}
	for i, c := range w.cells {
		p := Planned{Kernel: c.Kernel.Name, Fix: c.Fix.Name, Done: w.records[i] != nil, Why: w.state[i]}
		for _, patch := range c.Patches {
			p.Patches = append(p.Patches, filepath.Base(patch))
		}
		planned = append(planned, p)
	}
	return planned, nil
}

// Run makes the cells of the shard that are not done yet, several at a time, and sums up all of them. A cell that comes to
// nothing does not stop the others. What is done stays done when the run is stopped at any moment; the next one goes on from
// there, and gives the same files. The error is one that kept the run from its end.
func Run(ctx context.Context, m *Manifest, opts Options) (*Summary, error) {
	if opts.Out == "" {
		return nil, &kconfig.UsageError{Thing: `flag "--out"`, Reason: "a folder for the results is needed"}
	}
	w, err := open(ctx, m, opts)
	if err != nil {
		return nil, err
	}
	unlock, err := w.enter()
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := w.all(process.NewBudget(w.opts.Jobs).Share(ctx)); err != nil {
		if ctx.Err() != nil {
			err = fmt.Errorf("stopped after %d of %d cells: %w; the same command goes on from there", w.done, len(w.cells), context.Cause(ctx))
		}
		return nil, err
	}
	s := summarize(w.records, opts.Shard)
	return s, s.write(filepath.Join(w.opts.Out, "summary"+opts.Shard.suffix()+".json"))
}

// open checks the inputs and finds out which cells are done.
func open(ctx context.Context, m *Manifest, opts Options) (*work, error) {
	if opts.Jobs < 0 {
		return nil, &kconfig.UsageError{Thing: `flag "--jobs"`, Reason: fmt.Sprintf("%d is a negative number", opts.Jobs)}
	}
	if opts.Jobs == 0 {
		opts.Jobs = runtime.NumCPU()
	}
	if opts.Log == nil {
		opts.Log = io.Discard
	}
	w := &work{opts: opts, cells: opts.Shard.of(m.Cells())}
	for i := range w.cells {
		w.cells[i].Options.SignKey, w.cells[i].Options.SignCert = opts.SignKey, opts.SignCert
	}
	if err := inputs(w.cells); err != nil {
		return nil, err
	}
	for i := range w.cells {
		o := w.cells[i].Options // check sorts the formats
		if err := o.Check(); err != nil {
			return nil, fmt.Errorf("manifest: fix %q: %w", w.cells[i].Fix.Name, err)
		}
	}
	var err error
	if w.cache, err = cache.Open(opts.Cache); err != nil {
		return nil, err
	}
	if w.keys, err = newKeys(w.cache); err != nil {
		return nil, err
	}
	n := len(w.cells)
	w.records, w.state, w.key = make([]*Record, n), make([]string, n), make([]string, n)
	for i, c := range w.cells {
		dir := w.folder(c)
		if _, err := os.Stat(dir); err == nil && load(dir) == nil {
			return nil, &kconfig.UsageError{Thing: `flag "--out"`, Reason: fmt.Sprintf("%q is in the way: it has no %s of a cell", dir, recordName)}
		}
		if w.key[i], w.state[i], w.records[i], err = state(ctx, w.keys, c, dir); err != nil {
			return nil, fmt.Errorf("cell %s: %w", c.Name(), err)
		}
		if w.records[i] != nil {
			w.done++
		}
	}
	return w, nil
}

func (w *work) folder(c Cell) string { return filepath.Join(w.opts.Out, c.Kernel.Name, c.Fix.Name) }

// scratch is where cells come to be, on the file system of their place.
func (w *work) scratch() string { return filepath.Join(w.opts.Out, ".work") }

// enter makes the output folder this run's own, and removes what one that was killed has left.
func (w *work) enter() (unlock func(), err error) {
	bad := func(format string, args ...any) (func(), error) {
		return nil, &kconfig.UsageError{Thing: `flag "--out"`, Reason: fmt.Sprintf(format, args...)}
	}
	if err := os.MkdirAll(w.opts.Out, 0o755); err != nil {
		return bad("%v", err)
	}
	lock, err := os.OpenFile(filepath.Join(w.opts.Out, ".lock"), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return bad("%v", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		lock.Close()
		return bad("another livesplice matrix is at work in %q", w.opts.Out)
	}
	if err := errors.Join(os.RemoveAll(w.scratch()), os.MkdirAll(w.scratch(), 0o755)); err != nil {
		lock.Close()
		return nil, err
	}
	return func() {
		os.RemoveAll(w.scratch())
		lock.Close()
	}, nil
}

// task is a cell that is to be done, with its kernel; err is why that cannot be had.
type task struct {
	cell     int
	prepared *pipeline.Prepared
	err      error
}

// all does what is to be done: one goroutine prepares kernel after kernel and has kbuild say what it knows, the others take
// the cells.
func (w *work) all(ctx context.Context) (err error) {
	queue := make(chan task)
	defer func() {
		for _, t := range w.trees {
			err = errors.Join(err, t.Close())
		}
	}()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(queue)
		return w.feed(ctx, queue)
	})
	memory := newGate()
	for range w.opts.Jobs {
		g.Go(func() error {
			for t := range queue {
				if err := memory.enter(ctx); err != nil {
					return err
				}
				err := w.one(ctx, t)
				memory.leave()
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	return g.Wait()
}

// feed hands out the cells kernel by kernel, so that no more than two of them are held in memory.
func (w *work) feed(ctx context.Context, queue chan<- task) error {
	for from := 0; from < len(w.cells); {
		to := from
		var todo []int
		for ; to < len(w.cells) && w.cells[to].Kernel == w.cells[from].Kernel; to++ {
			if w.records[to] == nil {
				todo = append(todo, to)
			}
		}
		if len(todo) > 0 {
			if err := w.feedKernel(ctx, w.cells[from].Kernel, todo, queue); err != nil {
				return err
			}
		}
		from = to
	}
	return nil
}

func (w *work) feedKernel(ctx context.Context, k *Kernel, todo []int, queue chan<- task) error {
	fmt.Fprintf(w.opts.Log, "kernel %s: %d cells to do\n", k.Name, len(todo))
	opts := k.options()
	opts.Jobs, opts.Cache, opts.Launcher = w.opts.Jobs, w.opts.Cache, w.opts.Launcher
	opts.SignKey, opts.SignCert = w.opts.SignKey, w.opts.SignCert
	prepared, err := pipeline.Prepare(ctx, opts, pipeline.NewStages(w.opts.Log))
	if err == nil {
		w.trees = append(w.trees, prepared.Tree())
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	for from := 0; from < len(todo); from += batch {
		part := todo[from:min(from+batch, len(todo))]
		if err == nil {
			var patches [][]string
			for _, i := range part {
				patches = append(patches, w.cells[i].Patches)
			}
			if err := prepared.Record(ctx, patches); err != nil {
				return err
			}
		}
		for _, i := range part {
			select {
			case queue <- task{i, prepared, err}:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
	}
	return nil
}

// one does a cell and keeps its record. An error is one of the run.
func (w *work) one(ctx context.Context, t task) error {
	c, start := w.cells[t.cell], time.Now()
	dir, err := os.MkdirTemp(w.scratch(), "cell-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	opts := c.Options
	opts.Out, opts.Jobs, opts.Untimed = dir, w.opts.Jobs, true
	var res *pipeline.Result
	if err = t.err; err == nil {
		res, err = t.prepared.Create(ctx, opts, pipeline.NewStages(nil))
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	r := newRecord(c, w.key[t.cell], res, err)
	if err := r.seal(dir); err != nil {
		return err
	}
	if err := w.place(dir, w.folder(c)); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.done++
	w.records[t.cell] = r
	fmt.Fprintf(w.opts.Log, "%*d/%d  %-30s %6.2fs  %s\n", len(fmt.Sprint(len(w.cells))), w.done, len(w.cells), c.Name(), time.Since(start).Seconds(), r.line())
	return nil
}

// place moves a finished cell to its place, that of an older one if there is one.
func (w *work) place(dir, to string) error {
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	if _, err := os.Lstat(to); err == nil {
		old := dir + ".old"
		if err := os.Rename(to, old); err != nil {
			return err
		}
		defer os.RemoveAll(old)
	}
	if err := os.Rename(dir, to); err != nil {
		return err
	}
	return errors.Join(syncOne(filepath.Dir(to)), syncOne(w.opts.Out))
}
