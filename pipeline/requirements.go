package pipeline

import (
	"fmt"
	"os"

	"livesplice/kconfig"
	"livesplice/kmod/diff"
	"livesplice/pkgfmt"
)

// Requirements gives what a kernel's configuration lacks or a user should know of it, and, for those of it that rule
// out live updates, the refusals.
func Requirements(k *pkgfmt.Kernel) ([]kconfig.Unmet, diff.Refusals, error) {
	data, err := os.ReadFile(k.Config)
	if err != nil {
		return nil, nil, err
	}
	cfg, err := kconfig.Parse(data)
	if err != nil {
		return nil, nil, &pkgfmt.InputError{Path: k.Origin(k.Config), Want: "a kernel's .config", Err: err}
	}
	release, err := kconfig.ParseRelease(k.Release, k.Banner)
	if err != nil {
		return nil, nil, err
	}
	unmet := kconfig.Requirements(cfg, release)
	var refused diff.Refusals
	for _, u := range unmet {
		if u.Level == kconfig.Refused {
			refused = append(refused, diff.Refusal{Code: codeConfigRq, Unit: k.Release, Subject: u.Option,
				Reason: fmt.Sprintf("%s is needed, the kernel has %s: %s", u.Want, u.Have, u.Why), Remedy: u.Remedy})
		}
	}
	return unmet, refused, nil
}
