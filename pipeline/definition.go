package pipeline

import (
	"bytes"
	"fmt"
)

// withDefinition gives the text of a source file with the body of one struct, union or enum taken from an older version of
// the file. The lines are those on which the definitions begin, from 1 on. What follows keeps its line numbers, which
// code can depend on. ok is false where no body in braces begins there.
func withDefinition(older, text []byte, olderLine, line int64) (out []byte, ok bool) {
	from, to, ok := body(older, olderLine)
	if !ok {
		return nil, false
	}
	at, end, ok := body(text, line)
	if !ok {
		return nil, false
	}
	out = append(out, text[:at]...)
	out = append(out, older[from:to]...)
	out = fmt.Appendf(out, "\n#line %d\n", 1+bytes.Count(text[:end], []byte("\n")))
	return append(out, text[end:]...), true
}

// body gives the place of the opening and of the closing brace of the definition that begins on a line. A macro's is
// none: it ends with its line.
func body(text []byte, line int64) (open, end int, ok bool) {
	at := 0
	for ; line > 1; line-- {
		n := bytes.IndexByte(text[at:], '\n')
		if n < 0 {
			return 0, 0, false
		}
		at += n + 1
	}
	if first := bytes.TrimLeft(text[at:], " \t"); len(first) > 0 && first[0] == '#' {
		return 0, 0, false
	}
	depth := 0
	for i := at; i < len(text); i++ {
		switch c := text[i]; {
		case c == '{':
			if depth == 0 {
				open = i
			}
			depth++
		case c == '}' && depth == 1:
			return open, i, !bytes.Contains(text[open:i], []byte("\\\n"))
		case c == '}':
			if depth--; depth < 0 {
				return 0, 0, false
			}
		case c == ';' && depth == 0:
			return 0, 0, false
		default:
			i += skipped(text[i:])
		}
	}
	return 0, 0, false
}

// skipped is how many bytes behind the first belong to the comment, string or character that begins with it.
func skipped(text []byte) int {
	end := func(from int, mark string) int {
		if n := bytes.Index(text[from:], []byte(mark)); n >= 0 {
			return from + n + len(mark) - 1
		}
		return len(text) - 1
	}
	switch {
	case bytes.HasPrefix(text, []byte("/*")):
		return end(2, "*/")
	case bytes.HasPrefix(text, []byte("//")):
		return end(2, "\n")
	case text[0] == '"' || text[0] == '\'':
		for i := 1; i < len(text); i++ {
			if text[i] == '\\' {
				i++
			} else if text[i] == text[0] {
				return i
			}
		}
	}
	return 0
}
