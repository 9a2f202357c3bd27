package main

import (
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// splitArgs tells patches from kernel packages, so that --kernel can be followed by several files as a shell's
// wildcard gives them. A patch called "-" is that on standard input.
func splitArgs(args []string) (files, kernels []string) {
	for _, a := range args {
		st, err := os.Stat(a)
		switch {
		case strings.HasSuffix(a, ".deb") || strings.HasSuffix(a, ".rpm") || err == nil && st.IsDir():
			kernels = append(kernels, a)
		case a == "-":
			files = append(files, "/dev/stdin")
		default:
			files = append(files, a)
		}
	}
	return files, kernels
}

// argumentsLast moves what is neither a flag nor the value of one behind all flags, in its order. kong takes the arguments
// of a command in one piece only, and --kernel A B --out DIR PATCH has two. What kong refuses it still refuses.
func argumentsLast(app *kong.Application, args []string) []string {
	at := 0
	flags := slices.Concat(app.AllFlags(false)...)
	for at < len(args) && strings.HasPrefix(args[at], "-") {
		at += width(flags, args[at:])
	}
	command := slices.IndexFunc(app.Children, func(n *kong.Node) bool { return at < len(args) && n.Name == args[at] })
	if command < 0 {
		return args
	}
	flags = slices.Concat(app.Children[command].AllFlags(false)...)
	front, last := slices.Clone(args[:at+1]), []string{"--"}
	for rest := args[at+1:]; len(rest) > 0; {
		n := 1
		switch {
		case rest[0] == "--":
			n = len(rest)
			last = append(last, rest[1:]...)
		case rest[0] == "-" || !strings.HasPrefix(rest[0], "-"):
			last = append(last, rest[0])
		default:
			n = width(flags, rest)
			front = append(front, rest[:n]...)
		}
		rest = rest[n:]
	}
	if len(last) == 1 {
		return front
	}
	return append(front, last...)
}

// width is the number of words, 1 or 2, that the flag at the start of words takes: --out DIR and -vj 4 take two, --out=DIR, -j4
// and --json one.
func width(flags []*kong.Flag, words []string) int {
	two := min(2, len(words))
	if name, long := strings.CutPrefix(words[0], "--"); long {
		if slices.ContainsFunc(flags, func(f *kong.Flag) bool { return f.Name == name && !f.IsBool() }) {
			return two
		}
		return 1
	}
	letters := []rune(words[0][1:])
	for i, l := range letters {
		if slices.ContainsFunc(flags, func(f *kong.Flag) bool { return f.Short == l && !f.IsBool() }) {
			if i == len(letters)-1 {
				return two
			}
			return 1 // what follows in the word is its value
		}
	}
	return 1
}
