package rebuild

import (
	"cmp"
	"context"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
)

// EveryUnit lists the units that a C source of the tree becomes a part of vmlinux or of a module by, ordered by unit and
// module. A unit of several modules is there once for each. Sources that the build itself makes are left out: no patch
// changes them.
func (t *Tree) EveryUnit(ctx context.Context) ([]Owner, error) { return t.units.everyUnit(ctx) }

func (t *prepared) everyUnit(ctx context.Context) ([]Owner, error) {
	ix, err := t.owners(ctx)
	if err != nil {
		return nil, err
	}
	var units []Owner
	for _, stem := range slices.Sorted(maps.Keys(ix)) {
		source := stem + ".c"
		if st, err := os.Stat(filepath.Join(t.Source, source)); err != nil || !st.Mode().IsRegular() {
			continue
		}
		for _, o := range ix.units(source, source) {
			if o.Unit != "" {
				units = append(units, o)
			}
		}
	}
	slices.SortStableFunc(units, func(a, b Owner) int {
		return cmp.Or(cmp.Compare(path.Clean(a.Unit), path.Clean(b.Unit)), cmp.Compare(a.Module, b.Module))
	})
	return units, nil
}
