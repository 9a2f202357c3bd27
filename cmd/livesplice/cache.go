package main

import (
	"context"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"time"

	"livesplice/pipeline/cache"
)

// size is a number of bytes, as --cache-size takes it: "20G".
type size int64

var (
	sizeForm = regexp.MustCompile(`^(\d{1,12})([KMGT]?)$`)
	units    = map[string]int64{"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
)

// UnmarshalText reads a size.
func (s *size) UnmarshalText(text []byte) error {
	m := sizeForm.FindStringSubmatch(string(text))
	if m == nil {
		return fmt.Errorf("%q is no number of bytes such as 500M, 20G or 1T", text)
	}
	n, err := strconv.ParseInt(m[1], 10, 64)
	if unit := units[m[2]]; err == nil && n <= (1<<62)/unit {
		*s = size(n * unit)
		return nil
	}
	return fmt.Errorf("%q is more than any disk has", text)
}

type cacheCmd struct {
	Check bool `help:"Look through all of it, and remove what was damaged."`
	Clean bool `help:"Remove all that no running livesplice uses."`
	JSON  bool `name:"json" help:"Print it as JSON."`
}

// Help is shown by --help.
func (cacheCmd) Help() string {
	return `Shows what the cache holds: unpacked sources and packages, prepared trees, objects. Everything in it can be made again. A command
that has added something removes what was used longest ago while there is more than --cache-size, but nothing that a running
livesplice uses. What was damaged is found when it is used, large folders once a day, and made again.

Example:
  livesplice cache
  livesplice cache --check
  livesplice cache --clean`
}

func (c *cacheCmd) Run(e *env) error {
	store, err := cache.Open(e.cache)
	if err != nil {
		return err
	}
	if c.Check {
		checked, damaged, err := store.Check(e.ctx)
		for _, d := range damaged {
			fmt.Fprintf(e.stderr, "%v; it is removed\n", d)
		}
		if err != nil {
			return err
		}
		fmt.Fprintf(e.stderr, "looked through %d entries, %d damaged\n", checked, len(damaged))
	}
	if c.Clean {
		t, err := store.Trim(e.ctx, 0)
		if err != nil {
			return err
		}
		fmt.Fprintf(e.stderr, "removed %d entries, %s\n", t.Removed, inBytes(t.Before-t.After))
	}
	kinds, err := store.Usage()
	if err != nil {
		return err
	}
	if c.JSON {
		return e.json(append([]cache.Usage{}, kinds...))
	}
	var total cache.Usage
	for _, k := range kinds {
		fmt.Fprintf(e.stdout, "%-22s %7d entries %10s  last used %s\n", k.Kind, k.Entries, inBytes(k.Bytes), k.Used.UTC().Format(time.DateTime))
		total.Entries, total.Bytes = total.Entries+k.Entries, total.Bytes+k.Bytes
	}
	fmt.Fprintf(e.stdout, "%-22s %7d entries %10s  in %s\n", "all", total.Entries, inBytes(total.Bytes), store.Root())
	return nil
}

// inBytes is a size for people.
func inBytes(n int64) string {
	for _, u := range []string{"T", "G", "M", "K"} {
		if unit := units[u]; n >= unit {
			return fmt.Sprintf("%.1f %sB", float64(n)/float64(unit), u)
		}
	}
	return fmt.Sprintf("%d B", n)
}

// trim keeps the cache within its bound after a command that has added to it. That it could not is said, and no error of
// the command.
func trim(ctx context.Context, dir string, limit int64, stderr io.Writer) {
	if limit == 0 || ctx.Err() != nil {
		return
	}
	store, err := cache.Used(dir)
	if err != nil || store == nil || !store.Filled() {
		return // a cache that could not be opened was the command's error
	}
	switch t, err := store.Trim(ctx, limit); {
	case err != nil:
		fmt.Fprintf(stderr, "note              cache: %v\n", err)
	case t.Removed > 0:
		fmt.Fprintf(stderr, "note              cache: removed %d entries that were used longest ago, %s (--cache-size)\n", t.Removed, inBytes(t.Before-t.After))
	}
}
