package unit

import (
	"strings"
	"testing"
	"time"
)

// TestLongName has names that no compiler makes; none takes long, or a deep stack.
func TestLongName(t *testing.T) {
	for _, part := range []string{".cold", ".isra.0", ".0", ".constprop.1.cold"} {
		name := "f" + strings.Repeat(part, 4<<20)
		start := time.Now()
		if got := BaseName(name); got != name {
			t.Errorf("%s: got %d bytes of %d", part, len(got), len(name))
		}
		if took := time.Since(start); took > 30*time.Second {
			t.Errorf("%s: took %v", part, took)
		}
	}
	if got := BaseName("f" + strings.Repeat(".cold", 100)); got != "f"+strings.Repeat(".cold", 100) {
		t.Errorf("got %q", got)
	}
}
