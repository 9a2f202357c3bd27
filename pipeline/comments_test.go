package pipeline

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

// TestSameButComments: what counts as the same is held against what gcc's preprocessor makes of both, which need not count
// as the same for us.
func TestSameButComments(t *testing.T) {
	const guard = "#ifndef A_H\n#define A_H\n"
	for _, c := range []struct {
		name, old, new string
		want           bool
	}{
		{"nothing", guard, guard, true},
		{"a comment more", guard + "int a;\n", guard + "/* A remark */\nint a;\n", true},
		{"a comment of several lines", guard + "int a;\n", guard + "/*\n * A remark, it's one\n */\n\n\nint a;\n", true},
		{"a comment at the end of a line", "int a;\nint b;\n", "int a; /* the first */\nint b; // the second\n", true},
		{"a comment before a directive", "#define A 1\n", "/* x */ #define A 1 /* y */\n", true},
		{"a comment less", "int /* b */ a;\n", "int a;\n", true},
		{"no newline at the end", "int a;\n", "int a; // b", true},
		{"empty lines", "int a;\n\n\n", "\nint a;\n", true},
		{"several spaces", "int  a;\n", "int \t a;\n", true},
		{"a macro", "#define A 1\n", "#define A 1\n#define B 1\n", false},
		{"a macro of another value", "#define A 1\n", "#define A 2\n", false},
		{"a macro that takes arguments now", "#define A (x)\n", "#define A(x)\n", false},
		{"a macro that takes none now, by a comment", "#define A(x) 1\n", "#define A/**/(x) 1\n", false},
		{"a comment between two tokens", "int ab;\n", "int a/**/b;\n", false},
		{"a space between two tokens that need none", "#define S(x) #x\nchar *s = S(a+b);\n", "#define S(x) #x\nchar *s = S(a + b);\n", false},
		{"several spaces that a macro makes one", "#define S(x) #x\nchar *s = S(a + b);\n", "#define S(x) #x\nchar *s = S(a   +\tb);\n", true},
		{"spaces in a string", "char *s = \"a b\";\n", "char *s = \"a  b\";\n", false},
		{"marks in a string", "char *s = \"a /* b */\";\n", "char *s = \"a\";\n", false},
		{"marks in a string, and a comment", "char *s = \"a /* b\";\nint c;\n", "char *s = \"a /* b\";\n/* */ int c;\n", true},
		{"an escaped quote", "char *s = \"\\\" /* \";\nint c; /* */\n", "char *s = \"\\\" /* \";\nint c;\n", true},
		{"a character that is a quote", "int c = '\"'; /* \" */\n", "int c = '\"';\n", true},
		{"a comment that ends in a backslash", "// a\nint b;\n", "// a \\\nint b;\n", false},
		{"a comment that ends in a backslash and spaces", "// a\nint b;\n", "// a \\  \nint b;\n", false},
		{"code behind a comment that goes on", "// a \\\n b\nint c;\n", "int c;\n", true},
		{"a continued macro", "#define A 1 \\\n + 2\n", "#define A 1 + 2\n", true},
		{"a continued macro with a comment", "#define A 1 \\\n + 2\n", "#define A 1 /* one */ \\\n + 2\n", true},
		{"a continued macro that a comment ends", "#define A 1 \\\n + 2\n", "#define A 1 // one \\\n + 2\n", false},
		{"a token over two lines", "int a\\\nb;\n", "int ab;\n", true},
		{"a comment opened over two lines", "int a;\n", "int a; /\\\n* b */\n", true},
		{"another line break", "int a; int b;\n", "int a;\nint b;\n", false}, // it is, and no comment
		{"a comment that joins two lines", "#define A 1\nint b;\n", "#define A 1 /*\n*/ int b;\n", false},
		{"an unfinished comment", "int a;\n", "int a; /* b\n", false},
		{"an unfinished string", "#if 0\nit's so\n#endif\n", "#if 0\nit's so\n#endif\n/* */\n", false},
		{"a raw string", "char *s = R\"x(/*)x\";\nint a;\n", "char *s = R\"x(/*)x\";\nint a; /* */\n", false},
		{"a trigraph", "// a ??/\nint b;\n", "// a \nint b;\n", false},
		{"a file with marks in its name", "#include <a//b.h>\n", "#include <a\n", false},
		{"a directive within a comment", "int a;\n", "/*\n#define A 1\n*/\nint a;\n", false},
		{"CR at line ends", "int a;\nint b;\n", "int a;\r\nint b; /* */\r\n", true},
		{"a guard", guard, "#ifndef B_H\n#define B_H\n", false},
		{"a comment is a guard no more", "/* #ifndef A */\nint a;\n", "#ifndef A\nint a;\n", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, pair := range [][2]string{{c.old, c.new}, {c.new, c.old}} {
				got := sameButComments([]byte(pair[0]), []byte(pair[1]))
				if got != c.want {
					t.Errorf("%q and %q: got %v, want %v", pair[0], pair[1], got, c.want)
				}
				if !got {
					continue
				}
				if a, b := preprocessed(t, pair[0]), preprocessed(t, pair[1]); !bytes.Equal(a, b) {
					t.Errorf("gcc makes other code of it: %q and %q", a, b)
				}
			}
		})
	}
}

var (
	lineMark = regexp.MustCompile(`(?m)^# .*\n|^#define _?_STDC.*\n`)
	cToken   = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|\w+|[^\s]`)
	spaces   = regexp.MustCompile(`([ \n])[ \n]*`)
)

// preprocessed is a header as gcc's preprocessor leaves it, with its macros.
func preprocessed(t *testing.T, text string) []byte {
	t.Helper()
	file := filepath.Join(t.TempDir(), "a.h")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("gcc-12", "-std=gnu11", "-w", "-E", "-dD", "-undef", file).Output()
	if err != nil && len(out) == 0 { // it complains of what has no #endif, and goes on
		t.Fatalf("gcc-12 (Debian package gcc-12): %v: %q", err, text)
	}
	// Where lines of code end, and the space between tokens, is up to gcc: it changes when a macro is used.
	var code []byte
	for l := range bytes.Lines(lineMark.ReplaceAll(out, nil)) {
		if bytes.HasPrefix(l, []byte("#")) {
			code = append(append(code, '\n'), l...)
			continue
		}
		code = append(append(code, bytes.Join(cToken.FindAll(l, -1), []byte(" "))...), ' ')
	}
	return bytes.TrimSpace(spaces.ReplaceAll(code, []byte("$1")))
}

// TestSameButCommentsInPieces puts comments and spaces into every place of a text, and holds what counts as the same against
// gcc's preprocessor.
func TestSameButCommentsInPieces(t *testing.T) {
	const text = "#define S(x) #x\n#define T \\\n 1\nchar *s = S(a+b), *r = \"/*'\"; // it's\nint c = '\"' /* \" */ + T;\n"
	same := 0
	for i := range len(text) + 1 {
		for _, more := range []string{"/* a */", "// b\n", " ", "\n", "\\\n", "/*\n*/"} {
			changed := text[:i] + more + text[i:]
			if !sameButComments([]byte(text), []byte(changed)) {
				continue
			}
			same++
			if testing.Short() && same%7 != 0 {
				continue
			}
			if a, b := preprocessed(t, text), preprocessed(t, changed); !bytes.Equal(a, b) {
				t.Fatalf("%q at %d: gcc makes %q, before %q", more, i, b, a)
			}
		}
	}
	if same < 40 {
		t.Error(fmt.Sprint(same, " changes counted as the same"))
	}
}
