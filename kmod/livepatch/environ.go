package livepatch

import (
	"os"
	"slices"
	"strconv"
	"strings"
)

// initialPIDNamespace is what the link /proc/self/ns/pid of the machine's first
// PID namespace reads: PROC_PID_INIT_INO of include/linux/proc_ns.h, unchanged
// since Linux 3.8.
const initialPIDNamespace = "pid:[4026531836]"

// Elsewhere returns why the running kernel is not this root's to change: a
// chroot, a container, the building of an image. It is empty on the machine
// itself.
func (h *Host) Elsewhere() string {
	// A kernel without CONFIG_PID_NS has the folder alone: fs/proc/namespaces.c, v6.1.
	ns, err := os.Readlink(h.path("proc/self/ns/pid"))
	switch {
	case err != nil && !h.exists("proc/self/ns"):
		return "no /proc is mounted: a chroot or the building of an image"
	case err == nil && ns != initialPIDNamespace:
		return "this is a container: its PID namespace is not the machine's first"
	}
	for _, mark := range []string{".dockerenv", "run/.containerenv", "run/systemd/container"} {
		if h.exists(mark) {
			return "this is a container: there is /" + mark
		}
	}
	init, err := os.Stat(h.path("proc/1/root/."))
	if err != nil {
		return "" // Only root may look, and only root can change the kernel.
	}
	root, err := os.Stat(h.path("."))
	if err != nil || !os.SameFile(init, root) {
		return "this is a chroot: / is not the root of process 1"
	}
	return ""
}

// OptOut is what the kernel's command line holds when updates are not to be
// applied by themselves.
const OptOut = "livesplice=off"

// OptedOut says whether OptOut is on the command line of the running kernel.
func (h *Host) OptedOut() bool {
	line, err := h.attr("proc/cmdline")
	return err == nil && slices.Contains(strings.Fields(line), OptOut)
}

// cannotLivepatch returns why the running kernel takes no livepatch, or "".
func (h *Host) cannotLivepatch(release string) string {
	switch {
	case h.exists("sys/kernel/livepatch"):
		return ""
	case !h.exists("sys/kernel"):
		return "sysfs is not mounted at /sys"
	}
	config := "boot/config-" + release
	text, err := os.ReadFile(h.path(config))
	switch {
	case err != nil:
		return "kernel " + release + " has no /sys/kernel/livepatch: it is built without CONFIG_LIVEPATCH"
	case !slices.Contains(strings.Split(string(text), "\n"), "CONFIG_LIVEPATCH=y"):
		return "kernel " + release + " is built without CONFIG_LIVEPATCH, says /" + config
	}
	return "kernel " + release + " has no /sys/kernel/livepatch although /" + config + " sets CONFIG_LIVEPATCH: is it the config of another build?"
}

// modulesDisabled says whether the kernel loads and unloads no modules any longer,
// until the next boot. Source: Documentation/admin-guide/sysctl/kernel.rst, v6.1.
func (h *Host) modulesDisabled() bool {
	v, err := h.attr("proc/sys/kernel/modules_disabled")
	return err == nil && v == "1"
}

// signaturePolicy describes what the kernel demands of modules, for the error
// after one was rejected.
func (h *Host) signaturePolicy() string {
	var parts []string
	if v, err := h.attr("sys/module/module/parameters/sig_enforce"); err == nil {
		parts = append(parts, "module.sig_enforce is "+v)
	}
	if v, err := h.attr("sys/kernel/security/lockdown"); err == nil {
		parts = append(parts, "lockdown is "+strings.TrimSpace(v))
	}
	if len(parts) == 0 {
		return "neither module.sig_enforce nor lockdown can be read"
	}
	return strings.Join(parts, ", ")
}

// availableMemory returns the kernel's estimate of the memory that can be had
// without swapping, in bytes, and whether it says one (since 3.14).
func (h *Host) availableMemory() (int64, bool) {
	text, err := h.attr("proc/meminfo")
	if err != nil {
		return 0, false
	}
	return memAvailable(text)
}

// memAvailable finds what availableMemory returns in the text of /proc/meminfo.
func memAvailable(text string) (int64, bool) {
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) == 3 && fields[0] == "MemAvailable:" && fields[2] == "kB" {
			kb, err := strconv.ParseUint(fields[1], 10, 63-10) // bytes are to fit, too
			return int64(kb) << 10, err == nil
		}
	}
	return 0, false
}
