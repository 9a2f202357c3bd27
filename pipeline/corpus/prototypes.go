package corpus

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"

	"livesplice/kmod/elfobj"
	"livesplice/pipeline/rebuild"
)

// samePrototypes finds functions that the patched unit shares with other units and that headers of the new version
// declare otherwise: these units would have to change with it.
func (w *work) samePrototypes(ctx context.Context, ch *change) error {
	for _, u := range ch.units {
		pre, err := w.tree.Read(ctx, u, nil)
		if err != nil {
			return err
		}
		post, err := w.tree.Read(ctx, u, ch.files())
		if err != nil {
			return err
		}
		shared, err := w.globals(ctx, u, ch)
		if err != nil {
			return err
		}
		for _, name := range slices.Sorted(maps.Keys(post.Prototypes)) {
			if was, now := pre.Prototypes[name], post.Prototypes[name]; shared[name] && was != "" && was != now {
				return &alone{fmt.Sprintf("function %q, which other units define or call, has another prototype: %q, was %q", name, now, was)}
			}
		}
	}
	return nil
}

// globals are the symbols of the patched unit that other units can share.
func (w *work) globals(ctx context.Context, unit string, ch *change) (map[string]bool, error) {
	o, err := w.tree.Compile(ctx, unit, ch.files())
	var refused *rebuild.Refusal
	if errors.As(err, &refused) {
		return nil, nil // for that reason it will not be spliced anyway
	} else if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(o.Path)
	if err != nil {
		return nil, err
	}
	obj, err := elfobj.Read(data)
	if err != nil {
		return nil, fmt.Errorf("object of %s: %w", ch.file, err)
	}
	shared := map[string]bool{}
	for _, s := range obj.Symbols {
		if s.Bind != 0 {
			shared[s.Name] = true
		}
	}
	return shared, nil
}
