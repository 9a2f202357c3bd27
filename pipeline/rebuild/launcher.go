package rebuild

import (
	"bytes"
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"livesplice/kconfig"
	"livesplice/pipeline/process"
)

// launcher is a command that is put before the compiler: it finds the object in a cache (ccache), or has another machine
// make it (distcc, icecc). Whatever it does badly, the compiler does again.
type launcher struct {
	words []string // the program and its own arguments
	env   []string // the clean environment, with the launchers' own variables
	ident []byte   // the section .comment of what the compiler itself makes: which compiler it is
	note  func(format string, args ...any)
	told  sync.Once
}

// launcherVars begin the names of variables by which ccache, distcc and icecc are set up.
var launcherVars = []string{"CCACHE_", "DISTCC_", "ICECC_"}

// exactVars come after them, and before ccache's own files: with a base_dir, which CI systems set, ccache makes paths relative
// before it calls the compiler, and so __FILE__ and the names of the files that were read; by the others it takes objects for
// equal that may not be.
//
// Source: "Configuration options", ccache manual, 3.7 to 4.11.
var exactVars = []string{"CCACHE_BASEDIR=", "CCACHE_SLOPPINESS=", "CCACHE_IGNOREOPTIONS=", "CCACHE_IGNOREHEADERS=", "CCACHE_HASHDIR=1"}

// SetLauncher puts a command before the compiler of pre and post, such as ccache, distcc or icecc; "" for none. What it gives
// is what the compiler gives, so nothing that is made depends on it. note is narration. To be called before Compile and
// External. Errors: *kconfig.UsageError for a command that cannot be run.
func (t *Tree) SetLauncher(ctx context.Context, command string, note func(format string, args ...any)) (err error) {
	t.launcher, err = t.openLauncher(ctx, command, note)
	return err
}

// openLauncher checks a launcher's command; "" gives nil. With a root it runs in there, as the compiler does; ccache's
// folder is then seen only if CCACHE_DIR names it.
func (t *Tree) openLauncher(ctx context.Context, command string, note func(format string, args ...any)) (*launcher, error) {
	if strings.TrimSpace(command) == "" {
		if command != "" {
			return nil, badLauncher(fmt.Errorf("%q names no program", command))
		}
		return nil, nil
	}
	words, err := shellWords(command)
	if err == nil && strings.ContainsRune(command, ';') { // where shellWords ends
		err = fmt.Errorf("%q is more than one command", command)
	}
	if err != nil {
		return nil, badLauncher(err)
	}
	if strings.ContainsRune(words[0], '/') && t.root == nil { // the compiler runs in other folders
		if words[0], err = filepath.Abs(words[0]); err != nil {
			return nil, err
		}
	}
	if err := t.lookLauncher(ctx, words[0]); err != nil {
		return nil, err
	}
	l := &launcher{words: words, note: note}
	if l.note == nil {
		l.note = func(string, ...any) {}
	}
	for _, kv := range os.Environ() {
		if slices.ContainsFunc(launcherVars, func(prefix string) bool { return strings.HasPrefix(kv, prefix) }) && !strings.HasPrefix(kv, "CCACHE_NOHASHDIR=") {
			l.env = append(l.env, kv)
		}
	}
	l.env = process.Env(append(l.env, exactVars...)...)
	if t.root != nil {
		if dir := lookup(l.env, "CCACHE_DIR"); filepath.IsAbs(dir) && isFolder(dir) {
			root := *t.root
			root.Shared = append(slices.Clone(root.Shared), dir)
			t.root = &root
		}
	}
	l.ident, err = t.compilerIdent(ctx)
	return l, err
}

func badLauncher(err error) error {
	return &kconfig.UsageError{Thing: `flag "--launcher"`, Reason: err.Error()}
}

func (t *Tree) lookLauncher(ctx context.Context, program string) error {
	var err error
	if t.root == nil {
		_, err = process.Look(program)
	} else {
		err = process.LookAll(ctx, t.root, []string{program})
	}
	var missing *process.MissingError
	if errors.As(err, &missing) {
		return badLauncher(missing)
	}
	return err
}

func isFolder(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.IsDir()
}

// compilerIdent is the section .comment of an object that the compiler itself made: "GCC: (Debian 12.2.0-14+deb12u1)
// 12.2.0".
func (t *Tree) compilerIdent(ctx context.Context) ([]byte, error) {
	scratch, err := t.cache.Scratch("ident")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(scratch)
	out := filepath.Join(scratch, "empty.o")
	if _, err := process.Run(ctx, process.Cmd{Path: t.CC, Args: []string{"-x", "c", "-c", "-o", out, "/dev/null"}, Dir: scratch, Root: t.root}); err != nil {
		return nil, err
	}
	return ident(out)
}

// ident reads the section .comment of an object.
func ident(path string) ([]byte, error) {
	f, err := elf.Open(path)
	if err != nil {
		return nil, fmt.Errorf("object %q: %w", path, err)
	}
	defer f.Close()
	s := f.Section(".comment")
	if s == nil {
		return nil, fmt.Errorf("object %q: no section .comment", path)
	}
	return s.Data()
}

// before puts the launcher before a command; a nil one does nothing.
func (l *launcher) before(c process.Cmd) process.Cmd {
	if l == nil {
		return c
	}
	c.Args = slices.Concat(l.words[1:], []string{c.Path}, c.Args)
	c.Path, c.Env = l.words[0], l.env
	return c
}

// check makes sure that an object is there and that the compiler at hand made it: another machine's may be another one.
func (l *launcher) check(out string) error {
	got, err := ident(out)
	if err == nil && !bytes.Equal(got, l.ident) {
		err = fmt.Errorf("the object is by another compiler, %q instead of %q", printed(got), printed(l.ident))
	}
	return err
}

// printed is the text of a section of strings.
func printed(section []byte) string { return strings.Trim(string(section), "\x00") }

// launch runs the compiler behind the launcher. When that does not give an object of this compiler, for whatever reason,
// the compiler runs by itself, and its error is the one that counts; if it has none, the launcher is to blame, which is
// said once.
func (t *Tree) launch(ctx context.Context, unit, workdir string, words []string, root, out string, cost *Cost) ([]string, error) {
	deps, err := t.runBehind(ctx, t.launcher, unit, workdir, words, root, out, cost)
	if err == nil {
		err = t.launcher.check(out)
	}
	if err == nil || ctx.Err() != nil {
		return deps, err
	}
	if err := os.Remove(out); err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	deps, direct := t.run(ctx, unit, workdir, words, root, out, cost)
	if direct == nil {
		t.launcher.told.Do(func() {
			t.launcher.note("launcher %q: %v; the compiler runs without it where that happens", t.launcher.words[0], err)
		})
	}
	return deps, direct
}
