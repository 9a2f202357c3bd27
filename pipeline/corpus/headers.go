package corpus

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"livesplice/kmod/elfobj"
	"livesplice/pipeline/rebuild"
)

// alone is an error that says why one file of the new version is no change by itself.
type alone struct{ reason string }

func (e *alone) Error() string { return e.reason }

// change is one file of the new version, with what its units need to compile.
type change struct {
	file    string
	units   []string          // objects as kbuild names them
	content []byte            // of the new version
	headers map[string][]byte // of the new version, by path; empty when it compiles without
}

// files are all new contents.
func (ch *change) files() map[string][]byte {
	files := map[string][]byte{ch.file: ch.content}
	maps.Copy(files, ch.headers)
	return files
}

// compile compiles the units of a change as shipped and patched, with the fewest headers of the new version that it takes.
// A change that does not compile then, or that other files would have to be part of, is an *alone.
func (w *work) compile(ctx context.Context, ch *change) error {
	compiler, err := w.compiles(ctx, ch)
	if compiler == nil || err != nil {
		return err
	}
	if err := w.findHeaders(ctx, ch); err != nil {
		return err
	}
	if len(ch.headers) == 0 { // the front end has no objection, so headers will not help
		return &alone{compiler.Error()}
	}
	if compiler, err = w.compiles(ctx, ch); err != nil {
		return err
	}
	if compiler != nil {
		return &alone{compiler.Error()}
	}
	return w.samePrototypes(ctx, ch)
}

// compiles compiles the units; the compiler's objection to the new version comes first, other errors second.
func (w *work) compiles(ctx context.Context, ch *change) (*rebuild.BuildError, error) {
	for _, u := range ch.units {
		if _, err := w.tree.Compile(ctx, u, nil); err != nil {
			return nil, err
		}
		_, err := w.tree.Compile(ctx, u, ch.files())
		var build *rebuild.BuildError
		var refused *rebuild.Refusal // is one of the update too
		switch {
		case errors.As(err, &build):
			return build, nil
		case err != nil && !errors.As(err, &refused):
			return nil, err
		}
	}
	return nil, nil
}

// findHeaders finds the fewest headers of the new version with which the compiler's front end takes the change; those in
// the file's own folder are preferred. What the front end complains of names most of them; if that is not enough, they
// are among all that the units read.
func (w *work) findHeaders(ctx context.Context, ch *change) error {
	near := slices.DeleteFunc(slices.Clone(w.differ.headers), func(h string) bool { return !visible(ch.file, h) })
	slices.SortStableFunc(near, func(a, b string) int { return distance(ch.file, a) - distance(ch.file, b) })
	candidates, err := w.hinted(ctx, ch, near)
	if err != nil {
		return err
	}
	if candidates == nil {
		if candidates, err = w.allRead(ctx, ch, near); err != nil {
			return err
		}
	}
	least, err := fewest(candidates, func(headers []string) (bool, error) {
		if err := w.take(ch, headers); err != nil {
			return false, err
		}
		build, _, err := w.frontEnd(ctx, ch)
		return build == nil, err
	})
	if err != nil {
		return err
	}
	return w.take(ch, least)
}

// take sets a change's headers.
func (w *work) take(ch *change, headers []string) error {
	ch.headers = map[string][]byte{}
	for _, h := range headers {
		data, err := os.ReadFile(filepath.Join(w.after, h))
		if err != nil {
			return err
		}
		ch.headers[h] = data
	}
	return nil
}

// frontEnd runs the front end over the units: its first complaint, and the files that it read.
func (w *work) frontEnd(ctx context.Context, ch *change) (*rebuild.BuildError, []string, error) {
	var files []string
	for _, u := range ch.units {
		r, err := w.tree.Read(ctx, u, ch.files())
		var build *rebuild.BuildError
		if errors.As(err, &build) {
			return build, nil, nil
		} else if err != nil {
			return nil, nil, err
		}
		files = append(files, r.Files...)
	}
	return nil, files, nil
}

// hinted grows a set of headers by those that define what the front end misses, until it has no complaint; nil if that
// leads nowhere.
func (w *work) hinted(ctx context.Context, ch *change, near []string) ([]string, error) {
	const rounds, most = 4, 16
	var set []string
	for range rounds {
		if err := w.take(ch, set); err != nil {
			return nil, err
		}
		build, _, err := w.frontEnd(ctx, ch)
		if build == nil || err != nil {
			return set, err
		}
		missed := missing(build.Log)
		more := slices.DeleteFunc(slices.Clone(near), func(h string) bool {
			return slices.Contains(set, h) || !w.brings(h, missed)
		})
		if len(more) == 0 || len(set)+len(more) > most {
			return nil, nil
		}
		set = append(set, more...)
	}
	return nil, nil
}

var (
	complaint  = regexp.MustCompile(`(?m)^\S+: (?:fatal )?error: (.*)$`)
	quoted     = regexp.MustCompile(`'(?:[^']*?(?:->|\.| ))?(\w+)'`)
	noSuchFile = regexp.MustCompile(`^(\S+\.h): No such file`)
)

// missing are the identifiers and headers that a compiler's errors name: of "implicit declaration of function 'f'; did you
// mean 'g'?" it is f.
func missing(log string) []string {
	var names []string
	for _, m := range complaint.FindAllStringSubmatch(log, -1) {
		text, _, _ := strings.Cut(m[1], ";")
		if file := noSuchFile.FindStringSubmatch(text); file != nil {
			names = append(names, file[1])
		}
		for _, q := range quoted.FindAllStringSubmatch(text, -1) {
			names = append(names, q[1])
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// brings says whether a header of the new version has one of the names in a line that the old one lacks, or is one.
func (w *work) brings(header string, names []string) bool {
	if slices.ContainsFunc(names, func(n string) bool { return strings.HasSuffix(header, "/"+n) }) {
		return true
	}
	after, err := os.ReadFile(filepath.Join(w.after, header))
	if err != nil {
		return false
	}
	before, _ := os.ReadFile(filepath.Join(w.old.Dir, header)) // there may be none
	had := map[string]bool{}
	for line := range strings.Lines(string(before)) {
		had[line] = true
	}
	for line := range strings.Lines(string(after)) {
		if had[line] {
			continue
		}
		for _, word := range strings.FieldsFunc(line, func(r rune) bool { return r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
			if slices.Contains(names, word) {
				return true
			}
		}
	}
	return false
}

// allRead are the headers that the units read when all of the new version are there.
func (w *work) allRead(ctx context.Context, ch *change, near []string) ([]string, error) {
	if err := w.take(ch, near); err != nil {
		return nil, err
	}
	build, files, err := w.frontEnd(ctx, ch)
	if err != nil {
		return nil, err
	}
	if build != nil {
		return nil, &alone{"with all headers of the new version: " + build.Error()}
	}
	return slices.DeleteFunc(slices.Clone(near), func(h string) bool { return !slices.Contains(files, h) }), nil
}

// visible says whether a source file may include a header: the kernel's own, or one of the same part of the tree, such as
// drivers/net.
func visible(file, header string) bool {
	if strings.HasPrefix(header, "include/") || strings.HasPrefix(header, "arch/x86/") {
		return true
	}
	part := strings.SplitN(file, "/", 3)
	return strings.HasPrefix(header, strings.Join(part[:min(2, len(part)-1)], "/")+"/")
}

// distance orders headers for a source file: those in its own folder, those in the folders above, all others.
func distance(file, header string) int {
	dir := path.Dir(header)
	switch {
	case dir == path.Dir(file):
		return 0
	case strings.HasPrefix(file, dir+"/"):
		return 1
	}
	return 2
}

// fewest is a part of candidates that holds, none of which can be left out, earlier ones preferred. All candidates
// together must hold. It asks about k log n times for k of n candidates.
//
// Source: U. Junker, QuickXplain, AAAI 2004.
func fewest(candidates []string, holds func([]string) (bool, error)) ([]string, error) {
	var explain func(grown bool, base, rest []string) ([]string, error)
	explain = func(grown bool, base, rest []string) ([]string, error) {
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
	return explain(true, nil, candidates)
}

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
