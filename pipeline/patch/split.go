package patch

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// chunk is the diff of one file, cut out of a patch file.
type chunk struct {
	text  string
	line  int   // 1-based line of the patch file where it begins
	git   bool  // begins with "diff --git"
	hunks []int // the line of each "@@"
}

var hunkRE = regexp.MustCompile(`^@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@`)

// split cuts a patch file into the diffs of single files. Text before, between and after them (mail headers, commit
// messages, "Index:" lines, signatures) is dropped, by the rules of git apply: a file header is one only before a hunk, and
// "diff --git" only before what it announces. Text that looks like the rest of a hunk is an error, since dropping it would
// silently lose a part of the change.
//
// Source: apply.c, find_header, git 2.39.
func split(name string, data []byte) ([]chunk, error) {
	lines := strings.SplitAfter(string(data), "\n")
	if n := len(lines); n > 0 && lines[n-1] == "" {
		lines = lines[:n-1]
	}
	var (
		chunks  []chunk
		cur     *chunk
		begin   int  // index in lines where cur began
		inGit   bool // cur is a git header that has not seen its "---" yet
		hunkEnd = -1 // index of the line after the last hunk
	)
	flush := func(end int) {
		if cur != nil && cur.git && end == begin+1 {
			cur = nil // a file of which git says nothing
		}
		if cur != nil {
			cur.text = strings.Join(lines[begin:end], "")
			chunks = append(chunks, *cur)
			cur = nil
		}
	}
	for i := 0; i < len(lines); {
		l := lines[i]
		switch {
		case strings.HasPrefix(l, "diff --git "):
			flush(i)
			cur, begin, inGit = &chunk{line: i + 1, git: true}, i, true
		case inGit && binary(l):
			inGit = false // its data follow
		case inGit && !gitHeader(l):
			inGit = false
			flush(i)
			continue
		case strings.HasPrefix(l, "--- ") && i+1 < len(lines) && strings.HasPrefix(lines[i+1], "+++ "):
			if i != hunkEnd && !inGit && prose(lines[i+2:]) {
				flush(i) // a hunk that follows is not one of the file before
				break
			}
			if !inGit {
				flush(i)
				cur, begin = &chunk{line: i + 1}, i
			}
			inGit = false
			if i+2 >= len(lines) || !hunkRE.MatchString(lines[i+2]) {
				return nil, &Error{Patch: name, Line: i + 1, Reason: "file header without a hunk after it"}
			}
			i++ // the "+++" line
		case strings.HasPrefix(l, "@@ "):
			m := hunkRE.FindStringSubmatch(l)
			if m == nil && cur == nil {
				break
			}
			if m == nil {
				return nil, &Error{Patch: name, Line: i + 1, Reason: "hunk header that is not `@@ -L,N +L,N @@`"}
			}
			if cur == nil {
				return nil, &Error{Patch: name, Line: i + 1, Reason: "hunk without a file header (`---`, `+++`) before it"}
			}
			cur.hunks = append(cur.hunks, i+1)
			end, err := skipHunk(name, lines, i, m[1], m[2])
			if err != nil {
				return nil, err
			}
			i, hunkEnd = end, end
			continue
		case i == hunkEnd && isSignature(l):
			flush(i)
		case i == hunkEnd && strings.ContainsRune("+- ", rune(l[0])):
			return nil, &Error{Patch: name, Line: i + 1, Reason: "hunk is longer than its header says"}
		}
		i++
	}
	flush(len(lines))
	return chunks, nil
}

// prose says whether what follows "--- " and "+++ " shows that these are words of a message, and no file header. A hunk does
// not, nor what is meant as one, nor the end of a file that was cut off.
func prose(rest []string) bool {
	return len(rest) > 0 && !strings.HasPrefix(rest[0], "@@")
}

// gitHeaders are the lines that "diff --git" may announce.
//
// Source: apply.c, parse_git_diff_header and parse_chunk, git 2.39.
var gitHeaders = []string{"--- ", "+++ ", "@@ -", "old mode ", "new mode ", "deleted file mode ", "new file mode ", "copy from ", "copy to ", "rename old ", "rename new ",
	"rename from ", "rename to ", "similarity index ", "dissimilarity index ", "index "}

func gitHeader(l string) bool {
	return slices.ContainsFunc(gitHeaders, func(h string) bool { return strings.HasPrefix(l, h) })
}

// binary says whether a line stands for content that is no text.
func binary(l string) bool {
	return strings.HasPrefix(l, "GIT binary patch") || strings.HasPrefix(l, "Binary files ") || strings.HasPrefix(l, "Files ")
}

// isSignature knows the "-- " line that git format-patch and mail programs put at the end.
func isSignature(l string) bool {
	return strings.TrimRight(l, "\r\n") == "-- " || strings.TrimRight(l, "\r\n") == "--"
}

// skipHunk returns the index of the line after the hunk whose header is lines[i], by the line counts of the header.
func skipHunk(name string, lines []string, i int, oldCount, newCount string) (int, error) {
	header := i
	left := func(s string) int {
		if s == "" {
			return 1
		}
		n, err := strconv.Atoi(s)
		if err != nil {
			return -1
		}
		return n
	}
	o, n := left(oldCount), left(newCount)
	if o < 0 || n < 0 {
		return 0, &Error{Patch: name, Line: header + 1, Reason: "hunk header with a line count out of range"}
	}
	for i++; i < len(lines) && (o > 0 || n > 0 || strings.HasPrefix(lines[i], `\`)); i++ {
		switch lines[i][0] {
		case ' ', '\n':
			o, n = o-1, n-1
		case '-':
			o--
		case '+':
			n--
		case '\\':
		default:
			return 0, &Error{Patch: name, Line: i + 1, Reason: "hunk is shorter than its header says"}
		}
		if o < 0 || n < 0 {
			return 0, &Error{Patch: name, Line: i + 1, Reason: "hunk does not hold the lines that its header says"}
		}
	}
	if o > 0 || n > 0 {
		return 0, &Error{Patch: name, Line: header + 1, Reason: "hunk is shorter than its header says: the patch is cut off"}
	}
	return i, nil
}
