package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"livesplice/pipeline"
	"livesplice/pipeline/cache"
	"livesplice/pkgfmt"
)

// TestDebugInfo gives create a vmlinux with symbols as a second witness. Debian's has 858 MB, so objcopy makes one of the
// shipped image: with the symbols where matching found them, with one of them elsewhere, and with one missing.
func TestDebugInfo(t *testing.T) {
	m := setup(t)
	u := m.create(t, patch("proc-version-spliced"))
	var report pipeline.Report
	data, err := os.ReadFile(filepath.Join(u.folder, "report.json"))
	if err == nil {
		err = json.Unmarshal(data, &report)
	}
	if err != nil {
		t.Fatal(err)
	}
	symbols := map[string]string{}
	for _, unit := range report.Units {
		for _, f := range unit.Replaced {
			symbols[f.Name] = f.Address.String()
		}
		for _, s := range unit.Symbols {
			symbols[s.Name] = s.Address.String()
		}
	}
	if len(symbols) < 4 {
		t.Fatalf("the report names %d symbols", len(symbols))
	}
	image := shippedImage(t, m)
	for _, c := range []struct {
		name   string
		change func(map[string]string)
		code   int
		want   string
	}{
		{"all there", func(map[string]string) {}, 0, "places found in the debug information too"},
		{"one elsewhere", func(s map[string]string) { s["seq_printf"] = "0xffffffff81000000" }, 5, "seq_printf at 0x"},
		{"one missing", func(s map[string]string) { delete(s, "version_proc_show") }, 5, "version_proc_show at 0x"},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "vmlinux")
			var args []string
			changed := map[string]string{}
			for name, addr := range symbols {
				changed[name] = addr
			}
			c.change(changed)
			for name, addr := range changed {
				args = append(args, "--add-symbol", name+"="+objcopyValue(t, addr))
			}
			if out, err := exec.Command("objcopy", append(args, image, file)...).CombinedOutput(); err != nil {
				t.Fatalf("objcopy (Debian package binutils): %v\n%s", err, out)
			}
			_, stderr, code := m.run(t, t.TempDir(), "--debuginfo", file, patch("proc-version-spliced"))
			if code != c.code || !strings.Contains(stderr, c.want) {
				t.Errorf("exit code %d, want %d and %q:\n%s", code, c.code, c.want, stderr)
			}
		})
	}
	_, stderr, code := m.run(t, t.TempDir(), "--debuginfo", patch("proc-version-spliced"), patch("proc-version-spliced"))
	if code != 2 {
		t.Errorf("a text file as debug information: exit code %d, want 2:\n%s", code, stderr)
	}
}

// objcopyValue says an address so that objcopy takes it: as a distance from the start of .text, since absolute values
// beyond the signed 64-bit numbers are cut; per-CPU offsets are small and absolute.
func objcopyValue(t *testing.T, addr string) string {
	t.Helper()
	const text = 0xffffffff81000000
	n, err := strconv.ParseUint(addr, 0, 64)
	if err != nil {
		t.Fatal(err)
	}
	if n < text {
		return addr
	}
	return fmt.Sprintf(".text:%#x", n-text)
}

// shippedImage is the kernel's vmlinux, without symbols.
func shippedImage(t *testing.T, m *material) string {
	t.Helper()
	c, err := cache.Open("")
	if err != nil {
		t.Fatal(err)
	}
	k, err := pkgfmt.OpenImage(t.Context(), c, []string{m.files.Image})
	if err != nil {
		t.Fatal(err)
	}
	return k.Vmlinux
}
