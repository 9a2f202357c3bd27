package vm

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"livesplice/ci/archive"
	"livesplice/pipeline/cache"
	"livesplice/pipeline/process"
)

// The recipe of the root. A change of any of it makes another root.
const (
	rootSuite    = "bookworm"
	rootPackages = "kmod,mount,procps,rpm"
	rootSize     = "2G" // sparse; the guest's disk
	// rootHook runs in mmdebstrap with the tree as $1. Debian's rpm keeps its database in the user's home and it is empty;
	// here it is where rpm distributions have it, and knows of the shell, which the scriptlets of every package require.
	rootHook = `set -eu
echo livesplice > "$1/etc/hostname"
rm -f "$1/etc/resolv.conf"
mkdir -p "$1/sysroot" "$1/etc/rpm"
echo '%_dbpath /var/lib/rpm' > "$1/etc/rpm/macros"
cat > "$1/tmp/base.spec" <<END
Name: vm-base
Version: 1
Release: 1
Summary: What the root has that is not from an rpm
License: Apache-2.0
BuildArch: noarch
Provides: /bin/sh
%description
%summary
%files
END
chroot "$1" sh -euc 'cd /tmp; rpmbuild --quiet -bb --define "_topdir /tmp/rpm" base.spec; rpm -i --force-debian rpm/RPMS/noarch/*.rpm'
rm -r "$1/tmp/rpm" "$1/tmp/base.spec"`
	// rootPack runs with the tar as $1 and the image as $2. It removes the tree itself: when it runs in a user
	// namespace, nobody outside can.
	rootPack = `set -eu
tree="$2.tree"
mkdir "$tree"
tar --extract --numeric-owner --preserve-permissions --exclude='./dev/*' --file="$1" --directory="$tree"
mke2fs -q -t ext4 -L root -E lazy_itable_init=1,lazy_journal_init=1 -J size=16 -d "$tree" "$2" ` + rootSize + `
rm -rf "$tree" "$1"`
)

// rootOptions keep out what no test reads.
var rootOptions = []string{
	"--variant=apt", "--format=tar", "--include=" + rootPackages,
	"--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/man/*",
	"--dpkgopt=path-exclude=/usr/share/locale/*", "--dpkgopt=path-exclude=/usr/share/info/*",
}

// rootImage is the path of the root's ext4 image, made on first use from the mirror that the machine has configured.
func rootImage(ctx context.Context, c *cache.Cache) (string, error) {
	recipe := strings.Join(append([]string{rootSuite, rootHook, rootPack}, rootOptions...), "\x00")
	sum := sha256.Sum256([]byte(recipe))
	dir, err := c.Dir(ctx, "vm-root", hex.EncodeToString(sum[:16]), makeRoot)
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "root.ext4"), nil
}

func makeRoot(ctx context.Context, dir string) error {
	mirror, err := debianMirror(ctx)
	if err != nil {
		return fmt.Errorf("vm root: %w", err)
	}
	aptOptions, err := acquireOptions(ctx)
	if err != nil {
		return fmt.Errorf("vm root: %w", err)
	}
	args := append([]string{"--quiet", "--customize-hook=" + rootHook}, rootOptions...)
	for _, o := range aptOptions {
		args = append(args, "--aptopt="+o)
	}
	tarball := filepath.Join(dir, "root.tar")
	args = append(args, rootSuite, tarball, "deb "+mirror+" "+rootSuite+" main")
	// mmdebstrap works in a user namespace when it is not root, and must be able to reach its temporary folder there.
	cmd := process.Cmd{Path: "mmdebstrap", Args: args, Env: process.Env("TMPDIR=/var/tmp")}
	if _, err := process.Run(ctx, cmd); err != nil {
		return fmt.Errorf("vm root: %w", err)
	}
	pack := []string{"/bin/sh", "-c", rootPack, "pack", tarball, filepath.Join(dir, "root.ext4")}
	if os.Geteuid() != 0 {
		// The files' owners need a range of user IDs: that of the user in /etc/subuid, as mmdebstrap itself does it.
		pack = append([]string{"unshare", "--user", "--map-root-user", "--map-auto", "--"}, pack...)
	}
	if _, err := process.Run(ctx, process.Cmd{Path: pack[0], Args: pack[1:]}); err != nil {
		return fmt.Errorf("vm root: %w", err)
	}
	return nil
}

// debianMirror is the mirror from which this machine takes Debian's main suite.
func debianMirror(ctx context.Context) (string, error) {
	a, err := archive.Open("")
	if err != nil {
		return "", err
	}
	return a.Mirror(ctx)
}

// acquireOptions are the machine's own settings of how to reach a mirror, in apt.conf syntax.
func acquireOptions(ctx context.Context) ([]string, error) {
	res, err := process.Run(ctx, process.Cmd{Path: "apt-config", Args: []string{"dump", "Acquire"}})
	if err != nil {
		return nil, err
	}
	var options []string
	for line := range strings.Lines(string(res.Stdout)) {
		line = strings.TrimSuffix(strings.TrimSpace(line), ";")
		for _, p := range []string{"Acquire::http", "Acquire::https", "Acquire::Check-", "Acquire::Retries", "Acquire::Force"} {
			if strings.HasPrefix(line, p) && !strings.HasSuffix(line, `""`) {
				options = append(options, line)
				break
			}
		}
	}
	return options, nil
}
