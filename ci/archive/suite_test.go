package archive

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSuites asks Debian's next releases, which the machine does not have configured, for their kernels and a root.
func TestSuites(t *testing.T) {
	for _, tc := range []struct {
		suite, series string // "": what it holds today
		split         bool
		bin           string // where /bin leads; "" for a folder of its own, as before base-files made it a link
	}{{"bullseye", "5.10", false, ""}, {"trixie", "6.12", false, "usr/bin"}, {"sid", "", true, "usr/bin"}} {
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
				st, err := os.Stat(filepath.Join(root, "usr/bin", program))
				if err != nil && tc.bin == "" {
					st, err = os.Stat(filepath.Join(root, "bin", program))
				}
				if err != nil || st.Mode().Perm()&0o111 == 0 {
					t.Errorf("root: %s: %v", program, err)
				}
			}
			if to, _ := os.Readlink(filepath.Join(root, "bin")); to != tc.bin {
				t.Errorf("root: /bin leads to %q, want %q", to, tc.bin)
			}
		})
	}
}

func TestSuiteThatIsNone(t *testing.T) {
	if _, err := OpenSuite("", "sid main\ndeb x"); err == nil || err.Error() != `suite "sid main\ndeb x": not a name` {
		t.Errorf("error %v", err)
	}
}
