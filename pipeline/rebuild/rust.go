package rebuild

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"

	"livesplice/pipeline/cache"
	"livesplice/pkgfmt"
)

// rustScript answers what Kconfig asks of rustc and bindgen, and compiles nothing.
//
//go:embed rust.sh
var rustScript string

// rustVars are variables of make for a kernel with Rust in it. Nothing written in Rust is compiled here, since no update
// carries any; but Kconfig asks for the versions of rustc, bindgen and libclang, and leaves out Rust and all that depends
// on it where they are missing or too old, C code among it. So a script answers what the shipped .config has of them.
// CONFIG_RUST= keeps make from building Rust's core library; C code goes by autoconf.h, which has CONFIG_RUST.
//
// Source: scripts/rust_is_available.sh, scripts/rustc-{,llvm-}version.sh and the prepare target of Makefile, v6.1 to v7.2.
func rustVars(ctx context.Context, c *cache.Cache, config *shippedConfig) ([]string, error) {
	if !config.Enabled("RUST") {
		return nil, nil
	}
	script, err := config.rustAnswers()
	if err != nil {
		return nil, err
	}
	dir, err := c.Dir(ctx, "rust", shortHash(script), func(_ context.Context, dir string) error {
		// rust_is_available.sh looks whether rustc's own source is there.
		core := filepath.Join(dir, "lib/rustlib/src/rust/library/core/src")
		if err := os.MkdirAll(core, 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(core, "lib.rs"), nil, 0o644); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, "rustc"), []byte(script), 0o755); err != nil {
			return err
		}
		return os.Symlink("rustc", filepath.Join(dir, "bindgen"))
	})
	if err != nil {
		return nil, err
	}
	return []string{"RUSTC=" + filepath.Join(dir, "rustc"), "BINDGEN=" + filepath.Join(dir, "bindgen"), "CONFIG_RUST="}, nil
}

var (
	rustcVersion   = regexp.MustCompile(`^rustc [0-9]+\.[0-9]+\.[0-9]+[-\w]*( \([\w .:-]*\))*$`)
	bindgenVersion = regexp.MustCompile(`^bindgen [0-9]+\.[0-9]+\.[0-9]+$`)
)

// rustAnswers is the script with the versions in it that the shipped .config has.
func (c *shippedConfig) rustAnswers() (string, error) {
	rustc, bindgen := c.Get("RUSTC_VERSION_TEXT"), c.Get("BINDGEN_VERSION_TEXT")
	llvm, err := strconv.Atoi(c.Get("RUSTC_LLVM_VERSION")) // since Linux 6.13
	if err != nil {
		llvm = 999999
	}
	if !rustcVersion.MatchString(rustc) || !bindgenVersion.MatchString(bindgen) {
		return "", &pkgfmt.InputError{Path: c.origin, Want: "CONFIG_RUSTC_VERSION_TEXT and CONFIG_BINDGEN_VERSION_TEXT of a kernel with Rust", Got: fmt.Sprintf("%q and %q", rustc, bindgen)}
	}
	return fmt.Sprintf("#!/bin/sh\nrustc='%s'\nbindgen='%s'\nllvm=%d.%d.%d\n", rustc, bindgen, llvm/10000, llvm/100%100, llvm%100) + rustScript, nil
}
