package livepatch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// UpdatesDir is where update packages put their files, below Host.Root:
// UpdatesDir/<build-id of the kernel>/<id>/.
const UpdatesDir = "usr/lib/livesplice"

// Kernel is what changes the running kernel. Errors are the system calls'
// errno values, wrapped or not.
type Kernel interface {
	// InitModule loads the module that image is: init_module(2).
	InitModule(image []byte) error
	// DeleteModule unloads the module, without waiting for its users: delete_module(2).
	DeleteModule(name string) error
	// WriteFile writes value to the file path, in one write(2), without
	// creating the file: an attribute of sysfs, or /dev/kmsg.
	WriteFile(path, value string) error
	// Sleep returns after d, or with the context's error.
	Sleep(ctx context.Context, d time.Duration) error
	// OnCPU runs do on the CPU, so that nothing else runs there meanwhile. It is
	// an error when the CPU is not to be had within limit; do has not run then,
	// and will not.
	OnCPU(ctx context.Context, cpu int, limit time.Duration, do func()) error
}

// Host is the machine to be patched.
type Host struct {
	// Root is the folder that stands for "/": "/" itself, another one in tests.
	Root string
	// Owner is the user to whom all files of updates must belong: 0, another
	// one in tests.
	Owner uint32
	// Kernel changes the kernel that runs.
	Kernel Kernel
	// Out takes one line for each thing that happened. Nil drops them.
	Out io.Writer
	// Timeout bounds the wait for a transition, and again the wait for its
	// reversal. The kernel itself prods tasks every 15 s (since 5.1).
	Timeout time.Duration
}

// DefaultTimeout is Host.Timeout where nothing else is asked for.
const DefaultTimeout = 60 * time.Second

// pollInterval is how often the state of a transition is read. The kernel
// itself tries once a second.
const pollInterval = 100 * time.Millisecond

// maxAttr bounds what is read of one file of /proc or /sys, in bytes.
const maxAttr = 1 << 20

// path returns the path of a file below Root.
func (h *Host) path(elem ...string) string {
	return filepath.Join(append([]string{h.Root}, elem...)...)
}

// attr returns the content of a file of /proc or /sys, without the last line end.
func (h *Host) attr(elem ...string) (string, error) {
	f, err := os.Open(h.path(elem...))
	if err != nil {
		return "", err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxAttr))
	if err != nil {
		return "", err
	}
	return strings.TrimSuffix(string(data), "\n"), nil
}

// exists says whether there is such a file below Root.
func (h *Host) exists(elem ...string) bool {
	_, err := os.Lstat(h.path(elem...))
	return err == nil
}

// say writes one line to Out.
func (h *Host) say(format string, args ...any) {
	if h.Out != nil {
		fmt.Fprintf(h.Out, format+"\n", args...)
	}
}

// tell says a line and puts it in the kernel's log too, where it stands beside
// the kernel's own messages. Best effort: the log may not be there to write to.
func (h *Host) tell(format string, args ...any) {
	h.say(format, args...)
	const info = 6 // KERN_INFO
	_ = h.Kernel.WriteFile(h.path("dev/kmsg"), fmt.Sprintf("<%d>livesplice: "+format+"\n", append([]any{info}, args...)...))
}

// Release returns the release of the running kernel, `uname -r`.
func (h *Host) Release() (string, error) { return h.attr("proc/sys/kernel/osrelease") }

// BuildID returns the GNU build-id of the running kernel in lower-case
// hexadecimal digits.
func (h *Host) BuildID() (string, error) { return h.buildID("sys/kernel/notes") }

// ModuleBuildID returns the GNU build-id of a loaded module.
func (h *Host) ModuleBuildID(name string) (string, error) {
	return h.buildID("sys/module/" + name + "/notes/.note.gnu.build-id")
}

func (h *Host) buildID(file string) (string, error) {
	notes, err := h.attrRaw(file)
	if err != nil {
		return "", err
	}
	id, err := ParseBuildID(notes)
	if err != nil {
		return "", fmt.Errorf("file %q: %w", h.path(file), err)
	}
	return id, nil
}

func (h *Host) attrRaw(file string) ([]byte, error) {
	f, err := os.Open(h.path(file))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxAttr))
}

// bootID returns the random identity of this boot.
func (h *Host) bootID() (string, error) { return h.attr("proc/sys/kernel/random/boot_id") }

// Livepatch is one livepatch of the running kernel, as sysfs shows it.
type Livepatch struct {
	// Module is its name.
	Module string
	// Enabled says that it is applied, or being applied when Transition is true.
	Enabled bool
	// Transition says that tasks are being switched to it or away from it.
	Transition bool
}

// ID returns the ID of the livesplice update that the livepatch is, and
// whether it is one.
func (l Livepatch) ID() (string, bool) { return moduleID(l.Module) }

// Livepatches returns the livepatches of the running kernel by name. There are
// none where the kernel cannot livepatch.
func (h *Host) Livepatches() ([]Livepatch, error) {
	entries, err := os.ReadDir(h.path("sys/kernel/livepatch"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var found []Livepatch
	for _, e := range entries {
		l, err := h.livepatch(e.Name())
		if errors.Is(err, fs.ErrNotExist) {
			continue // It vanished between the two looks.
		}
		if err != nil {
			return nil, err
		}
		found = append(found, l)
	}
	return found, nil
}

// livepatch returns one livepatch; fs.ErrNotExist is wrapped when it is not there.
func (h *Host) livepatch(module string) (Livepatch, error) {
	l := Livepatch{Module: module}
	for _, a := range []struct {
		name  string
		value *bool
	}{{"enabled", &l.Enabled}, {"transition", &l.Transition}} {
		text, err := h.attr("sys/kernel/livepatch", module, a.name)
		// A folder that goes away answers ENODEV to those who have a file open.
		if err != nil && !h.exists("sys/kernel/livepatch", module) {
			return l, fmt.Errorf("livepatch %q: %w", module, fs.ErrNotExist)
		}
		if err != nil {
			return l, fmt.Errorf("livepatch %q: %w", module, err)
		}
		if text != "0" && text != "1" {
			return l, fmt.Errorf("livepatch %q: %s is %q, expected 0 or 1", module, a.name, text)
		}
		*a.value = text == "1"
	}
	return l, nil
}

// Modules returns the names of the loaded modules, sorted.
func (h *Host) Modules() ([]string, error) {
	text, err := h.attr("proc/modules")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // a kernel without modules
	}
	if err != nil {
		return nil, err
	}
	return moduleNames(text), nil
}

// moduleNames takes the names out of the lines of /proc/modules, sorted.
func moduleNames(text string) []string {
	var names []string
	for line := range strings.Lines(text) {
		if name, _, ok := strings.Cut(line, " "); ok && name != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
