package archive

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pault.ag/go/debian/version"
)

func mustVersion(t *testing.T, s string) version.Version {
	t.Helper()
	v, err := version.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestKernelsAreWholeAndOrdered(t *testing.T) {
	kernels, err := Kernels(t.Context(), "6.1")
	if err != nil {
		t.Fatal(err)
	}
	for i, k := range kernels {
		t.Logf("%s %s", k.Release, k.Version)
		if k.Series != "6.1" || k.Release != k.ABI+"-amd64" || !strings.HasPrefix(k.ABI, "6.1.") {
			t.Errorf("kernel %d: %+v: names do not belong together", i, k)
		}
		// dpkg is the oracle of the order of versions.
		if i > 0 && exec.Command("dpkg", "--compare-versions", kernels[i-1].Version, "lt", k.Version).Run() != nil {
			t.Errorf("%s is not before %s", kernels[i-1].Version, k.Version)
		}
	}
}

func TestSeriesThatIsNotThere(t *testing.T) {
	for _, tc := range []struct{ series, want string }{
		{"6", `kernel series "6": want MAJOR.MINOR`},
		{"6.1; rm", `kernel series "6.1; rm": want MAJOR.MINOR`},
		{"2.6", `kernel series "2.6": apt's sources have no such kernel with headers and source`},
	} {
		if _, err := Kernels(t.Context(), tc.series); err == nil || err.Error() != tc.want {
			t.Errorf("Kernels(%q): error %v, want %s", tc.series, err, tc.want)
		}
	}
}

// The newest kernel's own packages, read by dpkg-deb, must be what Kernels said.
func TestFetchGivesTheKernelsPackages(t *testing.T) {
	kernels, err := Kernels(t.Context(), "6.1")
	if err != nil {
		t.Fatal(err)
	}
	k := kernels[len(kernels)-1]
	files, err := k.Fetch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ path, name string }{
		{files.Image, "linux-image-" + k.Release},
		{files.Headers, "linux-headers-" + k.Release},
		{files.HeadersCommon, "linux-headers-" + k.ABI + "-common"},
		{files.Source, "linux-source-6.1"},
	} {
		out, err := exec.Command("dpkg-deb", "--show", "--showformat=${Package} ${Version}", tc.path).Output()
		if want := tc.name + " " + k.Version; err != nil || string(out) != want {
			t.Errorf("%s: holds %q (%v), want %q", tc.path, out, err, want)
		}
	}
}

// smallPackage is what the archive holds of bc, which is small and in every suite.
func smallPackage(t *testing.T, a *Archive) pkg {
	t.Helper()
	pkgs, err := a.show(t.Context(), "bc")
	if err != nil {
		t.Fatal(err)
	}
	return pkgs[0]
}

func TestFetchReplacesADamagedCopy(t *testing.T) {
	shared, err := Open("")
	if err != nil {
		t.Fatal(err)
	}
	lists, err := shared.lists(t.Context(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	a := openWithLists(t, lists)
	p := smallPackage(t, a)
	path, err := a.FetchPackage(t.Context(), "bc", p.Version.String())
	if err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, damage := range map[string]func() error{
		"truncated": func() error { return os.Truncate(path, 100) },
		"changed":   func() error { return os.WriteFile(path, append(whole[:len(whole)-1:len(whole)-1], 'x'), 0o644) },
		"missing":   func() error { return os.Remove(path) },
	} {
		if err := damage(); err != nil {
			t.Fatal(err)
		}
		again, err := a.FetchPackage(t.Context(), "bc", p.Version.String())
		if err != nil || again != path {
			t.Fatalf("%s: %q, %v; want %q", name, again, err, path)
		}
		if got, err := os.ReadFile(path); err != nil || !slices.Equal(got, whole) {
			t.Errorf("%s: the copy was not replaced (%v)", name, err)
		}
	}
}

// openWithLists is an archive with a download folder of its own that need not fetch the package lists again.
func openWithLists(t *testing.T, lists string) *Archive {
	t.Helper()
	dir := t.TempDir()
	parent := filepath.Join(dir, listsKind)
	if err := os.Mkdir(parent, 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("cp", "-a", lists, parent).CombinedOutput(); err != nil {
		t.Fatalf("cp: %v: %s", err, out)
	}
	a, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestFetchOfWhatIsNotThere(t *testing.T) {
	_, err := FetchPackage(t.Context(), "bc", "0.0-0")
	if err == nil || !strings.HasPrefix(err.Error(), `package "bc": the archive has no version 0.0-0, only 1.`) {
		t.Errorf("error %v", err)
	}
	_, err = FetchPackage(t.Context(), "livesplice-no-such-package", "1")
	if err == nil || !strings.HasPrefix(err.Error(), `package "livesplice-no-such-package": `) {
		t.Errorf("error %v", err)
	}
	_, err = FetchPackage(t.Context(), "-o=x", "1")
	if err == nil || err.Error() != `package "-o=x": not a package name` {
		t.Errorf("error %v", err)
	}
}

func TestListsAreKeptForASpanAndServeWhenNoMirrorAnswers(t *testing.T) {
	dir := t.TempDir()
	a, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	sources := "abc"
	a.configured = func(context.Context) (string, error) { return sources, nil }
	updates := 0
	a.update = func(_ context.Context, dir string) error {
		updates++
		return os.WriteFile(filepath.Join(dir, "apt.conf"), nil, 0o644)
	}
	lists := func(hours int, want string, wantUpdates int) {
		t.Helper()
		got, err := a.lists(t.Context(), time.Unix(int64(hours)*3600, 0))
		if err != nil || got != filepath.Join(dir, listsKind, want) || updates != wantUpdates {
			t.Errorf("hour %d: %q, %v after %d updates; want %s after %d", hours, got, err, updates, want, wantUpdates)
		}
	}
	lists(60, "10-abc", 1)
	lists(65, "10-abc", 1)
	lists(66, "11-abc", 2)
	lists(72, "12-abc", 3)
	if left := olderLists(filepath.Join(dir, listsKind), "abc", 13); !slices.Equal(left, []string{"11-abc", "12-abc"}) {
		t.Errorf("lists left: %v, want 11 and 12", left)
	}
	sources = "def" // the machine has got other sources
	lists(72, "12-def", 4)
	a.update = func(context.Context, string) error { return errors.New("no network") }
	lists(78, "12-def", 4)
	sources = "abc"
	lists(78, "12-abc", 4)

	empty, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	empty.configured, empty.update = a.configured, a.update
	if _, err := empty.lists(t.Context(), time.Unix(0, 0)); err == nil || err.Error() != "no network" {
		t.Errorf("without any lists: error %v", err)
	}
}

// A second process that wants the same package waits for the first and takes what it made.
func TestConcurrentFetchesDownloadOnce(t *testing.T) {
	shared, err := Open("")
	if err != nil {
		t.Fatal(err)
	}
	lists, err := shared.lists(t.Context(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	first := openWithLists(t, lists)
	second, err := Open(first.cache.Root()) // its own locks, as another process has
	if err != nil {
		t.Fatal(err)
	}
	p := smallPackage(t, first)
	paths := make(chan string, 2)
	for _, a := range []*Archive{first, second} {
		go func() {
			path, err := a.fetch(t.Context(), p)
			if err != nil {
				t.Error(err)
			}
			paths <- path
		}()
	}
	if a, b := <-paths, <-paths; a != b || a == "" {
		t.Errorf("paths %q and %q, want the same one", a, b)
	}
	if found, err := filepath.Glob(filepath.Join(first.cache.Root(), debKind, ".*.tmp-*")); err != nil || len(found) > 0 {
		t.Errorf("left over: %v, %v", found, err)
	}
}

func TestSources(t *testing.T) {
	a, err := Open("")
	if err != nil {
		t.Fatal(err)
	}
	sources, err := a.Sources(t.Context())
	if err != nil || len(sources) == 0 {
		t.Fatalf("sources %v, %v", sources, err)
	}
	got := parseSources("Debian|http://m/debian/|bookworm\nOther|http://o|x\nDebian|http://m/debian/|bookworm\n\nDebian|http://m/sec|bookworm-security\n")
	want := []Source{{"http://m/debian", "bookworm"}, {"http://m/sec", "bookworm-security"}}
	if !slices.Equal(got, want) {
		t.Errorf("parseSources: %v, want %v", got, want)
	}
}
