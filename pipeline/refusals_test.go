package pipeline

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestCodesAreDocumented holds every code in the source against docs/refusals.md: refusals in its first list, warnings in
// the list under "Warnings", and nothing else in either.
func TestCodesAreDocumented(t *testing.T) {
	doc, err := os.ReadFile("../docs/refusals.md")
	if err != nil {
		t.Fatal(err)
	}
	refusals, warnings, ok := strings.Cut(string(doc), "\n## Warnings\n")
	if !ok {
		t.Fatal("docs/refusals.md has no list of warnings")
	}
	const finding = "../kmod/finding/*.go"
	sameCodes(t, "refusal", listed(refusals), declared(t, 18, "*.go", "../kmod/diff/*.go", "../kmod/link/*.go", "../cmd/livesplice/*.go"))
	sameCodes(t, "warning", listed(warnings), declared(t, 4, finding))
	if all := declared(t, 22, "*.go", "../kmod/*/*.go", "../cmd/livesplice/*.go"); len(all) != len(listed(string(doc))) {
		t.Errorf("%d codes in the source, %d in docs/refusals.md", len(all), len(listed(string(doc))))
	}
}

// listed are the codes that a table has in its first column.
func listed(text string) map[string]bool {
	codes := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\|").FindAllStringSubmatch(text, -1) {
		codes[m[1]] = true
	}
	return codes
}

// declared are the codes in the source files that match, which are at least so many.
func declared(t *testing.T, least int, patterns ...string) map[string]bool {
	t.Helper()
	code := regexp.MustCompile(`\bCode\s*(?:=|:)\s*"([a-z-]+)"`)
	found := map[string]bool{}
	for _, pattern := range patterns {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			if strings.HasSuffix(f, "_test.go") {
				continue
			}
			src, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range code.FindAllStringSubmatch(string(src), -1) {
				found[m[1]] = true
			}
		}
	}
	if len(found) < least {
		t.Errorf("%v: only %d codes found, expected at least %d", patterns, len(found), least)
	}
	return found
}

func sameCodes(t *testing.T, kind string, documented, declared map[string]bool) {
	t.Helper()
	for c := range declared {
		if !documented[c] {
			t.Errorf("docs/refusals.md does not describe %s %s", kind, c)
		}
	}
	for c := range documented {
		if !declared[c] {
			t.Errorf("docs/refusals.md describes %s %s, which nothing gives", kind, c)
		}
	}
}
