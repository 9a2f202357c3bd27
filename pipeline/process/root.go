package process

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Root is a folder with the programs of another release, as debootstrap makes it, in which commands run as if it were /.
// It is only read: what a command writes to it is gone when the command ends. Each command has a mount namespace of its
// own, so that nothing stays mounted, not even when it is killed. That needs the privileges of root or, for other users, a
// kernel that lets them have user namespaces.
type Root struct {
	Dir    string   // absolute
	Shared []string // absolute folders of the machine that commands see under the same path, and may write to
	Read   []string // the same for reading
}

//go:embed enter.sh
var enterScript string

// rootPath is PATH in a Root.
const rootPath = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"

// The codes with which enter.sh, chroot(1) and env(1) end when they cannot start the program.
const (
	exitEnter    = 125
	exitNotRun   = 126
	exitNotFound = 127
)

// Check says whether commands can run in the root.
func (r *Root) Check(ctx context.Context) error {
	for _, d := range []string{"tmp", "usr/bin"} {
		if st, err := os.Stat(filepath.Join(r.Dir, d)); err != nil || !st.IsDir() {
			return fmt.Errorf("folder %q: want the root of another release, with a folder %q", r.Dir, "/"+d)
		}
	}
	// The lower folder of an overlay stands among options, which these characters separate.
	if strings.ContainsAny(r.Dir, `:,\`) {
		return fmt.Errorf("folder %q: a path with a colon, comma or backslash cannot be used as a root", r.Dir)
	}
	_, err := Run(ctx, Cmd{Path: "true", Root: r})
	var exit *ExitError
	if errors.As(err, &exit) {
		return fmt.Errorf("folder %q: it cannot be entered: %s (that takes root's privileges or user namespaces)", r.Dir, lastLine(exit.Stderr))
	}
	return err
}

// wrap is the command of the machine that runs c in its root.
func (r *Root) wrap(c Cmd) Cmd {
	args := []string{"--mount"}
	if os.Geteuid() != 0 {
		args = append(args, "--user", "--map-root-user")
	}
	dir := c.Dir
	if dir == "" {
		dir = "/"
	}
	args = append(args, "--", "sh", "-c", enterScript, "enter", r.Dir, dir)
	for _, d := range r.Shared {
		args = append(args, "rw", d)
	}
	for _, d := range r.Read {
		args = append(args, "ro", d)
	}
	args = append(append(args, "--", c.Path), c.Args...)
	env := c.Env
	if env == nil {
		env = Env()
	}
	// The folder for temporary files may not be there; /tmp is, and is the command's own.
	env = slices.DeleteFunc(slices.Clone(env), func(kv string) bool { return strings.HasPrefix(kv, "TMPDIR=") || strings.HasPrefix(kv, "PATH=") })
	c.Path, c.Args, c.Dir, c.Env, c.Root = "unshare", args, "", append(env, "PATH="+rootPath), nil
	return c
}

// failure tells a root that could not be entered, and a program that it lacks, from one that ended badly.
func (r *Root) failure(c Cmd, err error) error {
	var exit *ExitError
	if !errors.As(err, &exit) {
		return err
	}
	exit.Command = c.String()
	switch exit.Code {
	case exitEnter:
		return fmt.Errorf("program %q: root %q: it cannot be entered: %s", c.Path, r.Dir, lastLine(exit.Stderr))
	case exitNotRun, exitNotFound:
		return &MissingError{Program: c.Path, Package: Package(c.Path), Root: r.Dir}
	}
	return exit
}
