package pipeline

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestRefusalsAreDocumented holds every code in the source against docs/refusals.md.
func TestRefusalsAreDocumented(t *testing.T) {
	doc, err := os.ReadFile("../docs/refusals.md")
	if err != nil {
		t.Fatal(err)
	}
	code := regexp.MustCompile(`\bCode\s*(?:=|:)\s*"([a-z-]+)"`)
	found := map[string]bool{}
	for _, pattern := range []string{"*.go", "../kmod/*/*.go", "../cmd/livesplice/*.go"} {
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
	if len(found) < 18 {
		t.Errorf("only %d codes found in the source", len(found))
	}
	for c := range found {
		if !strings.Contains(string(doc), "| `"+c+"` |") {
			t.Errorf("docs/refusals.md does not describe %s", c)
		}
	}
}
