package pkgfmt

import (
	"bytes"
	"os"

	"livesplice/kconfig"
)

// findHeaders finds the headers that are of the image's build. None at all is no error.
func (k *Kernel) findHeaders(image *piece) (*piece, error) {
	var found, other *piece
	for _, t := range k.trees {
		for _, h := range t.headers {
			if h.release == k.Release {
				found = &h
			} else {
				other = &h
			}
		}
	}
	if found == nil {
		if other == nil {
			return nil, nil
		}
		return nil, k.mismatch(other, image, "headers of release "+other.release, "release "+k.Release)
	}
	// One release can be built twice. Linux has the version in utsversion.h since 6.0, in compile.h before.
	if found.version != "" && found.version != k.Version {
		return nil, k.mismatch(found, image, "headers of the build "+found.version, k.Version)
	}
	if err := k.sameVersion(found, image); err != nil {
		return nil, err
	}
	k.Headers = found.path
	if symvers := found.path + "/Module.symvers"; isFile(symvers) {
		k.Symvers = symvers
	} else {
		return nil, &InputError{Path: found.origin(), Want: "whole kernel headers", Got: "no Module.symvers in it"}
	}
	for _, t := range k.trees {
		for _, c := range t.common {
			if err := k.sameVersion(&c, image); err != nil {
				return nil, err
			}
			k.HeadersCommon = c.path
		}
	}
	return found, nil
}

// sameVersion compares the versions of two packages of one kernel.
func (k *Kernel) sameVersion(p, image *piece) error {
	a, b := p.tree.facts.Package, image.tree.facts.Package
	if a == nil || b == nil || a.Version == b.Version {
		return nil
	}
	return k.mismatch(p, image, a.Name+" has version "+a.Version, "version "+b.Version)
}

func (k *Kernel) mismatch(p, image *piece, got, want string) error {
	return &MismatchError{Path: p.origin(), Got: got, Want: want + " as of " + image.origin()}
}

// findConfig takes the config of the headers, which is the one kbuild wants, before that of /boot.
func (k *Kernel) findConfig(paths []string, image, headers *piece) error {
	var config *piece
	for _, t := range k.trees {
		for _, c := range t.config {
			if c.release != k.Release {
				return k.mismatch(&c, image, "config of release "+c.release, "release "+k.Release)
			}
			config = &c
		}
	}
	if headers != nil && isFile(headers.path+"/.config") {
		config = &piece{tree: headers.tree, path: headers.path + "/.config"}
	}
	if config == nil {
		return missing(paths, k.trees, "config of the kernel", "linux-headers-"+k.Release, "kernel-devel-"+k.Release)
	}
	b, err := os.ReadFile(config.path)
	if err != nil {
		return &InputError{Path: k.Origin(config.path), Want: "a kernel's .config", Err: err}
	}
	cfg, err := kconfig.Parse(b)
	if err != nil {
		return &InputError{Path: k.Origin(config.path), Want: "a kernel's .config", Err: err}
	}
	if !bytes.HasSuffix(b, []byte("\n")) { // kconfig ends every line
		return &InputError{Path: k.Origin(config.path), Want: "a kernel's .config", Got: "cut off: its last line has no end"}
	}
	if cc, ok := cfg.Lookup("CC_VERSION_TEXT"); ok && cc != k.Compiler { // since Linux 4.18
		return k.mismatch(config, image, "config for the compiler "+cc, "that for "+k.Compiler)
	}
	k.Config = config.path
	return nil
}

// checkModules compares the release of packages that hold modules.
func (k *Kernel) checkModules(image *piece) error {
	for _, t := range k.trees {
		for _, release := range t.facts.Modules {
			if t.facts.Package != nil && release != k.Release {
				return k.mismatch(&piece{tree: t}, image, "modules of release "+release, "release "+k.Release)
			}
		}
	}
	return nil
}

func isFile(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.Mode().IsRegular()
}
