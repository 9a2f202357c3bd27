package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/alecthomas/kong"

	"livesplice/pipeline"
	"livesplice/pipeline/rebuild"
)

// cli is the command line. Each command's Help has an example.
type cli struct {
	Create    createCmd    `cmd:"" help:"Turn patches into packages."`
	Diff      diffCmd      `cmd:"" help:"Compare one pair of objects, as shipped and patched."`
	Match     matchCmd     `cmd:"" help:"Locate the functions of one object in a shipped kernel."`
	Inspect   inspectCmd   `cmd:"" help:"Say what a package, module or kernel is."`
	Check     checkCmd     `cmd:"" help:"Say whether a kernel can be spliced, and what stands in the way."`
	Verify    verifyCmd    `cmd:"" help:"Boot the shipped kernel in a VM and try a package there: install, undo, apply, remove."`
	Annotate  annotateCmd  `cmd:"" help:"Show what create found beside the code, in a CI system."`
	Subscribe subscribeCmd `cmd:"" help:"Make the empty first revision of a kernel's update package."`
	Matrix    matrixCmd    `cmd:"" help:"Make many fixes for many kernels, as a manifest lists them."`
	Corpus    corpusCmd    `cmd:"" help:"Measure how many of the changes between two source versions can be spliced."`
	CacheCmd  cacheCmd     `cmd:"" name:"cache" help:"Show what is kept between runs, or remove it."`
	Version   versionCmd   `cmd:"" help:"Print the version of livesplice."`

	Verbose bool   `short:"v" help:"Show the whole of an error: commands and logs of the kernel's build."`
	Cache   string `placeholder:"DIR" help:"Folder for what is kept between runs (default: livesplice in the user's cache folder)."`
	Size    size   `name:"cache-size" default:"20G" env:"LIVESPLICE_CACHE_SIZE" placeholder:"SIZE" help:"Bound of that folder, such as 500M or 20G: what was used longest ago is removed; 0: none (default: ${default})."`
}

const exitCodes = `Exit codes: 0 done; 1 our fault or the machine's; 2 usage; 3 the patch changes no object code; 4 refused: not safe to apply live; 5 source and shipped kernel do not match; 6 the kernel's own build failed.`

// env is what commands work with.
type env struct {
	ctx            context.Context
	stdout, stderr io.Writer
	cache          string
}

// run is the whole program; it returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var c cli
	exited := -1
	out := &results{w: stdout}
	if len(args) == 0 { // help, but as an error
		run(ctx, []string{"--help"}, stderr, stderr)
		return pipeline.ExitUsage
	}
	parser, err := kong.New(&c, kong.Name("livesplice"), kong.Description("Live updates of the Linux kernel, delivered as packages.\n\n"+exitCodes),
		kong.Writers(stdout, stderr), kong.Exit(func(code int) { exited = code }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 120}))
	if err != nil {
		fmt.Fprintf(stderr, "livesplice: %v\n", err)
		return pipeline.ExitFault
	}
	kctx, err := parser.Parse(argumentsLast(parser.Model, args))
	if exited >= 0 {
		return exited // help was printed
	}
	if err != nil {
		fmt.Fprintf(stderr, "livesplice: %v; livesplice %s--help shows how it is used\n", err, commandOf(err))
		return pipeline.ExitUsage
	}
	err = heard(ctx, grace, func() error { return kctx.Run(&env{ctx: ctx, stdout: out, stderr: stderr, cache: c.Cache}) })
	trim(ctx, c.Cache, int64(c.Size), stderr)
	if err == nil {
		err = out.err
	}
	if err != nil {
		fmt.Fprintf(stderr, "livesplice: %v\n", err)
		if c.Verbose {
			showLog(stderr, err)
		}
	}
	return pipeline.ExitCode(err)
}

// results is standard output. What cannot be written there is an error of the command.
type results struct {
	w   io.Writer
	err error
}

func (r *results) Write(p []byte) (int, error) {
	n, err := r.w.Write(p)
	if err != nil && r.err == nil {
		r.err = fmt.Errorf("standard output: %w", err)
	}
	return n, err
}

// commandOf is the command in which arguments went wrong, with a space behind it, or "".
func commandOf(err error) string {
	var p *kong.ParseError
	if errors.As(err, &p) && p.Context != nil {
		for _, n := range p.Context.Path {
			if n.Command != nil {
				return n.Command.Name + " "
			}
		}
	}
	return ""
}

// showLog writes what the kernel's build said, where an error has it.
func showLog(w io.Writer, err error) {
	var b *rebuild.BuildError
	if errors.As(err, &b) {
		fmt.Fprintf(w, "command: %s\n%s\n", b.Command, b.Log)
	}
}

func (e *env) json(v any) error {
	enc := json.NewEncoder(e.stdout)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}
