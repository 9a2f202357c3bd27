package corpus

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"livesplice/pipeline/process"
)

// elsewhere are folders that are no part of an x86 kernel.
var elsewhere = []string{"Documentation", "samples", "scripts", "tools", "usr", "debian"}

// differing are the .c files that both trees have and whose content differs, sorted; those of other architectures and
// of programs beside the kernel are left out.
func differing(ctx context.Context, before, after string) ([]string, error) {
	var files []string
	err := filepath.WalkDir(before, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		rel, err := filepath.Rel(before, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			arch, inArch := strings.CutPrefix(rel, "arch/")
			if slices.Contains(elsewhere, rel) || d.Name() == ".git" || inArch && !strings.Contains(arch, "/") && arch != "x86" {
				return filepath.SkipDir
			}
			return nil
		}
		if !d.Type().IsRegular() || filepath.Ext(path) != ".c" {
			return nil
		}
		same, err := sameContent(path, filepath.Join(after, rel))
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil && !same {
			files = append(files, rel)
		}
		return err
	})
	return files, err
}

func sameContent(a, b string) (bool, error) {
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
