package review

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// PatchText is a patch file, cut at its hunks.
type PatchText struct {
	Name, SHA256   string
	Prose          string // what stands in front of the first file
	Files          []FileText
	Added, Removed int
	Left           int // lines left out to bound the page
}

// FileText is one file of a patch.
type FileText struct {
	Name  string // of the new version, without its first component; of the old one for a file that is deleted
	Lines []Line
}

// Line is one line of a diff. Kind is "add", "del", "ctx", "hunk", or "head" for what is none of them.
type Line struct {
	Kind     string
	Old, New int // line numbers; 0 where there is none
	Text     string
}

// Mark is the line's sign, for those who do not see its colour.
func (l Line) Mark() string {
	switch l.Kind {
	case "add":
		return "+"
	case "del":
		return "−"
	}
	return ""
}

var hunkHeader = regexp.MustCompile(`^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@`)

// readPatch cuts a patch that is known to apply. Lines count as part of a hunk only as far as its header says, so that
// text between files is never taken for a change.
func readPatch(name, sum string, data []byte) PatchText {
	p := PatchText{Name: name, SHA256: sum}
	var prose []string
	var file *FileText
	oldAt, newAt, oldLeft, newLeft := 0, 0, 0, 0
	for text := range strings.Lines(strings.ToValidUTF8(string(data), "\uFFFD")) {
		text = strings.TrimRight(text, "\r\n")
		if oldLeft > 0 || newLeft > 0 {
			l := Line{Kind: "ctx", Text: strings.TrimPrefix(text, " ")}
			switch {
			case strings.HasPrefix(text, "+"):
				l = Line{Kind: "add", New: newAt, Text: text[1:]}
				newAt, newLeft, p.Added = newAt+1, newLeft-1, p.Added+1
			case strings.HasPrefix(text, "-"):
				l = Line{Kind: "del", Old: oldAt, Text: text[1:]}
				oldAt, oldLeft, p.Removed = oldAt+1, oldLeft-1, p.Removed+1
			case strings.HasPrefix(text, `\`):
				l.Kind = "head"
			default:
				l.Old, l.New = oldAt, newAt
				oldAt, newAt, oldLeft, newLeft = oldAt+1, newAt+1, oldLeft-1, newLeft-1
			}
			file.Lines = append(file.Lines, l)
			continue
		}
		m := hunkHeader.FindStringSubmatch(text)
		switch {
		case m != nil && file != nil:
			oldAt, oldLeft, newAt, newLeft = number(m[1], 0), number(m[2], 1), number(m[3], 0), number(m[4], 1)
			file.Lines = append(file.Lines, Line{Kind: "hunk", Text: text})
		case strings.HasPrefix(text, "--- ") && (file == nil || hasHunk(file)), strings.HasPrefix(text, "diff --git "):
			p.Files = append(p.Files, FileText{Name: pathOf(text)})
			file = &p.Files[len(p.Files)-1]
			file.Lines = append(file.Lines, Line{Kind: "head", Text: text})
		case file == nil:
			prose = append(prose, text)
		default:
			if path := pathOf(text); strings.HasPrefix(text, "+++ ") && path != "" || file.Name == "" && path != "" {
				file.Name = path
			}
			file.Lines = append(file.Lines, Line{Kind: "head", Text: text})
		}
	}
	p.Prose = strings.TrimSpace(strings.Join(prose, "\n"))
	return p
}

func hasHunk(f *FileText) bool {
	for _, l := range f.Lines {
		if l.Kind == "hunk" {
			return true
		}
	}
	return false
}

func number(s string, otherwise int) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return otherwise
	}
	return n
}

// pathOf is the path in "--- a/path", "+++ b/path" or "diff --git a/path b/path", without its first component; "" for
// /dev/null and for any other line.
func pathOf(line string) string {
	var path string
	switch {
	case strings.HasPrefix(line, "diff --git "):
		path = line[strings.LastIndex(line, " ")+1:]
	case strings.HasPrefix(line, "--- "), strings.HasPrefix(line, "+++ "):
		path, _, _ = strings.Cut(line[4:], "\t")
	}
	if _, rest, ok := strings.Cut(path, "/"); ok && path != "/dev/null" {
		return rest
	}
	return ""
}

// visible shows the characters that would change how the text around them reads, or that do not show at all: an editor
// and a reviewer must see the same. Tabs and line ends stay.
//
// Source: CVE-2021-42574, and Unicode 15, table "Bidirectional formatting characters".
func visible(s string) string {
	hidden := func(r rune) bool {
		switch {
		case r == '\t' || r == '\n':
			return false
		case r < 0x20, r >= 0x7f && r < 0xa0, r == 0xad, r >= 0x200b && r <= 0x200f, r >= 0x2028 && r <= 0x202e,
			r >= 0x2060 && r <= 0x206f, r == 0x61c, r == 0xfeff, r >= 0xe0000 && r <= 0xe007f:
			return true
		}
		return false
	}
	if strings.IndexFunc(s, hidden) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if hidden(r) {
			fmt.Fprintf(&b, "⟨U+%04X⟩", r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}
