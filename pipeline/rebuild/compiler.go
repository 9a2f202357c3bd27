package rebuild

import (
	"context"
	"errors"
	"strings"

	"livesplice/pipeline/process"
	"livesplice/pkgfmt"
)

// findCompiler returns the program that is the shipped kernel's compiler.
func findCompiler(ctx context.Context, config *shippedConfig, cc string) (string, error) {
	want := config.compilerText()
	if config.Enabled("CC_IS_CLANG") {
		return "", &pkgfmt.InputError{Path: config.path, Want: "the .config of a kernel built by gcc", Got: "one built by " + want}
	}
	if cc == "" {
		cc, _, _ = strings.Cut(want, " ")
	}
	got, err := versionLine(ctx, cc)
	var missing *process.MissingError
	if errors.As(err, &missing) {
		missing.Package = packageOf(want)
		return "", missing
	}
	if err != nil {
		return "", err
	}
	// kbuild takes '#' out before it compares. Source: CC_VERSION_TEXT, Makefile, v6.1.
	if strings.ReplaceAll(got, "#", "") != want {
		return "", &CompilerError{Path: cc, Want: want, Got: got}
	}
	return cc, nil
}

// versionLine is the first line of `program --version`.
func versionLine(ctx context.Context, program string) (string, error) {
	res, err := process.Run(ctx, process.Cmd{Path: program, Args: []string{"--version"}})
	if err != nil {
		return "", err
	}
	line, _, _ := strings.Cut(string(res.Stdout), "\n")
	return line, nil
}
