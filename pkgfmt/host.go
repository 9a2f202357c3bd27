package pkgfmt

import (
	"context"
	"debug/elf"
	"fmt"
	"os"
	"path"
	"regexp"
	"time"

	"github.com/goreleaser/nfpm/v2"

	"livesplice/kmod/livepatch"
)

// HostSpec is what the host package is made from.
type HostSpec struct {
	// Program is the path of the statically linked splicectl.
	Program string
	// Version is the package's, in characters that dpkg and rpm both take: 0.1.0.
	Version string
	// Arch is the program's architecture as Go names it.
	Arch string
	// Maintainer is "Name <mail@host>".
	Maintainer string
	// MTime is every time in the package.
	MTime time.Time
}

var hostVersionPattern = regexp.MustCompile(`^[0-9][0-9A-Za-z.+~]{0,63}$`)

// unitFolder is where systemd, both on Debian and where rpm rules, looks for a
// package's units. Debian's /lib/systemd/system is the same folder.
const unitFolder = "/usr/lib/systemd/system"

// EmitHost writes the package of splicectl into outDir and returns its path.
// The file appears whole or not at all; the same spec gives the same bytes.
//
// The package holds /usr/sbin/splicectl, the units that apply updates at boot,
// clear the crash guard and try again, and the manual page. Its postinst takes
// the trigger of update packages. Its scripts never fail: an update that cannot
// be applied is for splicectl status to tell, not for the package manager.
func EmitHost(ctx context.Context, spec HostSpec, format Format, outDir string) (string, error) {
	if !hostVersionPattern.MatchString(spec.Version) {
		return "", fmt.Errorf("version %q: expected %s", spec.Version, hostVersionPattern)
	}
	program, err := staticProgram(spec.Program)
	if err != nil {
		return "", err
	}
	e, err := newEmission(&nfpm.Info{
		Name:     "splicectl",
		Arch:     spec.Arch,
		Version:  spec.Version,
		Section:  "admin",
		Priority: "optional",
		License:  "Apache-2.0",
		Description: "apply and undo live updates of the running kernel\n" +
			"Makes the running kernel match the livesplice update packages that are\n" +
			"installed: it loads their livepatch modules, follows the transitions, undoes\n" +
			"what was removed, and does the same early in each boot.\n",
	}, spec.Maintainer, spec.MTime)
	if err != nil {
		return "", err
	}
	defer e.close()
	if err := e.addHost(program); err != nil {
		return "", err
	}
	switch format {
	case FormatDeb:
		err = e.debHost()
	case FormatRPM:
		err = e.rpmHost()
	}
	if err != nil {
		return "", err
	}
	return e.write(ctx, format, outDir)
}

// staticProgram reads a program and makes sure that it needs no other file to
// run: it runs before much else does.
func staticProgram(name string) ([]byte, error) {
	f, err := elf.Open(name)
	if err != nil {
		return nil, &InputError{Path: name, Want: "the splicectl program, an ELF file", Err: err}
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return nil, &InputError{Path: name, Want: "a statically linked splicectl (CGO_ENABLED=0)", Got: "a dynamically linked program"}
		}
	}
	return os.ReadFile(name)
}

// addHost puts in what both formats have.
func (e *emission) addHost(program []byte) error {
	e.addFolder("/" + livepatch.UpdatesDir)
	if err := e.add("/usr/sbin/splicectl", 0o755, program); err != nil {
		return err
	}
	for _, unit := range []string{"livesplice.service", "livesplice-healthy.service", "livesplice-healthy.timer", "livesplice-retry.service", "livesplice-retry.timer"} {
		if err := e.addEmbedded(path.Join(unitFolder, unit), "host/"+unit); err != nil {
			return err
		}
	}
	page, err := emittedFiles.ReadFile("host/splicectl.8")
	if err != nil {
		return err
	}
	page, err = gzipped(page)
	if err != nil {
		return err
	}
	return e.add("/usr/share/man/man8/splicectl.8.gz", 0o644, page)
}

func (e *emission) debHost() error {
	e.info.Deb.Triggers.InterestNoAwait = []string{reconcileTrigger}
	if err := e.addDebDocs("host/copyright", change{points: []string{"Release " + e.info.Version + "."}, urgency: "medium"}); err != nil {
		return err
	}
	if err := e.addEmbedded("/usr/share/lintian/overrides/splicectl", "host/lintian-overrides"); err != nil {
		return err
	}
	for name, to := range map[string]*string{
		"host.deb.postinst": &e.info.Scripts.PostInstall,
		"host.deb.prerm":    &e.info.Scripts.PreRemove,
		"host.deb.postrm":   &e.info.Scripts.PostRemove,
	} {
		if err := e.script(to, name, ""); err != nil {
			return err
		}
	}
	return nil
}

func (e *emission) rpmHost() error {
	if err := e.addEmbedded("/usr/lib/systemd/system-preset/80-livesplice.preset", "host/livesplice.preset"); err != nil {
		return err
	}
	if err := e.addEmbedded("/usr/share/licenses/splicectl/copyright", "host/copyright"); err != nil {
		return err
	}
	for name, to := range map[string]*string{
		"host.rpm.post":      &e.info.Scripts.PostInstall,
		"host.rpm.preun":     &e.info.Scripts.PreRemove,
		"host.rpm.postun":    &e.info.Scripts.PostRemove,
		"host.rpm.posttrans": &e.info.RPM.Scripts.PostTrans,
	} {
		if err := e.script(to, name, ""); err != nil {
			return err
		}
	}
	return nil
}
