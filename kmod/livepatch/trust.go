package livepatch

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// maxModule is the largest module read, in bytes.
const maxModule = 256 << 20

// openTrusted opens the regular file or folder rel below Root for reading,
// after it has made sure that nobody but the owner can have put it there: every
// component of the path, Root included, belongs to Owner, is writable by nobody
// else, and is no symbolic link. Each component is opened from the descriptor
// of the one before it and judged by its own descriptor, so nothing can be
// exchanged between the look and the use.
func (h *Host) openTrusted(rel string, folder bool) (*os.File, error) {
	const flags = unix.O_RDONLY | unix.O_CLOEXEC | unix.O_NOFOLLOW | unix.O_NONBLOCK
	at, err := unix.Open(h.Root, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: h.Root, Err: err}
	}
	path := strings.TrimSuffix(h.Root, "/")
	if err := h.judge(at, h.Root, true); err != nil {
		unix.Close(at)
		return nil, err
	}
	parts := strings.FieldsFunc(rel, func(r rune) bool { return r == '/' })
	for i, part := range parts {
		path += "/" + part
		if part == "." || part == ".." {
			unix.Close(at)
			return nil, refuse(fmt.Sprintf("file %q", path), "the path holds %q", part)
		}
		next, err := unix.Openat(at, part, flags, 0)
		unix.Close(at)
		if errors.Is(err, unix.ELOOP) {
			return nil, refuse(fmt.Sprintf("file %q", path), "it is a symbolic link")
		}
		if err != nil {
			return nil, &os.PathError{Op: "open", Path: path, Err: err}
		}
		if err := h.judge(next, path, folder || i < len(parts)-1); err != nil {
			unix.Close(next)
			return nil, err
		}
		at = next
	}
	return os.NewFile(uintptr(at), path), nil
}

// judge refuses an open file that is of the wrong kind or that others than
// Owner own or may write.
func (h *Host) judge(fd int, path string, folder bool) error {
	thing := fmt.Sprintf("file %q", path)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return &os.PathError{Op: "stat", Path: path, Err: err}
	}
	want, name := uint32(unix.S_IFREG), "a regular file"
	if folder {
		want, name = unix.S_IFDIR, "a folder"
	}
	switch {
	case st.Mode&unix.S_IFMT != want:
		return refuse(thing, "it is not %s", name)
	case st.Uid != h.Owner:
		return refuse(thing, "it belongs to user %d, not to user %d", st.Uid, h.Owner)
	case st.Mode&0o022 != 0:
		return refuse(thing, "others than its owner may write to it (mode %04o)", st.Mode&0o7777)
	}
	return nil
}

// readTrusted returns the content of a file that openTrusted accepts, of at
// most limit bytes.
func (h *Host) readTrusted(rel string, limit int64) ([]byte, error) {
	f, err := h.openTrusted(rel, false)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, refuse(fmt.Sprintf("file %q", f.Name()), "it has more than %d bytes", limit)
	}
	return data, nil
}

// listTrusted returns the names in a folder that openTrusted accepts.
func (h *Host) listTrusted(rel string) ([]string, error) {
	f, err := h.openTrusted(rel, true)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Readdirnames(-1)
}
