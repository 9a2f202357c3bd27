package rebuild

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"livesplice/kconfig"
	"livesplice/pipeline/process"
	"livesplice/pkgfmt"
)

// openRoot checks the root that holds the tools; nil for none. Only folders that are shared with it are seen in it.
func openRoot(ctx context.Context, dir, cache string, folders ...string) (*process.Root, error) {
	if dir == "" {
		return nil, nil
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	root := &process.Root{Dir: abs, Shared: []string{cache}}
	for _, f := range folders {
		if !strings.HasPrefix(f, cache+"/") && !slices.Contains(root.Read, f) {
			root.Read = append(root.Read, f)
		}
	}
	if err := root.Check(ctx); err != nil {
		if ctx.Err() != nil {
			return nil, err
		}
		return nil, &kconfig.UsageError{Thing: `flag "--toolchain-root"`, Reason: err.Error()}
	}
	return root, nil
}

// findCompiler returns the program that is the shipped kernel's compiler, in root unless that is nil: the one that the
// configuration names, or cc, which may have another name.
func findCompiler(ctx context.Context, root *process.Root, config *shippedConfig, cc string) (string, error) {
	want := config.compilerText()
	if err := config.checkGCC(); err != nil {
		return "", err
	}
	given := cc != ""
	if !given {
		cc, _, _ = strings.Cut(want, " ")
	}
	if strings.ContainsRune(cc, '/') && root == nil { // kbuild works in other folders
		var err error
		if cc, err = filepath.Abs(cc); err != nil {
			return "", err
		}
	}
	got, err := versionLine(ctx, root, cc)
	var missing *process.MissingError
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return "", err
	case given:
		return "", &kconfig.UsageError{Thing: `flag "--cc"`, Reason: fmt.Sprintf("%v; want the compiler that built the kernel, %q (Debian package %s)",
			err, want, packageOf(want))}
	case errors.As(err, &missing):
		missing.Package = packageOf(want)
		return "", missing
	default:
		return "", err
	}
	// kbuild takes '#' out before it compares. Source: CC_VERSION_TEXT, Makefile, v6.1.
	if got = strings.ReplaceAll(got, "#", ""); got != want && !(given && nameless(got) == nameless(want)) {
		e := &CompilerError{Path: cc, Want: want, Got: got}
		if root != nil {
			e.Root = root.Dir
		}
		return "", e
	}
	return cc, nil
}

// nameless is a compiler's version text without the first word: the name that the program was called by, which the same
// compiler does not have everywhere.
func nameless(text string) string {
	_, version, _ := strings.Cut(text, " ")
	return version
}

// versionVars let kbuild take the compiler of --cc for the one of the configuration where it only has another name: what is
// made from CONFIG_CC_VERSION_TEXT stays the same, and Debian's Makefile builds no module by a compiler that differs in it.
func versionVars(cc string, config *shippedConfig) []string {
	if name, _, _ := strings.Cut(config.compilerText(), " "); filepath.Base(cc) == name {
		return nil
	}
	return []string{"CC_VERSION_TEXT=" + config.compilerText()}
}

// checkGCC refuses kernels built by clang.
func (c *shippedConfig) checkGCC() error {
	if c.Enabled("CC_IS_CLANG") {
		return &pkgfmt.InputError{Path: c.origin, Want: "the .config of a kernel built by gcc", Got: "one built by " + c.compilerText()}
	}
	return nil
}

// versionLine is the first line of `program --version`.
func versionLine(ctx context.Context, root *process.Root, program string) (string, error) {
	res, err := process.Run(ctx, process.Cmd{Path: program, Args: []string{"--version"}, Root: root})
	if err != nil {
		return "", err
	}
	line, _, _ := strings.Cut(string(res.Stdout), "\n")
	return line, nil
}
