package rebuild

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"livesplice/pipeline/process"
)

// CompilerError says that the compiler at hand is not the one that built the shipped kernel (exit code 5). Another
// version makes other code, and nothing of it would match.
type CompilerError struct {
	Path string // the program that was tried
	Root string // the root that it is in; "": the machine's own
	Want string // CONFIG_CC_VERSION_TEXT of the shipped kernel: "gcc-12 (Debian 12.2.0-14+deb12u1) 12.2.0"
	Got  string // first line of its --version
}

func (e *CompilerError) Error() string {
	where := ""
	if e.Root != "" {
		where = fmt.Sprintf(" in root %q", e.Root)
	}
	return fmt.Sprintf("compiler %q%s: is %q, want the one that built the kernel, %q (Debian package %s)",
		e.Path, where, e.Got, e.Want, packageOf(e.Want))
}

// debianVersion takes the package's version out of a compiler's version text.
var debianVersion = regexp.MustCompile(`\((?:Debian|Ubuntu) ([^()]+)\)`)

// packageOf is the package that has a compiler: "gcc-12=12.2.0-14+deb12u1", as apt-get install takes it.
func packageOf(versionText string) string {
	name, _, _ := strings.Cut(versionText, " ")
	if pkg := process.Package(name); pkg != "" { // x86_64-linux-gnu-gcc-14 is in gcc-14
		name = pkg
	}
	if m := debianVersion.FindStringSubmatch(versionText); m != nil {
		return name + "=" + m[1]
	}
	return name
}

// BuildError says that the kernel's own build failed (exit code 6).
type BuildError struct {
	Unit       string // what was to be made: "fs/namei.o", "modules_prepare", "module livesplice_1234.ko"
	Command    string
	ExitCode   int
	FirstError string // the first error line of the compiler, its path relative to the source tree; "" if there is none
	Log        string // all that the build said
}

func (e *BuildError) Error() string {
	what := e.FirstError
	if what == "" {
		what = fmt.Sprintf("exit code %d: %s", e.ExitCode, lastWords(e.Log))
	}
	return fmt.Sprintf("build of %q: %s", e.Unit, what)
}

// lastWords is the last line of a log that is not make's own summing up.
func lastWords(log string) string {
	lines := strings.Split(strings.TrimSpace(log), "\n")
	for i := len(lines) - 1; i >= 0; i-- {
		if l := strings.TrimSpace(lines[i]); l != "" && !strings.HasPrefix(l, "make") {
			return l
		}
	}
	return strings.TrimSpace(lines[len(lines)-1])
}

// Refusal is a patch that the rebuild cannot carry yet (exit code 4).
type Refusal struct {
	File   string
	Reason string
	Remedy string
}

func (e *Refusal) Error() string { return fmt.Sprintf("file %q: %s (%s)", e.File, e.Reason, e.Remedy) }

// errorLine matches an error as gcc, clang, as, ld and modpost print it.
var errorLine = regexp.MustCompile(`(?m)^(?:(\S+?):(\d+):(?:\d+:)? (?:fatal )?[Ee]rror: .*|ERROR: modpost: .*|(?:\S+: )?ld: .*|\S+: (?:fatal )?error: .*)$`)

// firstError finds the first error line in a log and makes paths below the given folders relative.
func firstError(log string, roots ...string) string {
	line := errorLine.FindString(log)
	for _, root := range roots {
		line = strings.ReplaceAll(line, root+"/", "")
	}
	return line
}

// missingHeaders names the packages of headers that kbuild's host programs take, by the include that fails.
var missingHeaders = map[string]string{
	"libelf.h":   "libelf-dev",
	"gelf.h":     "libelf-dev",
	"openssl":    "libssl-dev",
	"gmp.h":      "libgmp-dev",
	"mpc.h":      "libmpc-dev",
	"zlib.h":     "zlib1g-dev",
	"gcc-plugin": "gcc-<version>-plugin-dev",
	"stdio.h":    "libc6-dev",
}

var missingInclude = regexp.MustCompile(`fatal error: ([^\s:]+): No such file or directory`)

// missingHeader knows a build that failed for want of a header of the machine, and names its package.
func missingHeader(log string) error {
	m := missingInclude.FindStringSubmatch(log)
	if m == nil {
		return nil
	}
	for _, key := range []string{m[1], strings.Split(m[1], "/")[0], strings.TrimSuffix(m[1], ".h")} {
		if pkg, ok := missingHeaders[key]; ok {
			return fmt.Errorf("header %s is not installed (Debian package %s)", strconv.Quote(m[1]), pkg)
		}
	}
	return nil
}
