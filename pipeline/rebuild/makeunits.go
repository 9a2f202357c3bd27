package rebuild

import (
	"context"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"livesplice/pipeline/process"
)

// makeUnits lets kbuild make units in a build folder. Those of libraries in a folder below another (arch/x86/lib) are made
// by themselves: of two folders that are each other's beginning, the top Makefile hands a goal to both, and which one's
// flags it is compiled with is chance.
//
// Source: single-subdir-goals and $(subdir-ym), scripts/Makefile.build, v6.1 to v7.0.
func (t *prepared) makeUnits(ctx context.Context, obj string, units []string) (cost Cost, err error) {
	_, libs := t.tops()
	var plain, folders []string
	nested := map[string][]string{}
	for _, u := range units {
		dir := path.Dir(u)
		if !libs[dir] || !strings.Contains(dir, "/") {
			plain = append(plain, u)
			continue
		}
		if nested[dir] == nil {
			folders = append(folders, dir)
		}
		nested[dir] = append(nested[dir], u)
	}
	if len(plain) > 0 {
		res, err := t.make(ctx, nil, append([]string{"-C", t.Source, "O=" + obj}, plain...)...)
		cost.add(res)
		if err != nil {
			return cost, t.buildError(strings.Join(plain, " "), obj, res, err)
		}
	}
	for _, dir := range folders {
		args := []string{"-rR", "--no-print-directory", "-j" + strconv.Itoa(t.jobs), "-I", t.Source, "-f", filepath.Join(t.Source, "scripts/Makefile.build"), "obj=" + dir}
		args = append(append(args, nested[dir]...), t.vars...)
		res, err := process.Run(ctx, process.Cmd{Path: "make", Args: args, Dir: obj, Env: append(slices.Clone(t.env), "abs_objtree="+obj), Root: t.root, Slots: t.jobs})
		cost.add(res)
		if err != nil {
			return cost, t.buildError(strings.Join(nested[dir], " "), obj, res, err)
		}
	}
	return cost, nil
}
