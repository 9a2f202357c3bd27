package corpus

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"livesplice/pipeline/patch"
)

// fewestHunks gives a change the fewest hunks of some headers that it takes: between two versions lie many changes of a
// header, of which the source file needs one.
func (w *work) fewestHunks(ctx context.Context, ch *change, headers []string) error {
	var all []hunk
	for _, h := range headers {
		more, err := w.hunks(ctx, h)
		if err != nil {
			return err
		}
		all = append(all, more...)
	}
	least, err := fewest(all, func(part []hunk) (bool, error) {
		if err := w.takeHunks(ch, part); err != nil {
			return false, err
		}
		build, _, err := w.frontEnd(ctx, ch)
		return build == nil, err
	})
	if err != nil {
		return err
	}
	return w.takeHunks(ch, least)
}

// hunk is one place where a header differs between the versions.
type hunk struct {
	header string
	at     int    // its number in the header
	text   string // of a unified diff, from its "@@" on; "" for a header that the old version has not
}

// hunks are those of a header, in order.
func (w *work) hunks(ctx context.Context, header string) ([]hunk, error) {
	if _, err := os.Stat(filepath.Join(w.old.Dir, header)); errors.Is(err, fs.ErrNotExist) {
		return []hunk{{header: header}}, nil
	}
	text, err := unified(ctx, w.old.Dir, w.after, header)
	if err != nil {
		return nil, err
	}
	var all []hunk
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "@@ ") {
			all = append(all, hunk{header: header, at: len(all)})
		}
		if len(all) > 0 { // past the file's names
			all[len(all)-1].text += line
		}
	}
	return all, nil
}

// takeHunks sets a change's headers: as they are in the old version, with some hunks of the new one.
func (w *work) takeHunks(ch *change, part []hunk) error {
	texts := map[string]string{}
	ch.headers = map[string][]byte{}
	part = slices.SortedFunc(slices.Values(part), func(a, b hunk) int { return a.at - b.at })
	for _, h := range part {
		if h.text == "" {
			data, err := os.ReadFile(filepath.Join(w.after, h.header))
			if err != nil {
				return err
			}
			ch.headers[h.header] = data
			continue
		}
		texts[h.header] += h.text
	}
	for header, text := range texts {
		p, err := patch.Parse(header, []byte("--- a/"+header+"\n+++ b/"+header+"\n"+text))
		if err != nil {
			return err
		}
		files, err := p.Apply(func(path string) ([]byte, error) { return os.ReadFile(filepath.Join(w.old.Dir, path)) })
		if err != nil {
			return err
		}
		maps.Copy(ch.headers, files)
	}
	return nil
}

// fewest is a part of candidates that holds, none of which can be left out, earlier ones preferred. All candidates
// together must hold, and none must not. It asks about k log n times for k of n candidates.
//
// Source: U. Junker, QuickXplain, AAAI 2004.
func fewest[T any](candidates []T, holds func([]T) (bool, error)) ([]T, error) {
	var explain func(grown bool, base, rest []T) ([]T, error)
	explain = func(grown bool, base, rest []T) ([]T, error) {
		if grown {
			if ok, err := holds(base); ok || err != nil {
				return nil, err
			}
		}
		if len(rest) <= 1 {
			return rest, nil
		}
		first, second := rest[:len(rest)/2], rest[len(rest)/2:]
		fromSecond, err := explain(true, slices.Concat(base, first), second)
		if err != nil {
			return nil, err
		}
		fromFirst, err := explain(len(fromSecond) > 0, slices.Concat(base, fromSecond), first)
		return slices.Concat(fromFirst, fromSecond), err
	}
	return explain(false, nil, candidates)
}
