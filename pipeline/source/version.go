package source

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"livesplice/pkgfmt"
)

// Version is the kernel's version as the top Makefile has it, before a distribution's own suffix.
type Version struct {
	Version, Patchlevel, Sublevel int
	Extra                         string // EXTRAVERSION: "-rc3", mostly empty
}

// String is the KERNELVERSION of kbuild: "6.1.190", "7.2.0-rc3".
func (v Version) String() string {
	return fmt.Sprintf("%d.%d.%d%s", v.Version, v.Patchlevel, v.Sublevel, v.Extra)
}

var versionRE = regexp.MustCompile(`^(VERSION|PATCHLEVEL|SUBLEVEL|EXTRAVERSION)\s*=\s*(\S*)\s*$`)

// ReadVersion reads the version from the top Makefile in dir, which may also be that of a package of headers.
// Anything else than a kernel's Makefile is a *pkgfmt.InputError.
func ReadVersion(dir string) (Version, error) {
	path := filepath.Join(dir, "Makefile")
	fail := func(got string, err error) (Version, error) {
		return Version{}, &pkgfmt.InputError{Path: path, Want: "the Makefile of a kernel, with VERSION, PATCHLEVEL and SUBLEVEL", Got: got, Err: err}
	}
	f, err := os.Open(path)
	if err != nil {
		return fail("", err)
	}
	defer f.Close()
	values := map[string]string{}
	in := bufio.NewScanner(f)
	// The four stand in the first lines; a file without them need not be read to its end.
	for n := 0; n < 50 && in.Scan(); n++ {
		if m := versionRE.FindStringSubmatch(in.Text()); m != nil {
			if _, seen := values[m[1]]; !seen {
				values[m[1]] = m[2]
			}
		}
	}
	if err := in.Err(); err != nil {
		return fail("", err)
	}
	v := Version{Extra: values["EXTRAVERSION"]}
	for key, field := range map[string]*int{"VERSION": &v.Version, "PATCHLEVEL": &v.Patchlevel, "SUBLEVEL": &v.Sublevel} {
		n, err := strconv.Atoi(values[key])
		if err != nil || n < 0 {
			return fail("a file without "+key, nil)
		}
		*field = n
	}
	if strings.ContainsAny(v.Extra, "$()") {
		return fail("a file whose EXTRAVERSION is computed", nil)
	}
	return v, nil
}
