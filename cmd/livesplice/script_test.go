package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"livesplice/ci/archive"
	"livesplice/pipeline/cache"
	"livesplice/pipeline/process"
	"livesplice/pipeline/source"
)

// The scripts run livesplice on a shipped kernel of the archive. Their environment:
//
//	$SOURCE $IMAGE $HEADERS $COMMON   its packages
//	$RELEASE $VERSION                 its uname -r and its package version
//	$NEW_IMAGE $NEW_HEADERS $NEW_COMMON $NEW_SOURCE   packages of the archive's newest kernel
//	$NEW_RELEASE $NEW_VERSION         what these are of
//	$UNPACKED                         a folder with image and headers unpacked, on $WORK's file system; to be read only
//	$PATCHES                          testdata/patches
//
// The cache is the one that all tests share, so that a warm run takes a second or two.
func TestMain(m *testing.M) {
	testscript.Main(cleaning{m}, map[string]func(){"livesplice": main})
}

// cleaning removes what the scripts share when they are through.
type cleaning struct{ m *testing.M }

func (e cleaning) Run() int {
	defer func() { os.RemoveAll(unpacked) }()
	return e.m.Run()
}

// unpacked is the folder of material, once it is made.
var unpacked string

// fixedIn is the Debian version from which on kernels have the fix in testdata/patches/fcntl-immutable-hint.patch.
const fixedIn = "6.1.192-1"

// material is what the scripts share.
type material struct {
	kernel, newest archive.Kernel
	files          archive.Files
	newImage       string
	newHeaders     string
	newCommon      string
	newSource      string
	unpacked       string
}

var shared = sync.OnceValues(func() (*material, error) {
	ctx := context.Background()
	kernels, err := archive.Kernels(ctx, "6.1")
	if err != nil {
		return nil, err
	}
	m := &material{newest: kernels[len(kernels)-1]}
	if m.kernel, err = archive.Before(kernels, fixedIn); err != nil {
		return nil, err
	}
	if m.files, err = m.kernel.Fetch(ctx); err != nil {
		return nil, err
	}
	newest, err := m.newest.Fetch(ctx)
	if err != nil {
		return nil, err
	}
	m.newImage, m.newHeaders, m.newCommon, m.newSource = newest.Image, newest.Headers, newest.HeadersCommon, newest.Source
	if unpacked, err = os.MkdirTemp("", "livesplice-kernel-"); err != nil {
		return nil, err
	}
	m.unpacked = unpacked
	for _, deb := range []string{m.files.Headers, m.files.HeadersCommon} {
		if _, err := process.Run(ctx, process.Cmd{Path: "dpkg-deb", Args: []string{"-x", deb, m.unpacked}}); err != nil {
			return nil, err
		}
	}
	// Without the modules, which come behind /boot in the package.
	_, err = process.Run(ctx, process.Cmd{Path: "sh", Args: []string{"-c", `dpkg-deb --fsys-tarfile "$1" | tar -x -C "$2" ./boot`, "sh", m.files.Image, m.unpacked}})
	return m, err
})

func TestScripts(t *testing.T) {
	m, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	patches, err := filepath.Abs("../../testdata/patches")
	if err != nil {
		t.Fatal(err)
	}
	caches, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			for name, value := range map[string]string{
				"SOURCE": m.files.Source, "IMAGE": m.files.Image, "HEADERS": m.files.Headers, "COMMON": m.files.HeadersCommon,
				"RELEASE": m.kernel.Release, "VERSION": m.kernel.Version,
				"NEW_IMAGE": m.newImage, "NEW_COMMON": m.newCommon, "NEW_HEADERS": m.newHeaders, "NEW_SOURCE": m.newSource, "NEW_RELEASE": m.newest.Release, "NEW_VERSION": m.newest.Version,
				"UNPACKED": m.unpacked, "PATCHES": patches, "XDG_CACHE_HOME": caches, "LIVESPLICE_CACHE_SIZE": "0",
			} {
				env.Setenv(name, value)
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"create": create, "exits": exits, "damage": damage, "cut": cut, "await": await, "lonely": lonely, "spoil": spoil, "killed": killed, "changed-source": changedSource,
		},
	})
}

// changedSource NAME puts into $NAME a folder with the shipped source in which one function differs: fs/proc/version.c
// gets a line more. It is kept in the shared cache, so that a tree prepared from it serves the next run too.
func changedSource(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: changed-source NAME")
	}
	ctx := context.Background()
	c, err := cache.Open(filepath.Join(ts.Getenv("XDG_CACHE_HOME"), "livesplice"))
	ts.Check(err)
	src, err := source.Open(ctx, c, ts.Getenv("SOURCE"))
	ts.Check(err)
	dir, err := c.Dir(ctx, "changed-source-1", src.ID, func(ctx context.Context, dir string) error {
		// Hard links: the changed file is a new one.
		if _, err := process.Run(ctx, process.Cmd{Path: "cp", Args: []string{"-al", src.Dir, filepath.Join(dir, "linux")}}); err != nil {
			return err
		}
		return replaceFile(filepath.Join(dir, "linux/fs/proc/version.c"), "\treturn 0;\n}", "\tseq_putc(m, ' ');\n\treturn 0;\n}")
	})
	ts.Check(err)
	ts.Setenv(args[0], filepath.Join(dir, "linux"))
}

// replaceFile replaces the first occurrence of a text, in a file that takes the place of the old one.
func replaceFile(path, old, new string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	text := strings.Replace(string(data), old, new, 1)
	if text == string(data) {
		return fmt.Errorf("file %q: no %q in it", path, old)
	}
	if err := os.Remove(path); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(text), 0o644)
}
