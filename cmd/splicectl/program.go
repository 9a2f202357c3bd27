package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"

	"livesplice/kmod/livepatch"
)

// program is splicectl on some machine.
type program struct {
	host           *livepatch.Host
	user           int // effective user: only root, 0, may change the kernel
	stdout, stderr io.Writer
}

// command is one subcommand.
type command struct {
	name, args, short string
	// root says that it changes the kernel.
	root bool
	// flags declares flags and returns what to run once they are parsed.
	flags func(p *program, fs *flag.FlagSet) action
}

// action does a command's work with the arguments that are left. A usageError
// shows how the command is called.
type action func(ctx context.Context, args []string) error

type usageError string

func (e usageError) Error() string { return string(e) }

var commands = []command{
	{"apply", "[ID|PATH]", "apply one update, also one undone before; without ID: all on disk", true, (*program).apply},
	{"undo", "ID|--all", "take updates out of the kernel and remember that", true, (*program).undo},
	{"view", "", "list the applied updates", false, (*program).view},
	{"status", "", "kernel and updates, each with its state and the reason", false, (*program).status},
	{"show", "ID", "what one update on disk is", false, (*program).show},
	{"reconcile", "", "make the running kernel match the files on disk", true, (*program).reconcile},
	{"blockers", "", "tasks that hold up the present transition, with their stacks", false, (*program).blockers},
	{"uname", "", "release of the running kernel with what is applied to it", false, (*program).uname},
	{"upgrade", "", "name the package manager's command that fetches new updates", false, (*program).upgrade},
	{"version", "", "print the version of splicectl", false, (*program).version},
}

const exitCodes = `
Exit codes: 0 done, nothing to do, or recorded as pending; 1 a fault of the
machine or of splicectl; 2 usage; 3 blocked: a transition did not finish and was
reversed, try again later; 4 refused: not safe or not possible to apply here.
`

func (p *program) run(ctx context.Context, args []string) int {
	if len(args) == 0 {
		p.help(p.stderr)
		return livepatch.ExitUsage
	}
	switch args[0] {
	case "help", "-h", "-help", "--help":
		p.help(p.stdout)
		return livepatch.ExitDone
	}
	for _, c := range commands {
		if c.name == args[0] {
			return p.runCommand(ctx, c, args[1:])
		}
	}
	fmt.Fprintf(p.stderr, "splicectl: unknown command %q; splicectl help lists them\n", args[0])
	return livepatch.ExitUsage
}

func (p *program) help(w io.Writer) {
	fmt.Fprint(w, "Usage: splicectl COMMAND [FLAGS] [ARGUMENTS]\n\nApplies and undoes livesplice updates of the running kernel.\n\n")
	for _, c := range commands {
		fmt.Fprintf(w, "  %-18s %s\n", strings.TrimSpace(c.name+" "+c.args), c.short)
	}
	fmt.Fprint(w, "\nsplicectl COMMAND --help shows the flags of a command.\n", exitCodes)
}

func (p *program) runCommand(ctx context.Context, c command, args []string) int {
	fs := flag.NewFlagSet("splicectl "+c.name, flag.ContinueOnError)
	fs.SetOutput(io.Discard) // where the usage goes depends on whether it was asked for
	fs.Usage = func() {}
	if c.root {
		fs.DurationVar(&p.host.Timeout, "timeout", p.host.Timeout, "how long to wait for a transition, and again for its reversal")
	}
	do := c.flags(p, fs)
	words, err := parse(fs, args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		c.usage(p.stdout, fs)
		return livepatch.ExitDone
	case err != nil:
		return p.report(c, fs, usageError(err.Error()))
	case p.host.Timeout < time.Second || p.host.Timeout > time.Hour:
		fmt.Fprintf(p.stderr, "splicectl %s: -timeout %v: expected 1s to 1h\n", c.name, p.host.Timeout)
		return livepatch.ExitUsage
	case c.root && p.user != 0:
		fmt.Fprintf(p.stderr, "splicectl %s: only root may change the kernel; this is user %d\n", c.name, p.user)
		return livepatch.ExitRefused
	}
	return p.report(c, fs, do(ctx, words))
}

// usage writes how the command is called.
func (c command) usage(w io.Writer, fs *flag.FlagSet) {
	fmt.Fprintf(w, "Usage: splicectl %s\n\n%s.\n", strings.TrimSpace(c.name+" [FLAGS] "+c.args), c.short)
	fs.SetOutput(w)
	fs.PrintDefaults()
	fmt.Fprint(w, exitCodes)
}

// parse parses flags before, between and after the other words.
func parse(fs *flag.FlagSet, args []string) (words []string, err error) {
	for {
		if err := fs.Parse(args); err != nil {
			return nil, err
		}
		if fs.NArg() == 0 {
			return words, nil
		}
		words = append(words, fs.Arg(0))
		args = fs.Args()[1:]
	}
}

// report writes an error, one line for each update, and returns the exit code.
func (p *program) report(c command, fs *flag.FlagSet, err error) int {
	if err == nil {
		return livepatch.ExitDone
	}
	for line := range strings.Lines(err.Error()) {
		fmt.Fprintf(p.stderr, "splicectl %s: %s\n", c.name, strings.TrimSuffix(line, "\n"))
	}
	var usage usageError
	if errors.As(err, &usage) {
		c.usage(p.stderr, fs)
		return livepatch.ExitUsage
	}
	return livepatch.ExitCode(err)
}
