// Demo makes an update from the patches in testdata for a kernel of the Debian archive, and shows in a VM that boots
// that kernel unmodified what installing and removing the package does.
package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"livesplice/ci/archive"
	"livesplice/ci/vm"
)

// fixedIn is the Debian version from which on kernels have the fix in testdata.
const fixedIn = "6.1.192-1"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := demo(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func demo(ctx context.Context) error {
	kernel, files, err := olderKernel(ctx)
	if err != nil {
		return err
	}
	out, err := os.MkdirTemp("", "livesplice-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(out)
	if err := tell(ctx, "Building livesplice and the package of splicectl", "go", "build", "-o", out+"/livesplice", "./cmd/livesplice"); err != nil {
		return err
	}
	if err := tell(ctx, "", "go", "run", "./ci/packages", "-out", out); err != nil {
		return err
	}
	patches := []string{"testdata/patches/fcntl-immutable-hint.patch", "testdata/patches/proc-version-spliced.patch"}
	create := append([]string{"create", "--source", files.Source, "--kernel", files.Image, "--kernel", files.Headers, "--kernel", files.HeadersCommon,
		"--description", "Refuse write hints on immutable files; show the splice in /proc/version", "--format", "deb", "--out", out}, patches...)
	if err := tell(ctx, "Making an update for "+kernel.Release+" ("+kernel.Version+")", out+"/livesplice", create...); err != nil {
		return err
	}
	return show(ctx, files.Image, out)
}

// olderKernel is the newest kernel of the archive that lacks the fix.
func olderKernel(ctx context.Context) (archive.Kernel, archive.Files, error) {
	fmt.Println("==> Asking the archive for a kernel older than", fixedIn)
	kernels, err := archive.Kernels(ctx, "6.1")
	if err != nil {
		return archive.Kernel{}, archive.Files{}, err
	}
	k, err := archive.Before(kernels, fixedIn)
	if err != nil {
		return k, archive.Files{}, err
	}
	fmt.Printf("    %s, version %s; the newest is %s\n", k.Release, k.Version, kernels[len(kernels)-1].Version)
	files, err := k.Fetch(ctx)
	return k, files, err
}

// tell runs a program with its output shown.
func tell(ctx context.Context, what, program string, args ...string) error {
	if what != "" {
		fmt.Println("==>", what)
	}
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(program), err)
	}
	return nil
}

// effects shows both changes: the line that a person can see, and the fix by the system call that it guards. The
// numbers are FS_IOC_SETFLAGS with FS_IMMUTABLE_FL, what chattr +i does, and F_SET_RW_HINT.
const effects = `cut -c1-60 /proc/version
touch /root/fixed
perl -e '
	sub immutable { my $flags = pack("L", shift); ioctl(F, 0x40086602, $flags) or die "FS_IOC_SETFLAGS: $!" }
	open(F, "<", "/root/fixed") or die "open: $!";
	immutable(16);
	my $hint = pack("Q", 1);
	print "F_SET_RW_HINT on an immutable file: ", (fcntl(F, 1036, $hint) ? "accepted" : "refused ($!)"), "\n";
	immutable(0);'
`

func show(ctx context.Context, image, out string) error {
	start := time.Now()
	machine, err := vm.Start(ctx, vm.Config{Image: image, Timeout: 10 * time.Minute})
	if err != nil {
		return err
	}
	defer machine.Close()
	fmt.Printf("==> The shipped kernel %s runs in QEMU (%s), %.0f s after its start\n", machine.Release(), machine.Accel(), time.Since(start).Seconds())
	debs, err := filepath.Glob(filepath.Join(out, "*.deb"))
	if err != nil {
		return err
	}
	for _, d := range debs {
		if err := machine.CopyIn(ctx, d, "/root/"+filepath.Base(d)); err != nil {
			return err
		}
	}
	for _, step := range []struct{ what, script string }{
		{"Before", effects},
		{"Installing splicectl and the update", "dpkg -i /root/splicectl_*.deb /root/linux-livesplice-*.deb && splicectl status"},
		{"After", effects + "\nls /sys/kernel/livepatch"},
		{"Removing the update", "dpkg -r $(dpkg-query -W -f '${Package}\\n' 'linux-livesplice-*') && splicectl status"},
		{"Gone", effects + "\nls /sys/kernel/livepatch"},
		{"What the kernel's log says of it", "dmesg | grep -i -e livepatch -e livesplice"},
	} {
		fmt.Println("==>", step.what)
		res, err := machine.Run(ctx, step.script)
		if err != nil {
			return err
		}
		fmt.Print(indent(res.Stdout + res.Stderr))
		if res.ExitCode != 0 {
			return fmt.Errorf("%s: exit code %d", step.what, res.ExitCode)
		}
	}
	warnings, err := machine.Warnings(ctx, 0)
	if err != nil {
		return err
	}
	fmt.Printf("==> Warnings in the kernel's log: %d\n", len(warnings))
	for _, w := range warnings {
		fmt.Println("   ", w)
	}
	return nil
}

func indent(s string) string {
	return "    " + strings.ReplaceAll(strings.TrimRight(s, "\n"), "\n", "\n    ") + "\n"
}
