package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// TestHelp reads the help of each command: an example, and for each flag its default, unless it must be given or is
// off unless given.
func TestHelp(t *testing.T) {
	parser, err := kong.New(new(cli))
	if err != nil {
		t.Fatal(err)
	}
	commands := parser.Model.Leaves(false)
	if len(commands) < 6 {
		t.Fatalf("%d commands, want six or more", len(commands))
	}
	for _, c := range commands {
		var stdout, stderr bytes.Buffer
		if code := run(t.Context(), []string{c.Name, "--help"}, &stdout, &stderr); code != 0 || stderr.Len() > 0 {
			t.Errorf("%s --help: exit code %d, on standard error %q", c.Name, code, &stderr)
		}
		text := stdout.String()
		if !strings.Contains(text, "Example:") || !strings.Contains(text, "livesplice "+c.Name+" ") && c.Name != "version" {
			t.Errorf("%s --help has no example:\n%s", c.Name, text)
		}
		for _, f := range c.Flags {
			if !strings.Contains(text, "--"+f.Name) {
				t.Errorf("%s --help: no flag --%s:\n%s", c.Name, f.Name, text)
			}
			if !f.Required && !f.IsBool() && !strings.Contains(f.Help, "(default: ") {
				t.Errorf("%s --help: flag --%s: no default in %q", c.Name, f.Name, f.Help)
			}
		}
	}
}
