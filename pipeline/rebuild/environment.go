package rebuild

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// writeCatcher writes a makefile that, named in MAKEFILES, has kbuild's sub-make for scripts/mod write the variables
// that the top Makefile exports into dir/env. A folder's Makefile can then be read as kbuild reads it without another
// run of the top Makefile, which takes most of a second.
func writeCatcher(dir string) (string, error) {
	path := filepath.Join(dir, "catch.mk")
	text := fmt.Sprintf("ifeq ($(obj),scripts/mod)\n$(shell env -0 >%s)\nendif\n", filepath.Join(dir, "env"))
	return path, os.WriteFile(path, []byte(text), 0o644)
}

// notExported are make's own variables: a make that we start makes its own.
var notExported = []string{"MAKEFLAGS", "MFLAGS", "MAKEFILES", "MAKELEVEL", "MAKEOVERRIDES", "MAKE_TERMERR", "MAKE_TERMOUT", "O", "PWD", "_"}

// readEnv reads what the catcher wrote.
func readEnv(path string) ([]string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var env []string
	for _, kv := range bytes.Split(data, []byte{0}) {
		k, _, ok := strings.Cut(string(kv), "=")
		if ok && !slices.Contains(notExported, k) {
			env = append(env, string(kv))
		}
	}
	for _, want := range []string{"srctree", "SRCARCH", "KBUILD_CFLAGS", "CC"} {
		if lookup(env, want) == "" {
			return nil, fmt.Errorf("file %q: variable %s, which kbuild exports, is not in it", path, want)
		}
	}
	return env, nil
}

// lookup is a variable of an environment; "" if it is not there.
func lookup(env []string, key string) string {
	for _, kv := range env {
		if v, ok := strings.CutPrefix(kv, key+"="); ok {
			return v
		}
	}
	return ""
}
