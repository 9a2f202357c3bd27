package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// TestArgumentsLast holds where files may stand among the flags, by what create is given in the end.
func TestArgumentsLast(t *testing.T) {
	tests := []struct {
		name, line string
		want       string // the line that kong gets
	}{
		{"nothing", "", ""},
		{"help", "--help", "--help"},
		{"no command", "frob a --out b", "frob a --out b"},
		{"files last", "create --kernel a.deb x.patch", "create --kernel a.deb -- x.patch"},
		{"files in two places", "create --kernel a.deb b.deb --out o x.patch", "create --kernel a.deb --out o -- b.deb x.patch"},
		{"files first", "create x.patch --kernel a.deb --out o y.patch", "create --kernel a.deb --out o -- x.patch y.patch"},
		{"a value by =", "create --out=o x.patch --kernel=a.deb", "create --out=o --kernel=a.deb -- x.patch"},
		{"a flag without value", "create --stack x.patch --json y.patch --kernel a.deb", "create --stack --json --kernel a.deb -- x.patch y.patch"},
		{"letters", "create -j4 x.patch -j 4 y.patch -vj 2 z.patch -v w.patch", "create -j4 -j 4 -vj 2 -v -- x.patch y.patch z.patch w.patch"},
		{"diff", "diff pre.o -o out.o post.o", "diff -o out.o -- pre.o post.o"},
		{"a flag before the command", "--cache c -v check a --json b", "--cache c -v check --json -- a b"},
		{"standard input", "create - --kernel a.deb", "create --kernel a.deb -- -"},
		{"end of flags", "create --kernel a.deb b --  --out x.patch", "create --kernel a.deb -- b --out x.patch"},
		{"no value", "create x.patch --out", "create --out -- x.patch"},
		{"an unknown flag", "create x.patch --frob o --json", "create --frob --json -- x.patch o"},
	}
	parser, err := kong.New(new(cli))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := argumentsLast(parser.Model, strings.Fields(test.line))
			if want := strings.Fields(test.want); !slices.Equal(got, want) {
				t.Errorf("%q becomes %q, want %q", test.line, got, want)
			}
		})
	}
}
