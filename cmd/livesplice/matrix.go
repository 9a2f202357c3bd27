package main

import (
	"fmt"
	"strings"

	"livesplice/pipeline/matrix"
)

type matrixCmd struct {
	File     string `arg:"" help:"The manifest: kernels and fixes, in YAML. docs/matrix.md describes it."`
	Out      string `default:"." placeholder:"DIR" help:"Folder for the results, KERNEL/FIX/ each (default: the present one)."`
	DryRun   bool   `help:"Print the cells and which of them are to be done; do nothing."`
	Shard    string `placeholder:"I/N" help:"Take only the I-th of N parts of the cells, for N machines (default: all)."`
	Jobs     int    `short:"j" placeholder:"N" help:"Parallel compilers, of all cells together (default: the number of CPUs)."`
	Launcher string `placeholder:"CMD" help:"A command before the compiler: ccache, distcc or icecc (default: none)."`
	SignKey  string `placeholder:"FILE" help:"Private key to sign the modules with, as of create (default: none)."`
	SignCert string `placeholder:"FILE" help:"Its certificate (default: none)."`
	JSON     bool   `name:"json" help:"Print the summary, or the plan, as JSON."`
}

// Help is shown by --help.
func (matrixCmd) Help() string {
	return `Makes each fix of the manifest for each kernel that it is meant for, several at a time while there is memory. A cell that is
refused does not stop the others. A run that was stopped, or killed, goes on from there when it is started again: a cell is
done again if its patches, kernel or options changed, or its files. The exit code is 0 if each cell is done or changes
nothing; otherwise the most serious one of a cell's, in this order: 1, 2, 6, 5, 4.

Example:
  livesplice matrix fixes.yaml --out dist
  livesplice matrix fixes.yaml --dry-run
  livesplice matrix fixes.yaml --out dist --shard 2/5 --json`
}

func (c *matrixCmd) Run(e *env) error {
	shard, err := matrix.ParseShard(c.Shard)
	if err != nil {
		return err
	}
	m, err := matrix.Read(c.File)
	if err != nil {
		return err
	}
	opts := matrix.Options{Out: c.Out, Shard: shard, Jobs: c.Jobs, Cache: e.cache, Launcher: c.Launcher, SignKey: c.SignKey, SignCert: c.SignCert, Log: e.stderr}
	if c.DryRun {
		return c.plan(e, m, opts)
	}
	s, err := matrix.Run(e.ctx, m, opts)
	if err != nil {
		return err
	}
	if c.JSON {
		err = e.json(s)
	} else {
		_, err = fmt.Fprint(e.stdout, s.Text())
	}
	if err != nil {
		return err
	}
	return s.Err()
}

func (c *matrixCmd) plan(e *env, m *matrix.Manifest, opts matrix.Options) error {
	cells, err := matrix.Plan(e.ctx, m, opts)
	if err != nil {
		return err
	}
	if c.JSON {
		return e.json(cells)
	}
	todo := 0
	for _, p := range cells {
		what := "to do"
		if p.Done {
			what = "is done"
		} else {
			todo++
		}
		fmt.Fprintf(e.stdout, "%s/%s  %s: %s  (%s)\n", p.Kernel, p.Fix, what, p.Why, strings.Join(p.Patches, " "))
	}
	fmt.Fprintf(e.stdout, "%d cells, %d to do\n", len(cells), todo)
	return nil
}
