package pkgfmt

import (
	"fmt"
	"os"
)

// DefaultMaintainer stands in packages when the environment names none.
const DefaultMaintainer = "livesplice <livesplice@example.org>"

// Maintainer returns who builds packages, as "Name <mail@host>", by the
// variables DEBFULLNAME and DEBEMAIL; DefaultMaintainer unless both are set. It
// does not check them. Source: debchange(1), devscripts 2.23.
func Maintainer() string {
	name, mail := os.Getenv("DEBFULLNAME"), os.Getenv("DEBEMAIL")
	if name == "" || mail == "" {
		return DefaultMaintainer
	}
	return fmt.Sprintf("%s <%s>", name, mail)
}
