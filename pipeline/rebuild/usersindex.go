package rebuild

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"livesplice/pipeline/cache"
	"livesplice/pkgfmt"
)

// usersIndex says of a finished build what was made from each source file. It is kept in the cache, since it takes seconds to
// read all .cmd files (13,000 objects of Debian's kernel name ten million files), and holds as long as these are the same.
type usersIndex struct {
	Targets []target            // ordered by name
	Files   []string            // relative to the source folder, sorted
	Ends    []uint32            // of each file's list in the file users, in bytes
	Inputs  map[string][]string // files that Makefiles name, by path: the Makefiles

	key   string // names the .cmd files: every build that compiles anything gives another one
	users string // the file: for each of Files the indexes of Targets that were made from it, as varints of their differences
}

// usersLayout is part of the key: it changes with what the cache folder holds.
const usersLayout = "users 3"

// maxCmdFile bounds a .cmd file, in bytes. The largest of Debian's 6.1 has 0.3 MB.
const maxCmdFile = 16 << 20

// cmdPath is a .cmd file of a build.
type cmdPath struct {
	path string // relative to the build folder
	stat string // what changes when kbuild writes it
}

// openUsers finds or makes the index of the build in f, whose source is in another folder or the same.
func openUsers(ctx context.Context, c *cache.Cache, f finished, source string, jobs int) (*usersIndex, error) {
	files, err := findCmdFiles(ctx, f.dir)
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, &pkgfmt.InputError{Path: f.dir, Want: "a finished kernel build, with the .cmd files that kbuild leaves", Got: "none of them"}
	}
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%s\n%s\n", usersLayout, f.dir, source)
	for _, p := range files {
		fmt.Fprintf(h, "%s %s\n", p.path, p.stat)
	}
	key := hex.EncodeToString(h.Sum(nil))[:32]
	dir, err := c.Dir(ctx, "users", key, func(ctx context.Context, dir string) error {
		return buildUsers(ctx, f, source, files, dir, jobs)
	})
	if err != nil {
		return nil, err
	}
	ix := &usersIndex{key: key, users: filepath.Join(dir, "users")}
	b, err := os.ReadFile(filepath.Join(dir, "index.json"))
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(b, ix); err != nil || len(ix.Ends) != len(ix.Files) {
		return nil, fmt.Errorf("file %q: want an index of a build: %w", filepath.Join(dir, "index.json"), err)
	}
	return ix, nil
}

// findCmdFiles lists the .cmd files of a build, and the lists of modules, sorted. Programs in tools/ are built apart, from
// copies of the kernel's headers.
func findCmdFiles(ctx context.Context, dir string) ([]cmdPath, error) {
	var mu sync.Mutex
	var files []cmdPath
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(8)
	var walk func(rel string) error
	walk = func(rel string) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		entries, err := os.ReadDir(filepath.Join(dir, rel))
		if err != nil {
			return err
		}
		var found []cmdPath
		for _, e := range entries {
			name := path.Join(rel, e.Name())
			switch {
			case e.IsDir():
				if name == "tools" || name == "Documentation" || e.Name() == ".git" {
					continue
				}
				if !g.TryGo(func() error { return walk(name) }) {
					if err := walk(name); err != nil {
						return err
					}
				}
			case e.Type().IsRegular() && (folderTarget(name) != "" || name == "modules.order"):
				st, err := e.Info()
				if errors.Is(err, fs.ErrNotExist) {
					continue
				}
				if err != nil {
					return err
				}
				found = append(found, cmdPath{name, fmt.Sprintf("%d %d", st.Size(), st.ModTime().UnixNano())})
			}
		}
		mu.Lock()
		files = append(files, found...)
		mu.Unlock()
		return nil
	}
	err := errors.Join(walk("."), g.Wait())
	slices.SortFunc(files, func(a, b cmdPath) int { return strings.Compare(a.path, b.path) })
	return files, err
}

// usersBuilder reads a build.
type usersBuilder struct {
	finished
	source string

	mu    sync.Mutex
	ids   map[string]uint32 // of files, in the order in which they were found
	names []string
	found []*foundTarget
}

// foundTarget is a .cmd file that was read.
type foundTarget struct {
	cmd    *cmdFile // without Source and Deps
	source string
	files  []uint32 // of the source folder
}

func buildUsers(ctx context.Context, f finished, source string, files []cmdPath, dir string, jobs int) error {
	b := &usersBuilder{finished: f, source: source, ids: map[string]uint32{}}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(max(jobs, 1))
	for _, p := range files {
		if gctx.Err() != nil {
			break
		}
		if folderTarget(p.path) != "" {
			g.Go(func() error { return b.read(p.path) })
		}
	}
	if err := errors.Join(g.Wait(), ctx.Err()); err != nil {
		return err
	}
	modules, err := f.modules()
	if err != nil {
		return err
	}
	links := &linkage{builtin: map[string]bool{}, library: map[string]bool{}, modules: map[string][]string{}, archives: map[string]bool{}}
	links.addModules(modules)
	folders := map[string]bool{".": true}
	for _, t := range b.found {
		links.addArchive(t.cmd)
		folders[path.Dir(path.Clean(t.cmd.Target))] = true
	}
	if err := b.complete(links); err != nil {
		return err
	}
	inputs, err := makefileInputs(source, folders)
	if err != nil {
		return err
	}
	return b.write(dir, links, inputs)
}

// read takes one .cmd file.
func (b *usersBuilder) read(file string) error {
	name := filepath.Join(b.dir, file)
	text, err := pkgfmt.ReadFile(name, "a .cmd file of a kernel build", maxCmdFile)
	if err != nil {
		return err
	}
	c, err := parseCmdFile(string(text))
	if err != nil {
		return nil // another program's: a file that happens to have such a name
	}
	want := folderTarget(file)
	if strings.HasSuffix(want, "/"+path.Clean(c.Target)) {
		return nil // a copy of the file of another folder, as make bindeb-pkg leaves them in debian/linux-headers
	}
	if path.Clean(c.Target) != want {
		return &pkgfmt.InputError{Path: name, Want: "the command of " + want, Got: "that of " + c.Target}
	}
	words := c.Deps
	if !c.Fixdep {
		words = strings.FieldsFunc(c.Command, func(r rune) bool { return strings.ContainsRune(" \t;|<>&()\"'", r) })
	}
	t := &foundTarget{cmd: c, source: b.sourceOf(c)}
	var list []string
	for _, w := range words {
		if rel := b.inSource(w); rel != "" && path.Ext(rel) != ".o" && path.Ext(rel) != ".a" {
			list = append(list, rel)
		}
	}
	c.Source, c.Deps = "", nil // parts of the text, which goes
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, rel := range list {
		id, ok := b.ids[rel]
		if !ok {
			rel = strings.Clone(rel)
			id = uint32(len(b.names))
			b.ids[rel] = id
			b.names = append(b.names, rel)
		}
		t.files = append(t.files, id)
	}
	c.Command, t.source = strings.Clone(shortCommand(c)), strings.Clone(t.source)
	c.Target = strings.Clone(c.Target)
	b.found = append(b.found, t)
	return nil
}

// shortCommand is what classify and members take from a command.
func shortCommand(c *cmdFile) string {
	switch {
	case path.Ext(c.Target) == ".a":
		return c.Command
	case strings.Contains(c.Command, " -D__KERNEL__"):
		return " -D__KERNEL__"
	}
	return ""
}

// sourceOf is the Source of a target.
func (b *usersBuilder) sourceOf(c *cmdFile) string {
	if rel := b.inSource(c.Source); rel != "" {
		return rel
	}
	if rel, ok := b.inside(c.Source); ok {
		return rel
	}
	return ""
}

// inSource makes a name that a command in the build folder uses relative to the source folder; "" for what is elsewhere.
func (b *usersBuilder) inSource(name string) string { return inSource(name, b.dir, b.source) }

func inSource(name, object, source string) string {
	if name == "" || strings.HasPrefix(name, "-") {
		return ""
	}
	full := path.Clean(absolute(name, object))
	if object != source && strings.HasPrefix(full, object+"/") {
		return ""
	}
	rel, ok := strings.CutPrefix(full, source+"/")
	if !ok {
		return ""
	}
	return rel
}

// write makes the files of the cache folder.
func (b *usersBuilder) write(dir string, links *linkage, inputs map[string][]string) error {
	ix := &usersIndex{Inputs: inputs}
	type made struct {
		target
		files []uint32
	}
	var all []made
	for _, f := range b.found {
		if t, ok := links.classify(f.cmd, f.source); ok {
			all = append(all, made{t, f.files})
		}
	}
	slices.SortFunc(all, func(x, y made) int { return strings.Compare(x.Name, y.Name) })
	users := make([][]uint32, len(b.names))
	for i, t := range all {
		ix.Targets = append(ix.Targets, t.target)
		for _, id := range t.files {
			if l := users[id]; len(l) == 0 || l[len(l)-1] != uint32(i) {
				users[id] = append(l, uint32(i))
			}
		}
	}
	order := make([]int, 0, len(b.names))
	for i := range b.names {
		if len(users[i]) > 0 {
			order = append(order, i)
		}
	}
	sort.Slice(order, func(i, j int) bool { return b.names[order[i]] < b.names[order[j]] })
	var lists []byte
	for _, i := range order {
		last := uint32(0)
		for _, u := range users[i] {
			lists = binary.AppendUvarint(lists, uint64(u-last))
			last = u
		}
		ix.Files, ix.Ends = append(ix.Files, b.names[i]), append(ix.Ends, uint32(len(lists)))
	}
	if err := os.WriteFile(filepath.Join(dir, "users"), lists, 0o644); err != nil {
		return err
	}
	text, err := json.Marshal(ix)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "index.json"), text, 0o644)
}

// of lists what was made from a file, by name; nothing for a file that nothing was made from.
func (ix *usersIndex) of(file string) ([]target, error) {
	i, ok := slices.BinarySearch(ix.Files, file)
	if !ok {
		return nil, nil
	}
	begin := uint32(0)
	if i > 0 {
		begin = ix.Ends[i-1]
	}
	bad := func(err error) ([]target, error) {
		return nil, fmt.Errorf("file %q: the list of %s is damaged: %w", ix.users, file, err)
	}
	if ix.Ends[i] < begin {
		return bad(errors.New("it ends before it begins"))
	}
	f, err := os.Open(ix.users)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	list := make([]byte, ix.Ends[i]-begin)
	if _, err := f.ReadAt(list, int64(begin)); err != nil {
		return bad(err)
	}
	var out []target
	at := uint64(0)
	for len(list) > 0 {
		d, n := binary.Uvarint(list)
		if at += d; n <= 0 || at >= uint64(len(ix.Targets)) {
			return bad(errors.New("no target of that number"))
		}
		out, list = append(out, ix.Targets[at]), list[n:]
	}
	return out, nil
}

// named lists what was made from files whose path ends in one of the tails, by name: "linux/fs.h".
func (ix *usersIndex) named(tails ...string) ([]target, error) {
	var out []target
	for _, f := range ix.Files {
		if !slices.ContainsFunc(tails, func(tail string) bool { return f == tail || strings.HasSuffix(f, "/"+tail) }) {
			continue
		}
		more, err := ix.of(f)
		if err != nil {
			return nil, err
		}
		out = append(out, more...)
	}
	slices.SortFunc(out, func(a, b target) int { return strings.Compare(a.Name, b.Name) })
	return slices.CompactFunc(out, func(a, b target) bool { return a.Name == b.Name }), nil
}

// makes says whether the build makes a file itself.
func (ix *usersIndex) makes(file string) bool {
	_, ok := slices.BinarySearchFunc(ix.Targets, file, func(t target, name string) int { return strings.Compare(t.Name, name) })
	return ok
}

// folder says whether something was made in a folder or below it.
func (ix *usersIndex) folder(dir string) bool {
	if dir == "." {
		return true
	}
	return slices.ContainsFunc(ix.Targets, func(t target) bool { return strings.HasPrefix(path.Clean(t.Name), dir+"/") })
}
