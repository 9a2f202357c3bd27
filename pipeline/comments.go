package pipeline

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
)

// sameButComments says whether two texts of a C header differ in nothing but comments and empty lines, so that every unit that
// reads one makes the same code as of the other, but for numbers of source lines. Lines of code are compared as the
// preprocessor sees them: continued lines as one, a comment as one space, several spaces as one. Where a space is there at all
// counts, since `#define A (x)` and `#x` tell.
//
// Text in which this could be wrong is no same text: unfinished literals and comments, raw strings, trigraphs, names of files
// with a comment's marks, and directives within comments, which programs of the build find by the line.
//
// Source: C11, 5.1.1.2, translation phases 1 to 4; gcc's cpplib takes spaces between a backslash and the end of the line too.
func sameButComments(old, new []byte) bool {
	a, ok := codeLines(old)
	if !ok {
		return false
	}
	b, ok := codeLines(new)
	return ok && slices.Equal(a.lines, b.lines) && slices.Equal(a.directives, b.directives)
}

// code is a text without its comments.
type code struct {
	lines      []string // that are not empty, continued ones as one, without spaces at both ends
	directives []string // lines within comments that look like directives
}

var (
	continued  = regexp.MustCompile(`\\[ \t\r\v\f]*\n`)
	rawString  = regexp.MustCompile(`\b(u8|[uUL])?R"`)
	markedFile = regexp.MustCompile(`(?m)^[ \t]*#[ \t]*include[^\n]*<[^>\n]*(//|/\*)`)
	inComment  = regexp.MustCompile(`(?m)^[ \t*/]*#[^\n]*`)
)

// codeLines takes the comments out of a text; false for one that is not sure to be read as the compiler does.
func codeLines(text []byte) (c code, ok bool) {
	text = continued.ReplaceAll(text, nil)
	if bytes.Contains(text, []byte("??")) || rawString.Match(text) || markedFile.Match(text) || bytes.IndexByte(text, 0) >= 0 {
		return c, false
	}
	var line strings.Builder
	end := func() {
		if l := strings.TrimRight(line.String(), " "); l != "" {
			c.lines = append(c.lines, l)
		}
		line.Reset()
	}
	space := func() {
		if s := line.String(); s != "" && !strings.HasSuffix(s, " ") {
			line.WriteByte(' ')
		}
	}
	for i := 0; i < len(text); {
		n := 1
		switch ch := text[i]; {
		case ch == '\n':
			end()
		case strings.IndexByte(" \t\r\v\f", ch) >= 0:
			space()
		case bytes.HasPrefix(text[i:], []byte("/*")):
			n = bytes.Index(text[i+2:], []byte("*/"))
			if n < 0 {
				return c, false
			}
			n += 4
			c.comment(text[i+2 : i+n-2])
			space()
		case bytes.HasPrefix(text[i:], []byte("//")):
			if n = bytes.IndexByte(text[i:], '\n'); n < 0 {
				n = len(text) - i
			}
			c.comment(text[i+2 : i+n])
			space()
		case ch == '"' || ch == '\'':
			if n = literal(text[i:]); n == 0 {
				return c, false
			}
			line.Write(text[i : i+n])
		default:
			line.WriteByte(ch)
		}
		i += n
	}
	end()
	return c, true
}

// literal is the length of the string or character that a text begins with; 0 for one that its line does not end.
func literal(text []byte) int {
	for i := 1; i < len(text) && text[i] != '\n'; i++ {
		switch text[i] {
		case text[0]:
			return i + 1
		case '\\':
			i++
		}
	}
	return 0
}

func (c *code) comment(text []byte) {
	for _, l := range inComment.FindAll(text, -1) {
		c.directives = append(c.directives, string(l))
	}
}

// readForComments are headers of whose comments the build makes data: the names of CPU features, as /proc/cpuinfo has them.
//
// Source: arch/x86/kernel/cpu/mkcapflags.sh, v6.1.
var readForComments = []string{"arch/x86/include/asm/cpufeatures.h", "arch/x86/include/asm/vmxfeatures.h"}
