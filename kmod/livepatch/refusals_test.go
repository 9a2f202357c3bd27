package livepatch_test

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"livesplice/kmod/livepatch"
	"livesplice/kmod/livepatch/fakekernel"
)

// Whoever can write to one of these files could put code into the kernel.
func TestFilesThatOthersCouldHaveWritten(t *testing.T) {
	const id = "aaaaaaaa"
	chmod := func(rel string, mode os.FileMode) func(*machine) {
		return func(m *machine) {
			if err := os.Chmod(filepath.Join(m.Root, rel), mode); err != nil {
				m.t.Fatal(err)
			}
		}
	}
	folder := livepatch.UpdatesDir + "/" + fakekernel.BuildID + "/" + id
	// move puts a symbolic link where rel was.
	move := func(rel string) func(*machine) {
		return func(m *machine) {
			old, elsewhere := filepath.Join(m.Root, rel), filepath.Join(m.Root, "elsewhere")
			if err := os.Rename(old, elsewhere); err != nil {
				m.t.Fatal(err)
			}
			if err := os.Symlink(elsewhere, old); err != nil {
				m.t.Fatal(err)
			}
		}
	}
	tests := []struct {
		name  string
		spoil func(*machine)
		want  []string
	}{
		{"root of the file system group-writable", chmod(".", 0o775), []string{"others than its owner may write to it (mode 0775)"}},
		{"/usr world-writable", chmod("usr", 0o757), []string{"/usr\": refused: others than its owner may write to it (mode 0757)"}},
		{"sticky does not help", chmod("usr/lib", os.ModeSticky|0o777), []string{"(mode 1777)"}},
		{"updates folder", chmod(livepatch.UpdatesDir, 0o775), []string{`livesplice": refused: others than its owner may write to it (mode 0775)`}},
		{"build-id folder", chmod(livepatch.UpdatesDir+"/"+fakekernel.BuildID, 0o777), []string{fakekernel.BuildID + `": refused: others`}},
		{"update folder", chmod(folder, 0o770), []string{`update "aaaaaaaa": file "`, `aaaaaaaa": refused: others`}},
		{"manifest", chmod(folder+"/manifest.json", 0o664), []string{`manifest.json": refused: others than its owner may write to it (mode 0664)`}},
		{"module", chmod(folder+"/livesplice_aaaaaaaa.ko", 0o666), []string{`livesplice_aaaaaaaa.ko": refused: others`}},
		{"link for /usr/lib", move("usr/lib"), []string{`/usr/lib": refused: it is a symbolic link`}},
		{"link for the update folder", move(folder), []string{`aaaaaaaa": refused: it is a symbolic link`}},
		{"link for the manifest", move(folder + "/manifest.json"), []string{`manifest.json": refused: it is a symbolic link`}},
		{"link for the module", move(folder + "/livesplice_aaaaaaaa.ko"), []string{`.ko": refused: it is a symbolic link`}},
		{"FIFO for the manifest", func(m *machine) {
			path := filepath.Join(m.Root, folder, "manifest.json")
			if err := os.Remove(path); err != nil {
				m.t.Fatal(err)
			}
			if err := unix.Mkfifo(path, 0o600); err != nil {
				m.t.Fatal(err)
			}
		}, []string{`manifest.json": refused: it is not a regular file`}},
		{"folder for the module", func(m *machine) {
			path := filepath.Join(m.Root, folder, "livesplice_aaaaaaaa.ko")
			if err := os.Remove(path); err != nil {
				m.t.Fatal(err)
			}
			if err := os.Mkdir(path, 0o700); err != nil {
				m.t.Fatal(err)
			}
		}, []string{`.ko": refused: it is not a regular file`}},
		{"state folder", func(m *machine) {
			m.write("var/lib/livesplice/state.json", `{"format":1}`)
			chmod("var/lib/livesplice", 0o777)(m)
		}, []string{`/var/lib/livesplice": refused: others`}},
		{"state", func(m *machine) {
			m.write("var/lib/livesplice/state.json", `{"format":1}`)
			chmod("var/lib/livesplice/state.json", 0o666)(m)
		}, []string{`state.json": refused: others`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := newMachine(t)
			m.install(id, 1, true)
			tt.spoil(m)
			m.mentions(m.reconcile(livepatch.ExitRefused), tt.want...)
			m.loaded()
		})
	}
}

func TestFilesOfAnotherUser(t *testing.T) {
	m := newMachine(t)
	m.install("aaaaaaaa", 1, true)
	m.Owner++
	err := m.reconcile(livepatch.ExitRefused)
	m.mentions(err, "it belongs to user "+strconv.Itoa(os.Getuid())+", not to user "+strconv.Itoa(os.Getuid()+1))
	m.loaded()
}

func TestUpdatesThatDoNotFit(t *testing.T) {
	const folder = livepatch.UpdatesDir + "/" + fakekernel.BuildID + "/aaaaaaaa/"
	edit := func(old, text string) func(*machine) {
		return func(m *machine) {
			data, err := os.ReadFile(filepath.Join(m.Root, folder, "manifest.json"))
			if err != nil {
				m.t.Fatal(err)
			}
			if !strings.Contains(string(data), old) {
				m.t.Fatalf("no %q in %s", old, data)
			}
			m.write(folder+"manifest.json", strings.ReplaceAll(string(data), old, text))
		}
	}
	tests := []struct {
		name  string
		spoil func(*machine)
		code  int
		want  []string
	}{
		{"ID of another folder", edit("aaaaaaaa", "bbbbbbbb"), livepatch.ExitRefused, []string{`update "aaaaaaaa": refused: its manifest says "bbbbbbbb"`}},
		{"build-id of another folder", edit(fakekernel.BuildID, strings.Repeat("ab", 20)), livepatch.ExitRefused, []string{"its manifest is for build-id abab", "its folder says 0011"}},
		{"release of another kernel", edit(fakekernel.Release, "6.1.0-55-amd64"), livepatch.ExitRefused, []string{"it is for kernel 6.1.0-55-amd64, kernel 6.1.0-54-amd64 runs"}},
		{"module's bytes", func(m *machine) { m.write(folder+"livesplice_aaaaaaaa.ko", "{}") }, livepatch.ExitRefused, []string{"its sha256 is 44136fa3", "the manifest says"}},
		{"module missing", func(m *machine) { os.Remove(filepath.Join(m.Root, folder, "livesplice_aaaaaaaa.ko")) }, livepatch.ExitFault, []string{"no such file"}},
		{"manifest missing", func(m *machine) { os.Remove(filepath.Join(m.Root, folder, "manifest.json")) }, livepatch.ExitFault, []string{`update "aaaaaaaa": open`, "no such file"}},
		{"manifest cut", func(m *machine) { m.write(folder+"manifest.json", `{"format": 1`) }, livepatch.ExitRefused, []string{`manifest.json": manifest: expected a JSON object`}},
		{"function that the module has not", edit("path_openat", "do_filp_open"), livepatch.ExitFault, []string{"the manifest says that it replaces do_filp_open,1 of vmlinux, the kernel shows no such function"}},
		{"kernel without livepatch", func(m *machine) {
			m.write("boot/config-6.1.0-54-amd64", "# CONFIG_LIVEPATCH is not set\n")
			os.Remove(filepath.Join(m.Root, "sys/kernel/livepatch"))
		}, livepatch.ExitRefused, []string{"built without CONFIG_LIVEPATCH, says /boot/config-6.1.0-54-amd64"}},
		{"sysfs not mounted but for notes", func(m *machine) { os.Remove(filepath.Join(m.Root, "sys/kernel/livepatch")) }, livepatch.ExitRefused, []string{"has no /sys/kernel/livepatch: it is built without CONFIG_LIVEPATCH"}},
		{"memory", func(m *machine) { m.write("proc/meminfo", "MemAvailable: 4096 kB\n") }, livepatch.ExitRefused, []string{"4 MiB of memory are available, 8 MiB are wanted"}},
		{"signature", func(m *machine) {
			m.write("fake/init-errno", strconv.Itoa(int(unix.EKEYREJECTED)))
			m.write("sys/module/module/parameters/sig_enforce", "Y\n")
			m.write("sys/kernel/security/lockdown", "none [integrity] confidentiality\n")
		}, livepatch.ExitRefused, []string{"wants a signature by a key that it knows (key was rejected by service): module.sig_enforce is Y", "lockdown is none [integrity] confidentiality"}},
		{"modules disabled", func(m *machine) {
			m.write("proc/sys/kernel/modules_disabled", "1\n")
		}, livepatch.ExitRefused, []string{`update "aaaaaaaa": refused: modules cannot be loaded any more on this machine until the next boot: kernel.modules_disabled is 1`}},
		{"security module", func(m *machine) { m.write("fake/init-errno", strconv.Itoa(int(unix.EACCES))) }, livepatch.ExitRefused, []string{"does not permit it (permission denied): lockdown"}},
		{"lockdown", func(m *machine) { m.write("fake/init-errno", strconv.Itoa(int(unix.EPERM))) }, livepatch.ExitRefused, []string{"does not permit it (operation not permitted)", "or another security module", "neither module.sig_enforce nor lockdown can be read"}},
		{"symbol not found", func(m *machine) { m.write("fake/init-errno", strconv.Itoa(int(unix.EINVAL))) }, livepatch.ExitRefused, []string{"does not accept it (invalid argument): the kernel log has the reason"}},
		{"vermagic", func(m *machine) { m.write("fake/init-errno", strconv.Itoa(int(unix.ENOEXEC))) }, livepatch.ExitRefused, []string{"exec format error"}},
		{"no memory", func(m *machine) { m.write("fake/init-errno", strconv.Itoa(int(unix.ENOMEM))) }, livepatch.ExitFault, []string{"loading: cannot allocate memory"}},
		{"another transition at that moment", func(m *machine) { m.write("fake/init-errno", strconv.Itoa(int(unix.EBUSY))) }, livepatch.ExitBlocked, []string{"another transition began just now"}},
		{"build-id of the kernel unknown", func(m *machine) { m.write("sys/kernel/notes", "") }, livepatch.ExitFault, []string{"sys/kernel/notes", "no GNU build-id among them"}},
		{"state cut", func(m *machine) { m.write("var/lib/livesplice/state.json", `{"for`) }, livepatch.ExitFault, []string{"state.json", "remove it to forget what was undone by hand"}},
		{"state of a later format", func(m *machine) { m.write("var/lib/livesplice/state.json", `{"format":2}`) }, livepatch.ExitFault, []string{"format 2, this program reads format 1"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := newMachine(t)
			m.install("aaaaaaaa", 1, true)
			tt.spoil(m)
			m.mentions(m.reconcile(tt.code), tt.want...)
			m.loaded()
		})
	}
}

// The prerm of a package must get through, whatever a later splicectl, or a
// disk, has made of the state.
func TestUndoWithUnreadableState(t *testing.T) {
	const file = "var/lib/livesplice/state.json"
	ctx := context.Background()
	undo := map[string]func(m *machine) error{
		"undo":                func(m *machine) error { return m.Undo(ctx, "aaaaaaaa", false) },
		"undo --forget":       func(m *machine) error { return m.Undo(ctx, "aaaaaaaa", true) },
		"undo --all":          func(m *machine) error { return m.UndoAll(ctx, false) },
		"undo --all --forget": func(m *machine) error { return m.UndoAll(ctx, true) },
	}
	spoilt := map[string]struct{ text, want string }{
		"later format": {`{"format":2,"undone":{"by":"id"}}`, "format 2, this program reads format 1"},
		"other types":  {`{"format":1,"undone":{"by":"id"}}`, "expected the JSON that splicectl writes"},
		"cut":          {`{"for`, "remove it to forget what was undone by hand"},
	}
	for command, do := range undo {
		for name, tt := range spoilt {
			t.Run(command+"/"+name, func(t *testing.T) {
				m := newMachine(t)
				m.install("aaaaaaaa", 1, true)
				m.reconcile(livepatch.ExitDone)
				m.write(file, tt.text)
				m.expect(livepatch.ExitDone, do(m))
				m.loaded()
				if out := m.out.String(); !strings.Contains(out, "warning: file \"") || !strings.Contains(out, tt.want) || !strings.Contains(out, "undoing all the same, without remembering it") {
					t.Errorf("said %q", out)
				}
				if data, err := os.ReadFile(filepath.Join(m.Root, file)); err != nil || string(data) != tt.text {
					t.Errorf("the state is now %q, %v", data, err)
				}
				// Nothing else is done without knowing what was undone by hand.
				m.expect(livepatch.ExitFault, m.Apply(ctx, "aaaaaaaa"))
				m.reconcile(livepatch.ExitFault)
				m.loaded()
			})
		}
	}
}

// The build-id of each module that is changed and loaded must be the one of the
// update.
func TestModuleOfAnotherBuild(t *testing.T) {
	m := newMachine(t)
	manifest, err := m.fake.Install("aaaaaaaa", 1, true, "")
	if err != nil {
		t.Fatal(err)
	}
	manifest.Objects = append(manifest.Objects, livepatch.Object{Name: "ext4", BuildID: strings.Repeat("cd", 20)})
	data, err := manifest.Encode()
	if err != nil {
		t.Fatal(err)
	}
	m.write(livepatch.UpdatesDir+"/"+fakekernel.BuildID+"/aaaaaaaa/manifest.json", string(data))
	m.write("sys/module/ext4/notes/.note.gnu.build-id", string(fakekernel.Notes(strings.Repeat("ab", 20))))
	m.mentions(m.reconcile(livepatch.ExitRefused), `module "ext4" that is loaded has build-id abab`)
	if err := os.RemoveAll(filepath.Join(m.Root, "sys/module/ext4")); err != nil {
		t.Fatal(err)
	}
	m.reconcile(livepatch.ExitDone)
	m.loaded("aaaaaaaa")
}

func TestApplyByPath(t *testing.T) {
	ctx := context.Background()
	m := newMachine(t)
	if _, err := m.fake.Install("eeeeeeee", 1, false, "root/updates/eeeeeeee"); err != nil {
		t.Fatal(err)
	}
	m.expect(livepatch.ExitDone, m.Apply(ctx, "/root/updates/eeeeeeee/manifest.json"))
	m.loaded("eeeeeeee")
	// Reconcile leaves alone what is there by hand, until the next boot.
	m.reconcile(livepatch.ExitDone)
	m.loaded("eeeeeeee")
	m.state("eeeeeeee", livepatch.Applied, "by hand")
	m.expect(livepatch.ExitDone, m.Undo(ctx, "eeeeeeee", false))
	m.loaded()

	if err := os.Chmod(filepath.Join(m.Root, "root/updates"), 0o777); err != nil {
		t.Fatal(err)
	}
	m.mentions(m.expect(livepatch.ExitRefused, m.Apply(ctx, "/root/updates/eeeeeeee")), `/root/updates": refused: others`)
	m.expect(livepatch.ExitUsage, m.Apply(ctx, "/root/nothing"))
	m.expect(livepatch.ExitUsage, m.Apply(ctx, "99999999"))
	m.expect(livepatch.ExitUsage, m.Undo(ctx, "99999999", false))
	m.expect(livepatch.ExitUsage, m.Undo(ctx, "../../x", false))
}

func TestApplyOfAnOlderRevision(t *testing.T) {
	ctx := context.Background()
	m := newMachine(t)
	m.install("aaaaaaaa", 1, true)
	m.install("bbbbbbbb", 2, true)
	m.reconcile(livepatch.ExitDone)
	m.mentions(m.expect(livepatch.ExitRefused, m.Apply(ctx, "aaaaaaaa")), "revision 2, update bbbbbbbb, is applied and revision 1 would take its fixes away; undo it first")
	m.expect(livepatch.ExitDone, m.Undo(ctx, "bbbbbbbb", false))
	m.reconcile(livepatch.ExitDone)
	m.loaded()
	m.expect(livepatch.ExitDone, m.Apply(ctx, "aaaaaaaa"))
	m.loaded("aaaaaaaa")
	m.reconcile(livepatch.ExitDone)
	m.loaded("aaaaaaaa")
}

// A package that went back to a lower revision after the higher one was undone.
func TestApplyAfterDowngrade(t *testing.T) {
	ctx := context.Background()
	m := newMachine(t)
	m.install("bbbbbbbb", 2, true)
	m.reconcile(livepatch.ExitDone)
	m.expect(livepatch.ExitDone, m.Undo(ctx, "bbbbbbbb", false))
	m.remove("bbbbbbbb")
	m.install("aaaaaaaa", 1, true)
	m.reconcile(livepatch.ExitDone)
	m.loaded()
	m.expect(livepatch.ExitDone, m.Apply(ctx, "aaaaaaaa"))
	m.reconcile(livepatch.ExitDone)
	m.loaded("aaaaaaaa")
}

// One splicectl at a time.
func TestLock(t *testing.T) {
	m := newMachine(t)
	m.install("aaaaaaaa", 1, true)
	m.write("var/lib/livesplice/lock", "")
	f, err := os.Open(filepath.Join(m.Root, "var/lib/livesplice/lock"))
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	m.mentions(m.reconcile(livepatch.ExitFault), "another splicectl has held it for 2s")
	f.Close()
	m.reconcile(livepatch.ExitDone)
	m.loaded("aaaaaaaa")
}

// What the kernel itself refuses is not offered to it again by the timer.
func TestRetryLeavesAloneWhatTheKernelRefused(t *testing.T) {
	ctx := context.Background()
	m := newMachine(t)
	m.install("aaaaaaaa", 1, true)
	m.reconcile(livepatch.ExitDone)
	m.install("bbbbbbbb", 2, true)
	m.write("fake/init-errno", strconv.Itoa(int(unix.EINVAL)))
	m.reconcile(livepatch.ExitRefused)
	m.write("fake/init-errno", "")
	m.out.Reset()
	m.expect(livepatch.ExitDone, m.Reconcile(ctx, livepatch.ReconcileOptions{Retry: true}))
	m.loaded("aaaaaaaa")
	m.state("bbbbbbbb", livepatch.BlockedNow, "does not accept it")
	if m.out.Len() > 0 {
		t.Errorf("said %q", m.out.String())
	}
	// The next boot asks anew.
	m.reboot("2222")
	m.expect(livepatch.ExitDone, m.Reconcile(ctx, livepatch.ReconcileOptions{Retry: true}))
	m.loaded("bbbbbbbb")
}

// The kernel unloads no module either; undoing needs none unloaded, and applying
// again none loaded, if the module can enable itself.
func TestModulesDisabledAfterLoading(t *testing.T) {
	m := newMachine(t)
	m.install("aaaaaaaa", 1, true)
	m.reconcile(livepatch.ExitDone)
	m.write("proc/sys/kernel/modules_disabled", "1\n")
	m.reconcile(livepatch.ExitDone)
	m.loaded("aaaaaaaa")
	m.expect(livepatch.ExitDone, m.Undo(context.Background(), "aaaaaaaa", false))
	m.state("aaaaaaaa", livepatch.Undone, "")
	if want := `module "livesplice_aaaaaaaa" stays loaded, disabled, until the next boot: kernel.modules_disabled is 1`; !strings.Contains(m.out.String(), want) {
		t.Errorf("%q not said: %s", want, m.out.String())
	}
	m.expect(livepatch.ExitDone, m.Apply(context.Background(), "aaaaaaaa"))
	m.loaded("aaaaaaaa")
	m.expect(livepatch.ExitDone, m.Undo(context.Background(), "aaaaaaaa", false))
	if err := os.RemoveAll(filepath.Join(m.Root, "sys/module/livesplice_aaaaaaaa/parameters")); err != nil {
		t.Fatal(err)
	}
	m.mentions(m.expect(livepatch.ExitRefused, m.Apply(context.Background(), "aaaaaaaa")), "has no parameter", "kernel.modules_disabled is 1")
	m.out.Reset()
	m.expect(livepatch.ExitDone, m.Reconcile(context.Background(), livepatch.ReconcileOptions{Retry: true}))
	if m.out.Len() > 0 {
		t.Errorf("said %q", m.out.String())
	}
}

// A user who loses patience gets the kernel as it was.
func TestInterruptedApplyIsReversed(t *testing.T) {
	m := newMachine(t)
	m.install("aaaaaaaa", 1, true)
	m.write("fake/holds-apply", "100")
	ctx, cancel := context.WithCancel(context.Background())
	m.Kernel = impatient{m.fake, cancel}
	m.mentions(m.expect(livepatch.ExitBlocked, m.Apply(ctx, "aaaaaaaa")), "did not end before the interruption and was reversed")
	m.loaded()
}

type impatient struct {
	*fakekernel.Kernel
	cancel func()
}

func (k impatient) InitModule(image []byte) error {
	defer k.cancel()
	return k.Kernel.InitModule(image)
}

func TestUname(t *testing.T) {
	m := newMachine(t)
	m.install("aaaaaaaa", 3, true)
	m.install("cccccccc", 1, false)
	for _, want := range []string{"6.1.0-54-amd64", "6.1.0-54-amd64+r3.aaaaaaaa.cccccccc"} {
		got, err := m.Uname()
		if err != nil || got != want {
			t.Errorf("uname %q, %v, want %q", got, err, want)
		}
		m.reconcile(livepatch.ExitDone)
	}
}
