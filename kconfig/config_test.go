package kconfig

import (
	"os"
	"strings"
	"testing"
)

// The samples in testdata are excerpts of the .config files in Debian's linux-headers packages of those names.
const (
	debian61  = "testdata/debian-6.1.0-54-amd64.config"
	debian612 = "testdata/debian-6.12.111+deb12-amd64.config"
)

func readSample(t testing.TB, path string) *Config {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	c, err := Parse(b)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return c
}

func TestGet(t *testing.T) {
	c := readSample(t, debian61)
	for _, tt := range []struct{ name, want string }{
		{"LIVEPATCH", "y"},
		{"CONFIG_LIVEPATCH", "y"},
		{"6PACK", "m"},
		{"MODULE_SIG_FORCE", "n"},
		{"NO_SUCH_OPTION", "n"},
		{"LOG_BUF_SHIFT", "17"},
		{"PHYSICAL_START", "0x1000000"},
		{"LOCALVERSION", ""},
		{"CC_VERSION_TEXT", "gcc-12 (Debian 12.2.0-14+deb12u1) 12.2.0"},
	} {
		if got := c.Get(tt.name); got != tt.want {
			t.Errorf("Get(%q) = %q, want %q", tt.name, got, tt.want)
		}
	}
	for name, want := range map[string]bool{"LIVEPATCH": true, "6PACK": true, "MODULE_SIG_FORCE": false, "NO_SUCH_OPTION": false, "LOG_BUF_SHIFT": false} {
		if got := c.Enabled(name); got != want {
			t.Errorf("Enabled(%q) = %v, want %v", name, got, want)
		}
	}
	if _, ok := c.Lookup("NO_SUCH_OPTION"); ok {
		t.Error("Lookup finds an option that is not there")
	}
	if v, ok := c.Lookup("MODULE_SIG_FORCE"); v != "n" || !ok {
		t.Errorf("Lookup of an option that is not set = %q, %v", v, ok)
	}
}

func TestParse(t *testing.T) {
	for _, tt := range []struct{ name, in, option, want string }{
		{"last line without newline", "CONFIG_A=y", "A", "y"},
		{"escapes", `CONFIG_A="say \"hi\" \\ bye"`, "A", `say "hi" \ bye`},
		{"equals sign in a string", `CONFIG_A="x=y"`, "A", "x=y"},
		{"negative number", "CONFIG_A=-1\n", "A", "-1"},
		{"hexadecimal", "CONFIG_A=0xdead000000000000\n", "A", "0xdead000000000000"},
		{"the last value counts", "CONFIG_A=y\n# CONFIG_A is not set\n", "A", "n"},
		{"carriage returns", "CONFIG_A=y\r\nCONFIG_B=m\r\n", "B", "m"},
		{"other comments", "# CONFIG_A is something else\n#\n\nCONFIG_A=m\n", "A", "m"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := Parse([]byte(tt.in))
			if err != nil {
				t.Fatal(err)
			}
			if got := c.Get(tt.option); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestParseErrors(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"empty", "", "no option in it, want lines CONFIG_NAME=value"},
		{"comments only", "# nothing\n", "no option in it, want lines CONFIG_NAME=value"},
		{"text", "CONFIG_A=y\nhello\n", `line 2: want CONFIG_NAME=value or a comment, got "hello"`},
		{"cut in a name", "CONFIG_A=y\n\nCONFIG_LIVEPA", `line 3: want CONFIG_NAME=value or a comment, got "CONFIG_LIVEPA"`},
		{"cut before the value", "CONFIG_A=", `line 1: CONFIG_A: want y, m, n, a number or a string in quotes, got ""`},
		{"cut in a string", `CONFIG_A="gcc-12 (Deb`, `line 1: CONFIG_A: no closing quote: "\"gcc-12 (Deb"`},
		{"cut after a backslash", `CONFIG_A="gcc\`, `line 1: CONFIG_A: no closing quote: "\"gcc\\"`},
		{"cut after 0x", "CONFIG_A=0x", `line 1: CONFIG_A: want y, m, n, a number or a string in quotes, got "0x"`},
		{"no prefix", "LIVEPATCH=y", `line 1: want CONFIG_NAME=value or a comment, got "LIVEPATCH=y"`},
		{"text after a string", `CONFIG_A="x"y`, `line 1: CONFIG_A: text after the closing quote: "y"`},
		{"word", "CONFIG_A=yes", `line 1: CONFIG_A: want y, m, n, a number or a string in quotes, got "yes"`},
		{"a long line is shortened", "x" + strings.Repeat("y", 1000), `line 1: want CONFIG_NAME=value or a comment, got "x` + strings.Repeat("y", 59) + `..."`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse([]byte(tt.in))
			if err == nil || err.Error() != tt.want {
				t.Errorf("error %v, want %s", err, tt.want)
			}
		})
	}
}

// A config cut off anywhere gives an error or, at a line's end, the options up to there.
func TestParseTruncated(t *testing.T) {
	b, err := os.ReadFile(debian61)
	if err != nil {
		t.Fatal(err)
	}
	whole := readSample(t, debian61)
	parsed := 0
	for n := range len(b) {
		c, err := Parse(b[:n])
		if err != nil {
			continue
		}
		parsed++
		for name, value := range c.values {
			want := whole.values[name]
			// A number may lose digits without trace; nothing else may change.
			if value != want && !(isNumber(value) && strings.HasPrefix(want, value)) {
				t.Errorf("cut at byte %d: %s = %q, want %q", n, name, value, want)
			}
		}
	}
	if parsed == 0 || parsed > len(b)/2 {
		t.Errorf("%d of %d truncations parsed", parsed, len(b))
	}
}

func FuzzParse(f *testing.F) {
	for _, path := range []string{debian61, debian612} {
		b, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte("CONFIG_A=\"\\"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := Parse(b)
		if err != nil {
			if c != nil || len(err.Error()) > 1000 {
				t.Errorf("config %v with error %v", c, err)
			}
			return
		}
		for name, value := range c.values {
			if !validName(name) || c.Get("CONFIG_"+name) != value && !strings.HasPrefix(name, prefix) {
				t.Errorf("option %q = %q", name, value)
			}
		}
		Requirements(c, Release{Major: 6, Minor: 1})
	})
}
