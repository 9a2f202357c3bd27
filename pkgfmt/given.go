package pkgfmt

import (
	"cmp"
	"path/filepath"
	"slices"
	"strings"
)

// Given is a file that a kernel was gathered from.
type Given struct {
	Name    string // of a package its file's name, without a folder; of an unpacked one the piece's path in it
	Version string // of a package; "" for a piece of an unpacked one
	SHA256  string // hex
}

// Given names the files that the kernel was gathered from, by name: the packages, or of folders with unpacked ones the
// image, configuration and Module.symvers.
func (k *Kernel) Given() ([]Given, error) {
	var out []Given
	for _, t := range k.trees {
		if p := t.facts.Package; p != nil {
			out = append(out, Given{Name: filepath.Base(t.origin), Version: p.Version, SHA256: t.sum})
			continue
		}
		for _, file := range []string{k.Vmlinuz, k.Config, k.Symvers} {
			rel, ok := strings.CutPrefix(file, t.root+"/")
			if !ok {
				continue
			}
			sum, err := k.store.HashFile(file)
			if err != nil {
				return nil, err
			}
			out = append(out, Given{Name: rel, SHA256: sum})
		}
	}
	slices.SortFunc(out, func(a, b Given) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.SHA256, b.SHA256))
	})
	return out, nil
}
