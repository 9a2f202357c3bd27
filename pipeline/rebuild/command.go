package rebuild

import (
	"fmt"
	"path/filepath"
	"strings"
)

// savedCommand takes the compiler's own command out of the text of a .cmd file as fixdep and kbuild write it: the value
// of the variable savedcmd_<object> (cmd_<object> before Linux 6.3) up to the first `;` outside quotes, behind which
// objtool stands.
// Source: cmd_and_fixdep and make-cmd, scripts/Kbuild.include, v6.1.
func savedCommand(cmdFile, object string) ([]string, error) {
	for _, line := range strings.Split(cmdFile, "\n") {
		name, value, ok := strings.Cut(line, " := ")
		if ok && (name == "cmd_"+object || name == "savedcmd_"+object) {
			return shellWords(unmake(value))
		}
	}
	return nil, fmt.Errorf("no command of %q in its .cmd file", object)
}

// unmake undoes what make-cmd did to keep the text for make.
func unmake(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, "$(pound)", "#"), "$$", "$")
}

// shellWords splits a simple command as sh does, up to an unquoted `;`. What would take a real shell is an error.
func shellWords(s string) ([]string, error) {
	var (
		words []string
		word  strings.Builder
		open  bool // a word has begun, maybe an empty one
	)
	end := func() {
		if open {
			words = append(words, word.String())
			word.Reset()
			open = false
		}
	}
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case ' ', '\t':
			end()
		case ';':
			end()
			return words, nil
		case '\'', '"':
			n, err := quoted(s[i:], &word)
			if err != nil {
				return nil, err
			}
			i, open = i+n-1, true
		case '\\':
			if i++; i == len(s) {
				return nil, fmt.Errorf("command ends in a backslash")
			}
			word.WriteByte(s[i])
			open = true
		case '$', '`', '|', '&', '<', '>', '(', ')', '*', '?', '#', '~', '\n':
			if (c == '#' || c == '~') && open {
				word.WriteByte(c) // special at a word's beginning only
				continue
			}
			return nil, fmt.Errorf("command needs a shell: %q in %q", c, s[max(0, i-40):min(len(s), i+40)])
		default:
			word.WriteByte(c)
			open = true
		}
	}
	end()
	return words, nil
}

// quoted appends the text of the quotes that s begins with, and returns their length.
func quoted(s string, word *strings.Builder) (int, error) {
	q := s[0]
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == q:
			return i + 1, nil
		case q == '"' && (c == '$' || c == '`'):
			return 0, fmt.Errorf("command needs a shell: %q in quotes", c)
		case q == '"' && c == '\\' && i+1 < len(s) && strings.ContainsRune("\"\\$`", rune(s[i+1])):
			i++
			word.WriteByte(s[i])
		default:
			word.WriteByte(c)
		}
	}
	return 0, fmt.Errorf("command with quotes that do not end")
}

// invocation is a recorded compiler command without the words that name its outputs.
type invocation struct {
	Words []string // program first
	Input string   // the source file
}

// newInvocation checks a command's form: `cc ... -Wp,-MMD,<deps> ... -c -o <object> <source>`.
func newInvocation(words []string, object string) (invocation, error) {
	var inv invocation
	seen := false
	for i := 0; i < len(words); i++ {
		w := words[i]
		switch {
		case strings.HasPrefix(w, "-Wp,-MMD,") || strings.HasPrefix(w, "-Wp,-MD,"):
		case w == "-o" && i+1 < len(words):
			i++
			if words[i] != object {
				return inv, fmt.Errorf("command of %q writes %q", object, words[i])
			}
			seen = true
		default:
			inv.Words = append(inv.Words, w)
		}
	}
	if !seen || len(inv.Words) < 3 {
		return inv, fmt.Errorf("command of %q does not name its output by -o", object)
	}
	inv.Input = inv.Words[len(inv.Words)-1]
	if ext := filepath.Ext(inv.Input); ext != ".c" && ext != ".S" {
		return inv, fmt.Errorf("command of %q: the last word %q is no .c or .S file", object, inv.Input)
	}
	return inv, nil
}
