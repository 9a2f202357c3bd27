// Package fakekernel is a kernel for tests: a folder that looks like the root of
// a machine, whose /sys/kernel/livepatch behaves as Linux 6.1's does. It keeps
// all of its state in that folder, so that several processes of one test see
// the same kernel. Time passes in it only by Sleep.
//
// Tests steer it by files in the folder's "fake":
//
//	holds-apply   thread IDs that hold up each transition that applies
//	holds-undo    thread IDs that hold up each transition that undoes
//	init-errno    the errno with which loading a module fails
//	busy          how many times unloading a module answers EAGAIN
//	enable-errno  the errno with which enabling a loaded module anew fails
//	pinned        livepatches whose module the kernel never lets go of
//	cpus-taken    CPUs that are not to be had
//	displaced/TID the stack of a task that runs, once its CPU is taken from it
//
// It writes "oops" there when a module is unloaded with a task in it, which no
// test expects.
package fakekernel

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"livesplice/kmod/livepatch"
)

// What the fake kernel is.
const (
	Release = "6.1.0-54-amd64"
	BuildID = "00112233445566778899aabbccddeeff00112233"
)

// Kernel is the kernel of the machine whose root is Root.
type Kernel struct {
	Root string
	// Function is what the updates replace that are installed from now on. Without one, single updates replace each a
	// function of their own, cumulative ones all the same.
	Function string
}

// New makes a machine in the folder root, which must exist, with the tasks 1
// and 100.
func New(root string) (*Kernel, error) {
	k := &Kernel{Root: root}
	// The umask of whoever runs the tests must not make anything writable.
	if err := os.Chmod(root, 0o755); err != nil {
		return nil, err
	}
	for _, dir := range []string{"dev", "usr/lib/livesplice", "var/lib", "sys/kernel/livepatch", "sys/module", "proc/self/ns", "fake"} {
		if err := k.mkdir(dir); err != nil {
			return nil, err
		}
	}
	files := map[string]string{
		"sys/kernel/notes":                 string(Notes(BuildID)),
		"proc/sys/kernel/osrelease":        Release + "\n",
		"proc/sys/kernel/random/boot_id":   "11111111-2222-3333-4444-555555555555\n",
		"proc/sys/kernel/modules_disabled": "0\n",
		"proc/modules":                     "",
		"proc/cmdline":                     "root=/dev/vda ro\n",
		"proc/meminfo":                     "MemTotal:        2000000 kB\nMemAvailable:    1500000 kB\n",
		"proc/loadavg":                     "0.00 0.01 0.05 1/3 100\n",
		"proc/self/mountinfo":              "21 28 0:20 / /proc rw,nosuid,nodev,noexec,relatime shared:13 - proc proc rw\n",
		"proc/2/stat":                      stat("2", "kthreadd", "S"),
		"proc/2/stack":                     kernelThread,
		"dev/kmsg":                         "",
	}
	for _, tid := range []string{"1", "2", "100"} {
		task := "proc/" + tid + "/task/" + tid + "/"
		files[task+"comm"] = "task" + tid + "\n"
		files[task+"patch_state"] = "-1\n"
		files[task+"stack"] = Asleep
		files[task+"stat"] = stat(tid, "task"+tid, "S")
		files[task+"schedstat"] = "12345 678 9\n"
	}
	files["proc/2/task/2/stack"] = kernelThread
	for name, text := range files {
		if err := k.write(name, text); err != nil {
			return nil, err
		}
	}
	if err := os.Symlink("pid:[4026531836]", k.path("proc/self/ns/pid")); err != nil {
		return nil, err
	}
	return k, os.Symlink(root, k.path("proc/1/root"))
}

// Asleep is the stack of a task that sleeps in the kernel.
const Asleep = `[<0>] do_nanosleep+0x6c/0x160
[<0>] hrtimer_nanosleep+0xbe/0x1a0
[<0>] __x64_sys_nanosleep+0xb6/0xf0
[<0>] do_syscall_64+0x5b/0xc0
[<0>] entry_SYSCALL_64_after_hwframe+0x6e/0xd8
`

const kernelThread = `[<0>] kthreadd+0x2a1/0x2d0
[<0>] ret_from_fork+0x22/0x30
`

// stat is the stat file of a task that last ran on CPU 3.
func stat(tid, comm, state string) string {
	return tid + " (" + comm + ") " + state + strings.Repeat(" 0", 35) + " 3" + strings.Repeat(" 0", 13) + "\n"
}

// SetTask makes a task, or gives one that there is another state and stack. Its
// number is that of its process.
func (k *Kernel) SetTask(tid, comm, state, stack string) error {
	task := "proc/" + tid + "/task/" + tid + "/"
	return firstOf(k.write(task+"comm", comm+"\n"), k.write(task+"stat", stat(tid, comm, state)), k.write(task+"stack", stack),
		k.write(task+"patch_state", "-1\n"), k.write(task+"schedstat", "12345 678 9\n"))
}

// Notes returns ELF notes as /sys/kernel/notes has them, with a note before the
// build-id.
func Notes(buildID string) []byte {
	id, err := hex.DecodeString(buildID)
	if err != nil {
		panic(err) // a constant of a test
	}
	var b []byte
	note := func(typ uint32, name string, desc []byte) {
		b = binary.NativeEndian.AppendUint32(b, uint32(len(name)))
		b = binary.NativeEndian.AppendUint32(b, uint32(len(desc)))
		b = binary.NativeEndian.AppendUint32(b, typ)
		for _, part := range [][]byte{[]byte(name), desc} {
			b = append(b, part...)
			b = append(b, make([]byte, (4-len(part)%4)%4)...)
		}
	}
	note(6, "Xen\x00", []byte("linux"))
	note(3, "GNU\x00", id)
	return b
}

func (k *Kernel) path(rel string) string { return filepath.Join(k.Root, rel) }

func (k *Kernel) mkdir(rel string) error { return os.MkdirAll(k.path(rel), 0o755) }

func (k *Kernel) write(rel, text string) error {
	if err := k.mkdir(filepath.Dir(rel)); err != nil {
		return err
	}
	return os.WriteFile(k.path(rel), []byte(text), 0o644)
}

func (k *Kernel) read(rel string) string {
	data, _ := os.ReadFile(k.path(rel))
	return strings.TrimSpace(string(data))
}

// Install puts an update of one function of vmlinux on disk, below
// livepatch.UpdatesDir or, with dir not empty, in the folder dir, and returns
// its manifest.
func (k *Kernel) Install(id string, revision int, replace bool, dir string) (*livepatch.Manifest, error) {
	return k.InstallFor(BuildID, id, revision, replace, dir)
}

// InstallFor is Install of an update for the kernel buildID, another build of
// the same release.
func (k *Kernel) InstallFor(buildID, id string, revision int, replace bool, dir string) (*livepatch.Manifest, error) {
	function := k.Function
	switch {
	case function != "":
	case replace:
		function = "path_openat"
	default:
		function = "path_openat_" + id // single updates stand side by side
	}
	image, err := json.Marshal(Module{Name: livepatch.ModuleName(id), Replace: replace, Objects: map[string][]string{"vmlinux": {function + ",1"}}})
	if err != nil {
		return nil, err
	}
	sum := hash(image)
	m := &livepatch.Manifest{
		Format: livepatch.ManifestFormat, ID: id,
		Module: livepatch.ModuleName(id), ModuleFile: livepatch.ModuleName(id) + ".ko", ModuleSHA256: sum,
		Release: Release, BuildID: buildID, Arch: "amd64", Revision: revision,
		Description: "test update " + id, Fixes: []string{"CVE-2026-10000"},
		Warnings: []livepatch.Warning{{Code: "sleeps-forever", Unit: "fs/namei.c", Subject: "path_openat", Reason: "calls schedule in a loop", Remedy: "end what waits"}},
		Unload:   &livepatch.Unload{Allowed: true, Reasons: []livepatch.UnloadReason{}},
		Engine:   livepatch.EngineLivepatch, Replace: replace,
		Objects: []livepatch.Object{{Name: "vmlinux", BuildID: buildID, Functions: []livepatch.Function{
			{Name: function, Address: "0xffffffff81345670", Size: 100, New: function, SHA256: sum},
		}}},
	}
	if dir == "" {
		dir = filepath.Join(livepatch.UpdatesDir, buildID, id)
	}
	data, err := m.Encode()
	if err != nil {
		return nil, err
	}
	if err := k.write(filepath.Join(dir, m.ModuleFile), string(image)); err != nil {
		return nil, err
	}
	return m, k.write(filepath.Join(dir, livepatch.ManifestName), string(data))
}

// SetUnload changes what the manifest m, of the update in the folder dir below
// Root, says of unloading.
func (k *Kernel) SetUnload(dir string, m *livepatch.Manifest, unload *livepatch.Unload) error {
	m.Unload = unload
	data, err := m.Encode()
	if err != nil {
		return err
	}
	return k.write(dir+"/"+livepatch.ManifestName, string(data))
}

func hash(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// InitModule does what klp_enable_patch does.
func (k *Kernel) InitModule(image []byte) error {
	if n, err := strconv.Atoi(k.read("fake/init-errno")); err == nil {
		return unix.Errno(n)
	}
	if k.read("proc/sys/kernel/modules_disabled") == "1" {
		return unix.EPERM
	}
	m, notes, err := decode(image)
	if err != nil {
		return unix.ENOEXEC
	}
	if slices.Contains(k.modules(), m.Name) {
		return unix.EEXIST
	}
	if k.transitioning() != "" {
		return unix.EBUSY
	}
	if notes != nil {
		if err := k.write("sys/module/"+m.Name+"/notes/"+buildIDSection, string(notes)); err != nil {
			return err
		}
	}
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	err = firstOf(k.write("fake/module/"+m.Name, string(text)), k.write("sys/module/"+m.Name+"/coresize", "16384\n"),
		k.write("sys/module/"+m.Name+"/initsize", "0\n"), k.write("sys/module/"+m.Name+"/parameters/enable", ""), k.setModules(append(k.modules(), m.Name)))
	if err != nil {
		return err
	}
	return k.enable(m)
}

// enable does what klp_enable_patch does.
func (k *Kernel) enable(m Module) error {
	dir := "sys/kernel/livepatch/" + m.Name
	for object, functions := range m.Objects {
		if err := k.write(dir+"/"+object+"/patched", "1\n"); err != nil {
			return err
		}
		for _, f := range functions {
			if err := k.mkdir(dir + "/" + object + "/" + f); err != nil {
				return err
			}
		}
	}
	return firstOf(k.write("sys/module/"+m.Name+"/refcnt", "1\n"), k.begin(m.Name, "1"))
}

// enableAgain does what the parameter "enable" of a module does.
func (k *Kernel) enableAgain(module string) error {
	if n, err := strconv.Atoi(k.read("fake/enable-errno")); err == nil {
		return unix.Errno(n)
	}
	var m Module
	if err := json.Unmarshal([]byte(k.read("fake/module/"+module)), &m); err != nil {
		return unix.ENOENT
	}
	if k.read("sys/module/"+module+"/refcnt") != "0" || k.transitioning() != "" {
		return unix.EBUSY
	}
	return k.enable(m)
}

// vanish ends what sysfs shows of a livepatch, and the kernel's hold on its module.
func (k *Kernel) vanish(module string) error {
	err := os.RemoveAll(k.path("sys/kernel/livepatch/" + module))
	if slices.Contains(strings.Fields(k.read("fake/pinned")), module) {
		return err
	}
	return firstOf(err, k.write("sys/module/"+module+"/refcnt", "0\n"))
}

// OnCPU takes the CPU from the tasks that run there: all that show no stack.
func (k *Kernel) OnCPU(_ context.Context, cpu int, _ time.Duration, do func()) error {
	if slices.Contains(strings.Fields(k.read("fake/cpus-taken")), strconv.Itoa(cpu)) {
		return unix.EBUSY
	}
	var running []string
	for _, task := range k.tasks() {
		if stack := k.read("fake/displaced/" + filepath.Base(task)); stack != "" {
			running = append(running, task)
			if err := k.write(task+"/stack", stack+"\n"); err != nil {
				return err
			}
		}
	}
	do()
	for _, task := range running {
		if err := k.write(task+"/stack", ""); err != nil {
			return err
		}
	}
	return nil
}

// begin starts a transition of module towards enabled.
func (k *Kernel) begin(module, enabled string) error {
	from := "0"
	if enabled == "0" {
		from = "1"
	}
	for _, task := range k.tasks() {
		if err := k.write(task+"/patch_state", from+"\n"); err != nil {
			return err
		}
	}
	if err := k.write("sys/kernel/livepatch/"+module+"/enabled", enabled+"\n"); err != nil {
		return err
	}
	return k.write("sys/kernel/livepatch/"+module+"/transition", "1\n")
}

// DeleteModule does what delete_module(2) does.
func (k *Kernel) DeleteModule(name string) error {
	if k.read("proc/sys/kernel/modules_disabled") == "1" {
		return unix.EPERM
	}
	modules := k.modules()
	if !slices.Contains(modules, name) {
		return unix.ENOENT
	}
	if k.read("sys/kernel/livepatch/"+name+"/enabled") != "" {
		return unix.EAGAIN
	}
	if n, _ := strconv.Atoi(k.read("fake/busy")); n > 0 {
		return firstOf(k.write("fake/busy", strconv.Itoa(n-1)), unix.EAGAIN)
	}
	for _, task := range k.tasks() {
		if strings.Contains(k.read(task+"/stack")+k.read("fake/displaced/"+filepath.Base(task)), "["+name+"]") {
			return k.write("fake/oops", name+"\n")
		}
	}
	if err := os.RemoveAll(k.path("sys/module/" + name)); err != nil {
		return err
	}
	return k.setModules(slices.DeleteFunc(modules, func(m string) bool { return m == name }))
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// WriteFile does what enabled_store does, and collects what /dev/kmsg gets.
func (k *Kernel) WriteFile(path, value string) error {
	rel, err := filepath.Rel(k.Root, path)
	if err != nil {
		return err
	}
	if rel == "dev/kmsg" {
		old, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(path, append(old, value...), 0o644)
	}
	if dir, ok := strings.CutSuffix(rel, "/parameters/enable"); ok {
		return k.enableAgain(filepath.Base(dir))
	}
	module := filepath.Base(filepath.Dir(rel))
	present := k.read(rel)
	switch {
	case present == "":
		return unix.ENOENT
	case present == value:
		return unix.EINVAL
	case k.transitioning() == module:
		return k.begin(module, value)
	case value == "1":
		return unix.EINVAL
	case k.transitioning() != "":
		return unix.EBUSY
	}
	return k.begin(module, value)
}

// Sleep lets the kernel work for a moment.
func (k *Kernel) Sleep(ctx context.Context, _ time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return k.Tick()
}

// Tick switches the tasks that nothing holds and ends the transition when none
// is left.
func (k *Kernel) Tick() error {
	module := k.transitioning()
	if module == "" {
		return nil
	}
	dir := "sys/kernel/livepatch/" + module
	target := k.read(dir + "/enabled")
	holds := strings.Fields(k.read("fake/holds-apply"))
	if target == "0" {
		holds = strings.Fields(k.read("fake/holds-undo"))
	}
	done := true
	for _, task := range k.tasks() {
		state := target
		if slices.Contains(holds, filepath.Base(task)) {
			state, done = map[string]string{"0": "1", "1": "0"}[target], false
		}
		if err := k.write(task+"/patch_state", state+"\n"); err != nil {
			return err
		}
	}
	if !done {
		return nil
	}
	for _, task := range k.tasks() {
		if err := k.write(task+"/patch_state", "-1\n"); err != nil {
			return err
		}
	}
	if target == "0" {
		return k.vanish(module)
	}
	var m Module
	if err := json.Unmarshal([]byte(k.read("fake/module/"+module)), &m); err != nil {
		return err
	}
	if m.Replace {
		for _, other := range k.names("sys/kernel/livepatch") {
			if other != module {
				if err := k.vanish(other); err != nil {
					return err
				}
			}
		}
	}
	return k.write(dir+"/transition", "0\n")
}

// transitioning returns the livepatch in transition, or "".
func (k *Kernel) transitioning() string {
	for _, name := range k.names("sys/kernel/livepatch") {
		if k.read("sys/kernel/livepatch/"+name+"/transition") == "1" {
			return name
		}
	}
	return ""
}

func (k *Kernel) tasks() []string {
	found, _ := filepath.Glob(k.path("proc/*/task/*"))
	for i := range found {
		found[i], _ = filepath.Rel(k.Root, found[i])
	}
	return found
}

func (k *Kernel) names(rel string) []string {
	entries, _ := os.ReadDir(k.path(rel))
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func (k *Kernel) modules() []string {
	var names []string
	for line := range strings.Lines(k.read("proc/modules")) {
		names = append(names, strings.Fields(line)[0])
	}
	return names
}

func (k *Kernel) setModules(names []string) error {
	var b strings.Builder
	for _, n := range names {
		fmt.Fprintf(&b, "%s 16384 1 - Live 0x0000000000000000 (OEK)\n", n)
	}
	return k.write("proc/modules", b.String())
}
