package livepatch

import (
	"debug/elf"
	"fmt"
	"path"
)

// buildIDSection holds the build-id of a module. kbuild links each module with
// one, and the kernel shows it below /sys/module/<name>/notes (since 2.6.23).
const buildIDSection = ".note.gnu.build-id"

// loadedOther returns a *Refused when the module that is loaded under the name
// of u's is another one than that on disk, by their build-ids: the kernel then
// runs something that nobody has on disk. It returns nil when either has no
// build-id, since nothing can be said then.
func (h *Host) loadedOther(u *Update) error {
	loaded, err := h.ModuleBuildID(u.Manifest.Module)
	if err != nil {
		return nil
	}
	onDisk, err := h.fileBuildID(path.Join(u.Dir, u.Manifest.ModuleFile))
	if err != nil || loaded == onDisk {
		return nil
	}
	return refuse(u.thing(), "another module of its name is loaded: build-id %s, the one on disk has %s; the kernel goes on with the one that is loaded; to exchange them: splicectl undo %s, then splicectl apply %s; a new revision has an ID of its own and needs neither", loaded, onDisk, u.ID, u.ID)
}

// fileBuildID returns the build-id of the module in the file rel below Root.
func (h *Host) fileBuildID(rel string) (id string, err error) {
	f, err := h.openTrusted(rel, false)
	if err != nil {
		return "", err
	}
	defer f.Close()
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("file %q: damaged: %v", f.Name(), p)
		}
	}()
	e, err := elf.NewFile(f)
	if err != nil {
		return "", fmt.Errorf("file %q: %w", f.Name(), err)
	}
	s := e.Section(buildIDSection)
	if s == nil || s.Size > maxAttr {
		return "", fmt.Errorf("file %q: no usable section %q", f.Name(), buildIDSection)
	}
	notes, err := s.Data()
	if err != nil {
		return "", fmt.Errorf("file %q: section %q: %w", f.Name(), buildIDSection, err)
	}
	if id, err = ParseBuildID(notes); err != nil {
		return "", fmt.Errorf("file %q: %w", f.Name(), err)
	}
	return id, nil
}
