package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"

	"livesplice/pipeline/process"
)

// peer runs kpatch-build twice in a copy of the source: the first run compiles the whole kernel, the second, of another patch,
// only what its bookkeeping makes it compile again. The modules that it makes are not looked at.
func (b *bench) peer(ctx context.Context, s subject) (pair, error) {
	top := filepath.Join(b.dir, "kpatch")
	src, home := filepath.Join(top, "src"), filepath.Join(top, "home") // it keeps its cache in $HOME
	if err := os.MkdirAll(home, 0o755); err != nil {
		return pair{}, err
	}
	if _, err := process.Run(ctx, process.Cmd{Path: "cp", Args: []string{"-a", s.source, src}}); err != nil {
		return pair{}, err
	}
	var runs [2]cost
	for i := range runs {
		patch, err := b.varied(s.patch, i)
		if err != nil {
			return pair{}, err
		}
		fmt.Fprintf(b.log, "benchpeers: kpatch-build, run %d\n", i)
		res, err := process.Run(ctx, process.Cmd{Path: b.kpatch, Dir: top, Env: append(os.Environ(), "HOME="+home), Limit: 64 << 20,
			Args: []string{"-s", src, "-c", filepath.Join(s.tree, ".config"), "-v", filepath.Join(s.tree, "vmlinux"), "-j", strconv.Itoa(runtime.NumCPU()),
				"-o", top, "-n", fmt.Sprintf("peer-%d", i), patch}})
		if err != nil {
			log, _ := os.ReadFile(filepath.Join(home, ".kpatch", "build.log"))
			return pair{}, fmt.Errorf("kpatch-build: %w\n%s%s%s", err, res.Stdout, res.Stderr, log[max(0, len(log)-4096):])
		}
		runs[i] = cost{res.Wall, res.CPU()}
	}
	return pair{runs[0], runs[1]}, os.RemoveAll(top)
}
