package kconfig

import (
	"strings"
	"testing"
)

func TestParseRelease(t *testing.T) {
	for _, tt := range []struct {
		release, banner string
		want            Release
	}{
		{"6.1.0-54-amd64", "Linux version 6.1.0-54-amd64 (debian-kernel@lists.debian.org) (gcc-12 (Debian 12.2.0-14+deb12u1) 12.2.0, GNU ld (GNU Binutils for Debian) 2.40) #1 SMP PREEMPT_DYNAMIC Debian 6.1.190-1 (2026-10-16)",
			Release{"6.1.0-54-amd64", 6, 1, 0, "-54-amd64", "6.1.190", "6.1.190-1"}},
		{"6.1.0-54-amd64", "", Release{"6.1.0-54-amd64", 6, 1, 0, "-54-amd64", "6.1.0", ""}},
		{"6.12.111+deb12-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.12.111-1~deb12u1 (2026-09-30)",
			Release{"6.12.111+deb12-amd64", 6, 12, 111, "+deb12-amd64", "6.12.111", "6.12.111-1~deb12u1"}},
		{"5.14.0-503.el9.x86_64", "#1 SMP PREEMPT_DYNAMIC Thu Aug 22 17:03:23 UTC 2024",
			Release{"5.14.0-503.el9.x86_64", 5, 14, 0, "-503.el9.x86_64", "5.14.0", ""}},
		{"6.18-rc1", "", Release{"6.18-rc1", 6, 18, 0, "-rc1", "6.18", ""}},
		{"6.8.0-31-generic", "#31-Ubuntu SMP PREEMPT_DYNAMIC Sat Apr 20 00:40:06 UTC 2024",
			Release{"6.8.0-31-generic", 6, 8, 0, "-31-generic", "6.8.0", ""}},
		{"7.2", "", Release{"7.2", 7, 2, 0, "", "7.2", ""}},
	} {
		got, err := ParseRelease(tt.release, tt.banner)
		if err != nil || got != tt.want {
			t.Errorf("ParseRelease(%q, %q) = %+v, %v, want %+v", tt.release, tt.banner, got, err, tt.want)
		}
	}
	for _, bad := range []string{"", "6", "six.one", "6.", "6.1/../x", "6.1 -x", "6.1x", "99999.1", "-6.1", "6.1.0-" + strings.Repeat("a", 60)} {
		if r, err := ParseRelease(bad, ""); err == nil {
			t.Errorf("ParseRelease(%q) = %+v, want an error", bad, r)
		}
	}
}

func TestAtLeast(t *testing.T) {
	r := Release{Major: 6, Minor: 1}
	for _, tt := range []struct {
		major, minor int
		want         bool
	}{{5, 10, true}, {6, 0, true}, {6, 1, true}, {6, 2, false}, {7, 0, false}, {5, 19, true}} {
		if got := r.AtLeast(tt.major, tt.minor); got != tt.want {
			t.Errorf("6.1 AtLeast(%d, %d) = %v", tt.major, tt.minor, got)
		}
	}
}

func FuzzParseRelease(f *testing.F) {
	f.Add("6.1.0-54-amd64", "Linux version 6.1.0-54-amd64 (x) (gcc) #1 SMP PREEMPT_DYNAMIC Debian 6.1.190-1 (2026-10-16)")
	f.Add("7.2-rc1+", "")
	f.Fuzz(func(t *testing.T, release, banner string) {
		r, err := ParseRelease(release, banner)
		if err != nil {
			return
		}
		if r.String() != release || len(release) > MaxRelease {
			t.Errorf("%q became %+v", release, r)
		}
		if !r.AtLeast(r.Major, r.Minor) || r.AtLeast(r.Major, r.Minor+1) || r.AtLeast(r.Major+1, 0) {
			t.Errorf("%+v: AtLeast", r)
		}
	})
}
