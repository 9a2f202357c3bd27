package pkgfmt

import (
	"context"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// tree is one of the user's --kernel arguments, unpacked: the wanted files of a package in the store, or a folder.
type tree struct {
	origin string    // as the user named it
	root   string    // absolute
	sum    string    // sha256 of the package; "" for a folder
	facts  treeFacts // zero but for Modules for a folder

	vmlinuz, config, headers, common []piece
}

// treeFacts is kept beside an unpacked package.
type treeFacts struct {
	Package *Package
	Modules []string // releases of which it has modules
	Partial bool     // reading stopped at the image: the module lists come later in the package
}

// piece is one part of a kernel in a tree.
type piece struct {
	tree    *tree
	path    string // absolute
	release string // what its name, or for headers its content, says; may be ""
	version string // headers: uname -v of the kernel they are of; may be ""
}

func (p *piece) origin() string {
	if p.tree.facts.Package == nil && p.path != "" {
		return p.path
	}
	return p.tree.origin
}

// extractKind names the folders in the store. The number changes with what wantedFile takes.
const extractKind = "kernel-package-1"

func openTree(ctx context.Context, c Store, origin string) (*tree, error) {
	abs, err := filepath.Abs(origin)
	if err != nil {
		return nil, err
	}
	t := &tree{origin: origin, root: abs}
	st, err := os.Stat(abs)
	if err == nil && st.IsDir() {
		t.findModules()
	} else if err := t.unpack(ctx, c); err != nil {
		return nil, err
	}
	t.scan()
	if len(t.vmlinuz)+len(t.config)+len(t.headers)+len(t.common)+len(t.facts.Modules) == 0 {
		got := "no part of a kernel in it"
		if p := t.facts.Package; p != nil {
			got += " (" + p.Format.String() + " package " + p.Name + ")"
		}
		if t.facts.Package == nil && t.holdsPackages() {
			got = "a folder with packages in it, but not unpacked: give the packages themselves"
		}
		return nil, &InputError{Path: origin, Want: "a kernel's image, headers or modules", Got: got}
	}
	return t, nil
}

// holdsPackages says whether a folder has package files in it.
func (t *tree) holdsPackages() bool {
	for _, glob := range []string{"*.deb", "*.rpm"} {
		if found, _ := filepath.Glob(filepath.Join(globQuote(t.root), glob)); len(found) > 0 {
			return true
		}
	}
	return false
}

// unpack fills root from a package, once for each content of it.
func (t *tree) unpack(ctx context.Context, c Store) error {
	f, _, _, err := openFile(t.origin, wantPackage) // says what is wrong with the file itself
	if err != nil {
		return err
	}
	f.Close()
	if t.sum, err = c.HashFile(t.root); err != nil {
		return fmt.Errorf("file %q: %w", t.origin, err)
	}
	dir, err := c.Dir(ctx, extractKind, t.sum, func(ctx context.Context, dir string) error {
		return extractKernel(ctx, t.origin, dir)
	})
	if err != nil {
		return err
	}
	t.root = filepath.Join(dir, "root")
	if err := readJSON(filepath.Join(dir, "facts.json"), &t.facts); err != nil {
		return err
	}
	t.facts.Package.Path = t.origin // the same content may have been read elsewhere before
	return nil
}

// extractKernel writes a package's kernel pieces below dir/root. An image package is left where the image and its config
// have been read: hundreds of megabytes of modules follow.
func extractKernel(ctx context.Context, name, dir string) error {
	pkg, err := Open(name)
	if err != nil {
		return err
	}
	facts := treeFacts{Package: pkg}
	root := filepath.Join(dir, "root")
	if err := os.Mkdir(root, 0o755); err != nil {
		return err
	}
	x, err := newExtractor(root)
	if err != nil {
		return err
	}
	defer x.close()
	var image, config bool
	err = pkg.Walk(ctx, func(e Entry, r io.Reader) error {
		if release := moduleRelease(e.Name); release != "" && !slices.Contains(facts.Modules, release) {
			facts.Modules = append(facts.Modules, release)
		}
		if !wantedFile(e.Name) {
			return nil
		}
		if err := x.extract(name, e, r); err != nil {
			return err
		}
		image = image || e.Mode.IsRegular() && vmlinuzRE.MatchString(e.Name)
		config = config || e.Mode.IsRegular() && configRE.MatchString(e.Name)
		if image && config {
			facts.Partial = true
			return ErrStop
		}
		return nil
	})
	if err != nil {
		return err
	}
	return writeJSON(filepath.Join(dir, "facts.json"), facts)
}

// Where distributions put a kernel: Debian and Ubuntu in /boot, Fedora and RHEL in /lib/modules/<release>.
var (
	vmlinuzRE = regexp.MustCompile(`^(?:boot/vmlinuz-([^/]+)|(?:usr/)?lib/modules/([^/]+)/vmlinuz)$`)
	configRE  = regexp.MustCompile(`^(?:boot/config-([^/]+)|(?:usr/)?lib/modules/([^/]+)/config)$`)
	headersRE = regexp.MustCompile(`^usr/src/(?:linux-headers-|kernels/)[^/]+(?:/|$)`)
	listRE    = regexp.MustCompile(`^(?:usr/)?lib/modules/[^/]+/modules\.(?:builtin|order)$`)
	moduleRE  = regexp.MustCompile(`^(?:usr/)?lib/modules/([^/]+)/(?:.*/)?([^/]+)\.ko(?:\.(?:gz|xz|zst))?$`)
)

func wantedFile(name string) bool {
	return vmlinuzRE.MatchString(name) || configRE.MatchString(name) || headersRE.MatchString(name) || listRE.MatchString(name)
}

func moduleRelease(path string) string {
	release, _ := moduleAt(path)
	return release
}

// scan finds the pieces in an unpacked tree.
func (t *tree) scan() {
	t.vmlinuz = t.find(vmlinuzRE, "boot/vmlinuz-*", "lib/modules/*/vmlinuz", "usr/lib/modules/*/vmlinuz")
	t.config = t.find(configRE, "boot/config-*", "lib/modules/*/config", "usr/lib/modules/*/config")
	for _, p := range t.find(headersRE, "usr/src/linux-headers-*", "usr/src/kernels/*") {
		p.release = defined(p.path+"/include/generated/utsrelease.h", "UTS_RELEASE")
		p.version = defined(p.path+"/include/generated/utsversion.h", "UTS_VERSION")
		if p.version == "" {
			p.version = defined(p.path+"/include/generated/compile.h", "UTS_VERSION")
		}
		if p.release != "" {
			t.headers = append(t.headers, p)
		} else if isFile(p.path + "/Makefile") {
			t.common = append(t.common, p)
		}
	}
}

// find returns what the globs match, each file once: /lib may be a link to /usr/lib.
func (t *tree) find(re *regexp.Regexp, globs ...string) []piece {
	var found []piece
	var seen []os.FileInfo
	for _, glob := range globs {
		paths, _ := filepath.Glob(filepath.Join(globQuote(t.root), glob)) // the only error is a bad pattern
		for _, p := range paths {
			st, err := os.Stat(p)
			if err != nil || slices.ContainsFunc(seen, func(o os.FileInfo) bool { return os.SameFile(o, st) }) {
				continue
			}
			seen = append(seen, st)
			rel := strings.TrimPrefix(p, t.root+"/")
			piece := piece{tree: t, path: p}
			for _, group := range re.FindStringSubmatch(rel) {
				if group != rel && group != "" {
					piece.release = group
				}
			}
			found = append(found, piece)
		}
	}
	return found
}

var globMeta = regexp.MustCompile(`[*?\[\\]`)

func globQuote(s string) string { return globMeta.ReplaceAllString(s, `\$0`) }

// findModules lists the releases of which a folder has modules.
func (t *tree) findModules() {
	for _, p := range t.find(regexp.MustCompile(`/([^/]+)/(?:kernel|updates|extra)$`), "lib/modules/*/kernel", "lib/modules/*/updates", "lib/modules/*/extra",
		"usr/lib/modules/*/kernel", "usr/lib/modules/*/updates", "usr/lib/modules/*/extra") {
		if release := path.Base(path.Dir(p.path)); !slices.Contains(t.facts.Modules, release) {
			t.facts.Modules = append(t.facts.Modules, release)
		}
	}
}

// defined returns the string that a generated header defines a macro to; "" if the file or the macro is not there.
func defined(file, macro string) string {
	b, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(b)) {
		if value, ok := strings.CutPrefix(line, "#define "+macro+" "); ok {
			return strings.Trim(strings.TrimSpace(value), `"`)
		}
	}
	return ""
}
