package corpus

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"livesplice/pipeline/process"
)

// elsewhere are folders that are no part of an x86 kernel.
var elsewhere = []string{"Documentation", "samples", "scripts", "tools", "usr", "debian"}

// differences are the files that differ between two trees, those of other architectures and of programs beside the
// kernel left out. Paths are relative to the trees, and sorted.
type differences struct {
	sources []string // .c files that both trees have
	headers []string // .h files of the new tree that the old one has otherwise or not at all
}

func differing(ctx context.Context, before, after string) (*differences, error) {
	var (
		d  differences
		mu sync.Mutex
	)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(2 * runtime.NumCPU())
	err := filepath.WalkDir(after, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		rel, err := filepath.Rel(after, path)
		if err != nil {
			return err
		}
		if e.IsDir() {
			arch, inArch := strings.CutPrefix(rel, "arch/")
			if slices.Contains(elsewhere, rel) || e.Name() == ".git" || inArch && !strings.Contains(arch, "/") && arch != "x86" {
				return filepath.SkipDir
			}
			return nil
		}
		ext := filepath.Ext(path)
		if !e.Type().IsRegular() || ext != ".c" && ext != ".h" {
			return nil
		}
		g.Go(func() error {
			same, err := sameContent(filepath.Join(before, rel), path)
			gone := errors.Is(err, fs.ErrNotExist)
			if err != nil && !gone {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			switch {
			case ext == ".h" && (gone || !same):
				d.headers = append(d.headers, rel)
			case ext == ".c" && !gone && !same:
				d.sources = append(d.sources, rel)
			}
			return nil
		})
		return nil
	})
	err = errors.Join(err, g.Wait())
	slices.Sort(d.sources)
	slices.Sort(d.headers)
	return &d, err
}

func sameContent(a, b string) (bool, error) {
	sa, err := os.Stat(a)
	if err != nil {
		return false, err
	}
	sb, err := os.Stat(b)
	if err != nil || sa.Size() != sb.Size() {
		return false, err
	}
	x, err := os.ReadFile(a)
	if err != nil {
		return false, err
	}
	y, err := os.ReadFile(b)
	return bytes.Equal(x, y), err
}

// unified is the patch that makes one file of the old tree that of the new one.
func unified(ctx context.Context, before, after, file string) ([]byte, error) {
	res, err := process.Run(ctx, process.Cmd{Path: "diff", Args: []string{"-u", "--label", "a/" + file, "--label", "b/" + file,
		filepath.Join(before, file), filepath.Join(after, file)}})
	var exit *process.ExitError
	if errors.As(err, &exit) && res.ExitCode == 1 {
		err = nil // diff's way to say that there is a difference
	}
	return []byte(res.Stdout), err
}

// below keeps the files that are one of the paths, or in a folder that is one; all if none is given.
func below(files, paths []string) []string {
	if len(paths) == 0 {
		return files
	}
	return slices.DeleteFunc(slices.Clone(files), func(f string) bool {
		return !slices.ContainsFunc(paths, func(p string) bool { return f == p || strings.HasPrefix(f, strings.TrimSuffix(p, "/")+"/") })
	})
}
