package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestHeldText undoes updates that gave the kernel a text for as long as it runs. One that the kernel has itself is its own
// copy, and the module goes; with a new one the module stays. In both cases the text is there afterwards.
func TestHeldText(t *testing.T) {
	m := setup(t)
	shipped, fresh := m.create(t, patch("held-text-shipped")), m.create(t, patch("held-text-new"))
	for folder, want := range map[string]string{
		shipped.folder: `"allowed": true`,
		fresh.folder:   `"subject": "\"spliced-region\""`,
	} {
		data, err := os.ReadFile(filepath.Join(folder, "manifest.json"))
		if err != nil || !strings.Contains(string(data), want) {
			t.Errorf("the manifest of %s has no %s (%v):\n%s", folder, want, err, data)
		}
	}
	g := boot(t, m)
	g.sh("dpkg -i " + g.copy(m.hostDeb, "splicectl.deb"))
	remove := "dpkg -r linux-livesplice-" + m.kernel.Release

	g.sh("dpkg -i " + g.copy(shipped.deb, "shipped.deb") + "; cat /proc/version")
	g.expect("a text of the kernel", "grep 0710 /proc/ioports", "  0710-0710 : version")
	g.sh(remove)
	g.modules("nothing holds the update")
	g.expect("a text of the kernel, after undo", "grep 0710 /proc/ioports", "  0710-0710 : version")

	g.sh("dpkg -i " + g.copy(fresh.deb, "fresh.deb") + "; cat /proc/version")
	g.expect("a new text", "grep 0720 /proc/ioports", "  0720-0720 : spliced-region")
	g.sh(remove)
	g.patches("removed")
	g.modules("the text is held", fresh.id)
	g.expect("a new text, after undo", "grep 0720 /proc/ioports", "  0720-0720 : spliced-region")
	g.quiet("at the end")
}
