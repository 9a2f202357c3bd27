package corpus

import (
	"context"
	"crypto/sha256"
	"encoding/json"
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
	headers map[string][]byte // with hunks of the new version, by path; empty when it compiles without
}

// files are all new contents.
func (ch *change) files() map[string][]byte {
	files := map[string][]byte{ch.file: ch.content}
	maps.Copy(files, ch.headers)
	return files
}

// compile compiles the units of a change as shipped and patched, with the fewest hunks of headers that it takes.
// A change that does not compile then, or that other files would have to be part of, is an *alone.
func (w *work) compile(ctx context.Context, ch *change) error {
	compiler, err := w.compiles(ctx, ch)
	if compiler == nil || err != nil {
		return err
	}
	if err := w.headersOf(ctx, ch); err != nil {
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

// search is part of the key of what was found: it changes with the way of searching.
const search = "corpus headers 1"

// found is what a search for headers came to, as the cache keeps it: a search takes many runs of the compiler.
type found struct {
	Headers map[string][]byte
	Alone   string // why there are none
}

// headersOf sets the headers of a change, from the cache if it has been searched before.
func (w *work) headersOf(ctx context.Context, ch *change) error {
	h := sha256.New()
	for _, part := range []string{search, w.tree.Key, w.new.ID, ch.file} {
		fmt.Fprintf(h, "%d %s\n", len(part), part)
	}
	dir, err := w.cache.Dir(ctx, "corpus-headers", fmt.Sprintf("%x", h.Sum(nil))[:32], func(ctx context.Context, dir string) error {
		var f found
		err := w.findHeaders(ctx, ch)
		var not *alone
		if errors.As(err, &not) {
			f.Alone = not.reason
		} else if err != nil {
			return err
		}
		if f.Alone == "" {
			f.Headers = ch.headers
		}
		data, err := json.Marshal(f)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, "headers.json"), data, 0o644)
	})
	if err != nil {
		return err
	}
	data, err := os.ReadFile(filepath.Join(dir, "headers.json"))
	if err != nil {
		return err
	}
	var f found
	if err := json.Unmarshal(data, &f); err != nil {
		return fmt.Errorf("file %q: %w", filepath.Join(dir, "headers.json"), err)
	}
	if f.Alone != "" {
		return &alone{f.Alone}
	}
	ch.headers = f.Headers
	return nil
}

// findHeaders finds the fewest headers of the new version with which the compiler's front end takes the change; those in
// the file's own folder are preferred. What the front end complains of names most of them; if that is not enough, they
// are among all that the units read.
func (w *work) findHeaders(ctx context.Context, ch *change) error {
	near := slices.DeleteFunc(slices.Clone(w.differ.headers), func(h string) bool { return !visible(ch.file, h) })
	slices.SortStableFunc(near, func(a, b string) int { return distance(ch.file, a) - distance(ch.file, b) })
	candidates, ok, err := w.hinted(ctx, ch, near)
	if err != nil || ok && len(candidates) == 0 {
		return err
	}
	if !ok {
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
	return w.fewestHunks(ctx, ch, least)
}

// take sets a change's headers, as they are in the new version.
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

// hinted grows a set of headers by those that define what the front end misses, until it has no complaint; false if that
// leads nowhere.
func (w *work) hinted(ctx context.Context, ch *change, near []string) (set []string, ok bool, err error) {
	const rounds, most = 4, 16
	for range rounds {
		if err := w.take(ch, set); err != nil {
			return nil, false, err
		}
		build, _, err := w.frontEnd(ctx, ch)
		if build == nil || err != nil {
			return set, err == nil, err
		}
		missed := missing(build.Log)
		more := slices.DeleteFunc(slices.Clone(near), func(h string) bool {
			return slices.Contains(set, h) || !w.brings(h, missed)
		})
		if len(more) == 0 || len(set)+len(more) > most {
			break
		}
		set = append(set, more...)
	}
	return nil, false, nil
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
