package archive

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"livesplice/pipeline/process"
)

// listsKind is the cache kind of the package lists: one folder for each span of listsAge, never changed once it is
// there, so that nobody has to lock out a refresh while apt reads.
const (
	listsKind = "lists"
	listsAge  = 6 * time.Hour
)

// aptConf is read by apt after the machine's own configuration. It takes out the machine's hooks, which would act on
// the machine's own caches, and the indexes that nobody asks for here.
// Source: apt.conf(5), apt 2.6.
const aptConf = `#clear APT::Update;
#clear DPkg::Post-Invoke;
#clear Acquire::IndexTargets::deb::DEP-11;
#clear Acquire::IndexTargets::deb::CNF;
Acquire::Languages "none";
Acquire::Retries "3";
APT::Sandbox::User "root";
APT::Architecture "amd64";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
Dir::State::status "/dev/null";
`

// sourceList in a folder of package lists takes the place of the machine's sources.
const sourceList = "sources.list"

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// apt runs one of apt's programs on the lists in dir (as made by fillLists), and returns its output.
func apt(ctx context.Context, dir, workdir, program string, args ...string) (string, error) {
	opts := []string{
		"-c", filepath.Join(dir, "apt.conf"),
		"-o", "Dir::State=" + filepath.Join(dir, "state"),
		"-o", "Dir::State::lists=" + filepath.Join(dir, "state", "lists"),
		"-o", "Dir::Cache=" + filepath.Join(dir, "cache"),
		"-q",
	}
	if list := filepath.Join(dir, sourceList); exists(list) {
		opts = append(opts, "-o", "Dir::Etc::sourcelist="+list, "-o", "Dir::Etc::sourceparts=/dev/null")
	}
	res, err := process.Run(ctx, process.Cmd{Path: program, Args: append(opts, args...), Dir: workdir, Limit: 256 << 20})
	return string(res.Stdout), err
}

// fillLists makes a lists folder: apt.conf with the given content, state/lists, cache.
func fillLists(ctx context.Context, dir, conf string) error {
	for _, d := range []string{"state/lists/partial", "cache/archives/partial"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "apt.conf"), []byte(conf), 0o644); err != nil {
		return err
	}
	_, err := apt(ctx, dir, "", "apt-get", "update")
	found, globErr := filepath.Glob(filepath.Join(dir, "state/lists/*_Packages*"))
	if globErr != nil {
		return globErr
	}
	switch {
	case len(found) > 0 && ctx.Err() == nil:
		// One unreachable source among several must not stop the others; what is then missing is named later.
		return nil
	case err != nil:
		return fmt.Errorf("apt-get update: %w", err)
	}
	return errors.New("apt-get update: no package lists: apt has no usable source configured")
}

// configured identifies the sources that the machine has configured, so that lists of other ones do not pass for theirs.
func configured(ctx context.Context) (string, error) {
	res, err := process.Run(ctx, process.Cmd{Path: "apt-get", Args: []string{"update", "--print-uris"}})
	if err != nil {
		return "", fmt.Errorf("apt-get update --print-uris: %w", err)
	}
	sum := sha256.Sum256(res.Stdout)
	return hex.EncodeToString(sum[:8]), nil
}

// lists is the folder of package lists to ask, <span>-<sources>, refreshed when the span of listsAge in which now lies
// has none yet. When no mirror can be reached the newest older lists of the same sources serve.
func (a *Archive) lists(ctx context.Context, now time.Time) (string, error) {
	sources, err := a.configured(ctx)
	if err != nil {
		return "", err
	}
	span := now.Unix() / int64(listsAge/time.Second)
	dir, err := a.cache.Dir(ctx, listsKind, fmt.Sprintf("%d-%s", span, sources), a.update)
	parent := filepath.Join(a.cache.Root(), listsKind)
	old := olderLists(parent, sources, span)
	if err != nil {
		if len(old) == 0 || ctx.Err() != nil {
			return "", err
		}
		return filepath.Join(parent, old[len(old)-1]), nil
	}
	// The last but one stays: another process may still be reading it.
	for len(old) > 1 {
		if err := os.RemoveAll(filepath.Join(parent, old[0])); err != nil {
			return "", fmt.Errorf("package lists: %w", err)
		}
		old = old[1:]
	}
	return dir, nil
}

// olderLists names the lists folders in parent of the same sources and of spans before span, oldest first.
func olderLists(parent, sources string, span int64) []string {
	entries, err := os.ReadDir(parent)
	if err != nil {
		return nil
	}
	var spans []int64
	for _, e := range entries {
		number, of, _ := strings.Cut(e.Name(), "-")
		if n, err := strconv.ParseInt(number, 10, 64); err == nil && n < span && of == sources {
			spans = append(spans, n)
		}
	}
	slices.Sort(spans)
	var names []string
	for _, n := range spans {
		names = append(names, fmt.Sprintf("%d-%s", n, sources))
	}
	return names
}

// A Source is one suite of a Debian mirror that this machine uses.
type Source struct {
	URI   string // "http://host/debian", without a slash at its end
	Suite string // "bookworm", "bookworm-updates", "bookworm-security"
}

// Sources are the suites of Debian's own mirrors in apt's configuration, in apt's order, each once.
func (a *Archive) Sources(ctx context.Context) ([]Source, error) {
	dir, err := a.lists(ctx, time.Now())
	if err != nil {
		return nil, err
	}
	out, err := apt(ctx, dir, "", "apt-get", "indextargets", "--format", "$(ORIGIN)|$(SITE)|$(RELEASE)", "Created-By: Packages")
	if err != nil {
		return nil, fmt.Errorf("apt-get indextargets: %w", err)
	}
	return parseSources(out), nil
}

func parseSources(out string) []Source {
	var sources []Source
	for line := range strings.Lines(out) {
		f := strings.Split(strings.TrimSpace(line), "|")
		if len(f) != 3 || f[0] != "Debian" {
			continue
		}
		s := Source{URI: strings.TrimSuffix(f[1], "/"), Suite: f[2]}
		if !slices.Contains(sources, s) {
			sources = append(sources, s)
		}
	}
	return sources
}
