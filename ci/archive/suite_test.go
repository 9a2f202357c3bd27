package archive

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestSuites asks Debian's next releases, which the machine does not have configured, for their kernels and a root.
func TestSuites(t *testing.T) {
	for _, tc := range []struct {
		suite, series string // "": what it holds today
		split         bool
	}{{"trixie", "6.12", false}, {"sid", "", true}} {
		t.Run(tc.suite, func(t *testing.T) {
			a, err := OpenSuite("", tc.suite)
			if err != nil {
				t.Fatal(err)
			}
			k, err := a.Newest(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%s %s", k.Release, k.Version)
			if tc.series != "" && k.Series != tc.series || (k.binary.Name != "") != tc.split {
				t.Errorf("%+v: want series %s, split %v", k, tc.series, tc.split)
			}
			root, err := k.ToolchainRoot(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			compiler := strings.TrimSuffix(compilerRE.FindString(k.headers.Depends), "-for-host")
			for _, program := range []string{"x86_64-linux-gnu-" + compiler, "ld", "make", "pahole", "python3", "awk", "sh"} {
				if st, err := os.Stat(filepath.Join(root, "usr/bin", program)); err != nil || st.Mode().Perm()&0o111 == 0 {
					t.Errorf("root: %s: %v", program, err)
				}
			}
			if out, err := exec.Command("readlink", filepath.Join(root, "bin")).Output(); err != nil || string(out) != "usr/bin\n" {
				t.Errorf("root: /bin is %q, %v", out, err)
			}
		})
	}
}

func TestSuiteThatIsNone(t *testing.T) {
	if _, err := OpenSuite("", "sid main\ndeb x"); err == nil || err.Error() != `suite "sid main\ndeb x": not a name` {
		t.Errorf("error %v", err)
	}
}
