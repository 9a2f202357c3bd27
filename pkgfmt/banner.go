package pkgfmt

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
)

// Banner is the parsed linux_banner of a kernel image. Source: init/version-timestamp.c, v6.1:
// "Linux version <release> (<user>@<host>) (<compiler>, <linker>) <uname -v>\n".
type Banner struct {
	Text     string // whole, without the newline
	Release  string // "6.1.0-54-amd64"
	Compiler string // "gcc-12 (Debian 12.2.0-14+deb12u1) 12.2.0", as CONFIG_CC_VERSION_TEXT has it
	Linker   string // "GNU ld (GNU Binutils for Debian) 2.40"; empty before Linux 5.8
	Version  string // uname -v: "#1 SMP PREEMPT_DYNAMIC Debian 6.1.190-1 (2026-10-16)"
}

const bannerStart = "Linux version "

// maxBanner bounds linux_banner, in bytes.
const maxBanner = 1024

// findBanner searches a kernel image for linux_banner. Since Linux 6.1 there are two: init/version.c has a weak one with
// an empty build number ("# SMP ..."), which the last link overrides by that of init/version-timestamp.c.
func findBanner(image []byte) (Banner, error) {
	var found Banner
	for {
		i := bytes.Index(image, []byte(bannerStart))
		if i < 0 {
			break
		}
		image = image[i:]
		line := image[:min(len(image), maxBanner)]
		image = image[len(bannerStart):]
		n := bytes.IndexAny(line, "\n\x00")
		if n < 0 || line[n] != '\n' {
			continue
		}
		b, err := parseBanner(string(line[:n]))
		if err != nil {
			continue
		}
		if found = b; hasBuildNumber(b.Version) {
			break
		}
	}
	if found.Text == "" {
		return Banner{}, errors.New("kernel image has no banner (\"" + bannerStart + "...\")")
	}
	return found, nil
}

func hasBuildNumber(version string) bool {
	return len(version) > 1 && version[0] == '#' && version[1] >= '0' && version[1] <= '9'
}

func parseBanner(text string) (Banner, error) {
	b := Banner{Text: text}
	rest, ok := strings.CutPrefix(text, bannerStart)
	if !ok {
		return Banner{}, fmt.Errorf("banner %q: want %q first", text, bannerStart)
	}
	if b.Release, rest, ok = strings.Cut(rest, " "); !ok || b.Release == "" {
		return Banner{}, fmt.Errorf("banner %q: no release", text)
	}
	_, rest, ok = cutParens(rest) // who built it
	if !ok {
		return Banner{}, fmt.Errorf("banner %q: no builder in parentheses", text)
	}
	tools, rest, ok := cutParens(rest)
	if !ok {
		return Banner{}, fmt.Errorf("banner %q: no compiler in parentheses", text)
	}
	b.Version = strings.TrimSpace(rest)
	b.Compiler = tools
	depth := 0
	for i, r := range tools {
		switch r {
		case '(':
			depth++
		case ')':
			depth--
		}
		if depth == 0 && strings.HasPrefix(tools[i:], ", ") {
			b.Compiler, b.Linker = tools[:i], tools[i+2:]
			break
		}
	}
	return b, nil
}

// cutParens takes "(...)" off the front of s; parentheses inside come in pairs.
func cutParens(s string) (inside, rest string, ok bool) {
	s = strings.TrimLeft(s, " ")
	depth := 0
	for i, r := range s {
		switch r {
		case '(':
			depth++
		case ')':
			depth--
		}
		if depth == 0 {
			return s[min(1, i):i], s[i+1:], i > 0
		}
	}
	return "", s, false
}
