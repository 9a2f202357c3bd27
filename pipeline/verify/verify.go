// Package verify is the gate before a release: it boots the shipped kernel in a VM and does with an update's package what
// administrators will do: install it, undo and apply the update, remove the package. After each step it asks the kernel
// itself what is patched, and reads its log.
package verify

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"livesplice/ci/vm"
	"livesplice/kconfig"
	"livesplice/kmod/livepatch"
	"livesplice/pipeline/cache"
	"livesplice/pkgfmt"
)

// Options say what to verify.
type Options struct {
	Package string   // of the update
	Kernel  []string // shipped packages, or a folder with them unpacked: image and modules
	// Host is the package of splicectl, of the same format; "" to find it, see hostPackage.
	Host    string
	Timeout time.Duration // of the machine's whole life; 0 for 10 minutes
	Cache   string        // folder; "" for the user's cache
	// Tell is called as each step ends; nil for nobody.
	Tell func(Step)
}

// Result is what became of one package.
type Result struct {
	Package  string  `json:"package"`
	Format   string  `json:"format"` // "deb", "rpm"
	ID       string  `json:"id"`
	Release  string  `json:"release"`
	BuildID  string  `json:"build_id"`
	Accel    string  `json:"accel,omitempty"` // QEMU's accelerator: "kvm", "tcg"
	Verified bool    `json:"verified"`
	Steps    []Step  `json:"steps"`
	Seconds  float64 `json:"seconds"`
	// Absent are the patched modules that could not be loaded in the machine, most for want of their hardware: of these only
	// the update's own loading is verified.
	Absent []string `json:"absent,omitempty"`
}

// Step is one thing that was done to the machine.
type Step struct {
	Name     string   `json:"name"` // "install"
	What     string   `json:"what"` // for people: "dpkg -i linux-livesplice-6.1.0-54-amd64_1_amd64.deb"
	Seconds  float64  `json:"seconds"`
	Problems []string `json:"problems,omitempty"` // none: it went well
}

// Failed says that an update did not do in the machine what it is for (exit code 4: not to be applied).
type Failed struct {
	Package string
	Step    Step // the first with problems
}

func (e *Failed) Error() string {
	return fmt.Sprintf("package %q: %s: %s", e.Package, e.Step.Name, strings.Join(e.Step.Problems, "; "))
}

const defaultTimeout = 10 * time.Minute

// Run verifies one package. Once the machine was to be started there is a result with an error too: *Failed, *vm.DiedError.
// Before: *pkgfmt.InputError, *kconfig.UsageError, *pkgfmt.MismatchError for a package of another kernel.
func Run(ctx context.Context, o Options) (*Result, error) {
	start := time.Now()
	u, err := pkgfmt.ReadUpdate(ctx, o.Package)
	if err != nil {
		return nil, err
	}
	store, err := cache.Open(o.Cache)
	if err != nil {
		return nil, err
	}
	kernel, err := pkgfmt.OpenImage(ctx, store, o.Kernel)
	if err != nil {
		return nil, err
	}
	if err := sameKernel(u, kernel, o.Kernel); err != nil {
		return nil, err
	}
	scratch, err := store.Scratch("verify")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(scratch)
	host, err := hostPackage(ctx, o, u.Format, scratch)
	if err != nil {
		return nil, err
	}
	m := u.Manifest
	res := &Result{Package: o.Package, Format: u.Format.String(), ID: m.ID, Release: m.Release, BuildID: m.BuildID, Steps: []Step{}}
	r := &rehearsal{options: o, update: u, host: host, objects: Objects(m), result: res}
	modules, err := r.available(ctx, kernel)
	if err != nil {
		return nil, err
	}
	err = r.boot(ctx, kernel, modules)
	res.Seconds, res.Verified = time.Since(start).Seconds(), err == nil
	return res, err
}

// sameKernel makes sure that an update is for the kernel that will be booted.
func sameKernel(u *pkgfmt.Update, k *pkgfmt.Kernel, given []string) error {
	m := u.Manifest
	if m.Release != k.Release || m.BuildID != k.BuildID.String() {
		return &pkgfmt.MismatchError{Path: u.Path, Got: fmt.Sprintf("an update of kernel %s with build-id %s", m.Release, m.BuildID),
			Want: fmt.Sprintf("one of %s with build-id %s (%s)", k.Release, k.BuildID, strings.Join(given, ", "))}
	}
	return nil
}

// available are the patched modules that the kernel's packages have.
func (r *rehearsal) available(ctx context.Context, k *pkgfmt.Kernel) ([]string, error) {
	var names []string
	for _, o := range r.objects {
		if o.Name == livepatch.VMLinux {
			continue
		}
		_, err := k.Module(ctx, o.Name)
		var input *pkgfmt.InputError
		switch {
		case errors.As(err, &input):
			r.result.Absent = append(r.result.Absent, o.Name)
		case err != nil:
			return nil, err
		default:
			names = append(names, o.Name)
		}
	}
	return names, nil
}

// boot starts the machine and takes the update through all steps.
func (r *rehearsal) boot(ctx context.Context, k *pkgfmt.Kernel, modules []string) error {
	kernel, err := bootable(r.options.Kernel)
	if err != nil {
		return err
	}
	life := r.options.Timeout
	if life == 0 {
		life = defaultTimeout
	}
	ctx, stop := context.WithTimeout(ctx, life)
	defer stop()
	var machine *vm.VM
	err = r.step(ctx, "boot", k.Release, func(ctx context.Context) (err error) {
		machine, err = vm.Start(ctx, vm.Config{Image: kernel[0], Parts: kernel[1:], Modules: modules, Memory: machineMemory, Timeout: life, Cache: r.options.Cache})
		return err
	})
	if err != nil {
		return err
	}
	defer machine.Close()
	r.result.Accel = machine.Accel()
	return r.rehearse(ctx, machine)
}

const machineMemory = 2048 // MiB: the initramfs holds the target modules with all that they need

// bootable are the kernel's packages as a machine takes them: it looks for the image in all of them, or in one folder.
func bootable(paths []string) ([]string, error) {
	for _, p := range paths {
		if st, err := os.Stat(p); err == nil && st.IsDir() && len(paths) > 1 {
			return nil, &kconfig.UsageError{Thing: `flag "--kernel"`, Reason: fmt.Sprintf("folder %q: give either one folder with all of the kernel's packages unpacked, or packages", p)}
		}
	}
	return paths, nil
}
