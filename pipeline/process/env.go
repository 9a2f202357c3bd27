package process

import (
	"os"
	"slices"
	"strings"
)

// passed are the variables of our own environment that programs may see. Everything else stays out: MAKEFLAGS, CC,
// KCFLAGS, C_INCLUDE_PATH, GCC_COMPARE_DEBUG and their like change what kbuild makes.
var passed = []string{
	"HOME", "USER", "LOGNAME", "TMPDIR", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR",
	"http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY",
}

// fixed are the variables that make a build repeatable. The timestamp, user and host end up in
// include/generated/compile.h and utsversion.h; no object of an update reads them.
// Source: Documentation/kbuild/reproducible-builds.rst, v6.1.
var fixed = []string{
	"LC_ALL=C",
	"TZ=UTC",
	"KBUILD_BUILD_TIMESTAMP=Thu Jan  1 00:00:00 UTC 1970",
	"KBUILD_BUILD_USER=livesplice",
	"KBUILD_BUILD_HOST=livesplice",
	"SOURCE_DATE_EPOCH=0",
}

// Env is the clean environment in which programs run, followed by extra ("KEY=value"; the last one of a key counts).
// PATH is ours, with the folders for system programs behind it, since a user's PATH lacks them on Debian.
func Env(extra ...string) []string {
	env := []string{"PATH=" + searchPath(os.Getenv("PATH"))}
	for _, k := range passed {
		if v, ok := os.LookupEnv(k); ok {
			env = append(env, k+"="+v)
		}
	}
	env = append(env, fixed...)
	return append(env, extra...)
}

func searchPath(path string) string {
	var dirs []string
	for _, d := range strings.Split(path, ":") {
		// A relative folder in PATH would mean another program for each working folder.
		if strings.HasPrefix(d, "/") {
			dirs = append(dirs, d)
		}
	}
	for _, d := range []string{"/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"} {
		if !slices.Contains(dirs, d) {
			dirs = append(dirs, d)
		}
	}
	return strings.Join(dirs, ":")
}
