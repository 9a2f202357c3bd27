package e2e

import (
	"strings"
	"testing"
)

// TestLiveVariables applies patches that take away the last code which writes a variable: the patched kernel reads what is in it,
// not what the compiler knows that it was in the beginning.
func TestLiveVariables(t *testing.T) {
	m := setup(t)
	u := m.create(t, patch("last-writer-removed"), patch("last-writer-of-local"))
	g := boot(t, m)
	const interval = "/sys/kernel/mm/ksm/stable_node_chains_prune_millisecs"
	g.sh("echo 777 > " + interval + "; echo 4 > /proc/sys/vm/drop_caches") // which silences it
	g.sh("dpkg -i " + g.copy(m.hostDeb, "splicectl.deb") + " " + g.copy(u.deb, "u.deb"))
	g.patches("installed", u.id)
	g.expect("live value", "cat "+interval, "777")
	g.expect("no writer", "echo 5 > "+interval+" 2>/dev/null || echo refused; cat "+interval, "refused\n777")
	g.sh("echo 1 > /proc/sys/vm/drop_caches")
	if log := g.sh("dmesg"); strings.Contains(log, "drop_caches: 1") || !strings.Contains(log, "drop_caches: 4") {
		t.Errorf("the static local began anew:\n%s", log)
	}
	g.sh("dpkg -r linux-livesplice-" + m.kernel.Release)
	g.patches("removed")
	g.expect("after", "echo 5 > "+interval+"; cat "+interval, "5")
	g.quiet("after the removal")
}
