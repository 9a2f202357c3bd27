package livepatch

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
)

// Update is one update's folder on disk.
type Update struct {
	// ID and BuildID are the names of the folder and of the one that holds it.
	ID, BuildID string
	// Dir is the folder, below Host.Root.
	Dir string
	// Manifest is nil when Err is not.
	Manifest *Manifest
	// Err says why the folder is not trusted or not usable: a *Refused as a rule.
	Err error
}

func (u *Update) thing() string { return fmt.Sprintf("update %q", u.ID) }

// Updates returns what is on disk for the kernel buildID, cumulative updates
// before single ones, each by revision and ID. A folder that cannot be used is
// among them, with its reason. A UpdatesDir that itself cannot be trusted is an
// error; one that is not there is an empty answer.
func (h *Host) Updates(buildID string) ([]*Update, error) {
	dir := path.Join(UpdatesDir, buildID)
	names, err := h.listTrusted(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	var updates []*Update
	for _, name := range names {
		if !idPattern.MatchString(name) {
			continue // dpkg's temporary names, a lost+found
		}
		u := h.readUpdate(path.Join(dir, name))
		if u.Err == nil && u.Manifest.BuildID != buildID {
			u.Manifest, u.Err = nil, refuse(u.thing(), "its manifest is for build-id %s, its folder says %s", u.Manifest.BuildID, buildID)
		}
		u.BuildID = buildID
		updates = append(updates, u)
	}
	slices.SortStableFunc(updates, byRank)
	return updates, nil
}

// byRank puts cumulative updates before single ones, which are loaded on top,
// and each kind in the order of its revisions.
func byRank(a, b *Update) int {
	rank := func(u *Update) (kind, revision int) {
		switch {
		case u.Manifest == nil:
			return 2, 0
		case u.Manifest.Replace:
			return 0, u.Manifest.Revision
		}
		return 1, u.Manifest.Revision
	}
	ka, ra := rank(a)
	kb, rb := rank(b)
	return cmp.Or(cmp.Compare(ka, kb), cmp.Compare(ra, rb), cmp.Compare(a.ID, b.ID))
}

// otherBuilds returns the build-ids of the other kernels that have updates on
// disk.
func (h *Host) otherBuilds(running string) ([]string, error) {
	names, err := h.listTrusted(UpdatesDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	names = slices.DeleteFunc(names, func(n string) bool { return n == running || !buildIDPattern.MatchString(n) })
	slices.Sort(names)
	return names, nil
}

// readUpdate reads the manifest of the update in the folder dir below Root. The
// last component of dir must be the update's ID.
func (h *Host) readUpdate(dir string) *Update {
	u := &Update{ID: path.Base(dir), Dir: dir}
	data, err := h.readTrusted(path.Join(dir, ManifestName), maxManifest)
	if err != nil {
		u.Err = fmt.Errorf("%s: %w", u.thing(), err)
		return u
	}
	m, err := ParseManifest(data)
	switch {
	case err != nil:
		u.Err = refuse(u.thing(), "file %q: %v", h.path(dir, ManifestName), err)
	case m.ID != u.ID:
		u.Err = refuse(u.thing(), "its manifest says %q", m.ID)
	default:
		u.Manifest, u.BuildID = m, m.BuildID
	}
	return u
}

// image returns the bytes of the update's module after their hash has been
// found to be that of the manifest.
func (h *Host) image(u *Update) ([]byte, error) {
	file := path.Join(u.Dir, u.Manifest.ModuleFile)
	image, err := h.readTrusted(file, maxModule)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", u.thing(), err)
	}
	sum := sha256.Sum256(image)
	if got := hex.EncodeToString(sum[:]); got != u.Manifest.ModuleSHA256 {
		return nil, refuse(u.thing(), "file %q: its sha256 is %s, the manifest says %s", h.path(file), got, u.Manifest.ModuleSHA256)
	}
	return image, nil
}
