package archive

import (
	"fmt"

	"pault.ag/go/debian/version"
)

// Before is the newest of the kernels, which are in ascending order, whose version is lower than a Debian version. It
// is an error if there is none.
func Before(kernels []Kernel, fixed string) (Kernel, error) {
	limit, err := version.Parse(fixed)
	if err != nil {
		return Kernel{}, fmt.Errorf("version %q: %w", fixed, err)
	}
	for i := len(kernels) - 1; i >= 0; i-- {
		v, err := version.Parse(kernels[i].Version)
		if err != nil {
			return Kernel{}, fmt.Errorf("version %q: %w", kernels[i].Version, err)
		}
		if version.Compare(v, limit) < 0 {
			return kernels[i], nil
		}
	}
	return Kernel{}, fmt.Errorf("the archive holds no kernel older than %s any more: take a newer fix into testdata", fixed)
}
