package verify

import (
	"os/exec"
	"testing"
)

// TestWork: a process that ends between the shell's look into /proc and cat is no failure, a file of the kernel that cannot be
// read is one.
func TestWork(t *testing.T) {
	for unreadable, want := range map[string]bool{"*/stat*": true, "*/meminfo*": false, "none": true} {
		script := `cat() { case "$*" in ` + unreadable + `) return 1 ;; esac; }; ` + Work
		if out, err := exec.Command("sh", "-c", script).CombinedOutput(); (err == nil) != want {
			t.Errorf("%s: %v\n%s", unreadable, err, out)
		}
	}
}
