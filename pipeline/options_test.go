package pipeline

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"livesplice/kconfig"
)

func TestOptionsCheck(t *testing.T) {
	dir := t.TempDir()
	good := func() Options {
		return Options{Patches: []string{"p"}, Source: "s", Kernel: []string{"k"}, Engine: "auto", Formats: []string{"rpm", "deb", "rpm"},
			Out: filepath.Join(dir, "not/there"), Revision: 1}
	}
	for _, tc := range []struct {
		name   string
		change func(o *Options)
		want   string // "": accepted
	}{
		{"as they should be", func(*Options) {}, ""},
		{"no patch", func(o *Options) { o.Patches = nil }, `argument PATCH: at least one patch is needed`},
		{"no kernel", func(o *Options) { o.Kernel = nil }, `flag "--kernel": the shipped kernel packages are needed: image and headers`},
		{"description with a line end", func(o *Options) { o.Description = "one\ntwo, größer" }, ""},
		{"description that steers a terminal", func(o *Options) { o.Description = "\x1b[31mred" }, `flag "--description": not printable UTF-8 text`},
		{"description that is not UTF-8", func(o *Options) { o.Description = "\xff" }, `flag "--description": not printable UTF-8 text`},
		{"longest description", func(o *Options) { o.Description = strings.Repeat("x", 4096) }, ""},
		{"description too long", func(o *Options) { o.Description = strings.Repeat("x", 4097) }, `flag "--description": 4097 bytes, at most 4096 are allowed`},
		{"key and certificate", func(o *Options) { o.SignKey, o.SignCert = "k", "c" }, ""},
		{"key without certificate", func(o *Options) { o.SignKey = "k" }, `flags "--sign-key" and "--sign-cert": a signature takes both: the private key and its certificate`},
		{"fixed, and for a reboot", func(o *Options) { o.Fixes, o.NeedsReboot = []string{"CVE-2026-10000"}, []string{"CVE-2026-10001"} }, ""},
		{"for a reboot, no CVE", func(o *Options) { o.NeedsReboot = []string{"10001"} }, `flag "--needs-reboot": "10001" is not of the form CVE-2026-12345`},
		{"both fixed and not", func(o *Options) { o.Fixes, o.NeedsReboot = []string{"CVE-2026-10001"}, []string{"CVE-2026-10001"} },
			`flag "--needs-reboot": CVE-2026-10001 is among those that --fixes names`},
		{"severity", func(o *Options) { o.Severity = "critical" }, ""},
		{"unknown severity", func(o *Options) { o.Severity = "high" }, `flag "--severity": "high" is none of none, low, moderate, important, critical`},
		{"highest revision", func(o *Options) { o.Revision = 1 << 30 }, ""},
		{"revision too high", func(o *Options) { o.Revision = 1<<30 + 1 }, `flag "--revision": 1073741825 is not a number from 1 to 1073741824`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o := good()
			tc.change(&o)
			err := o.Check()
			var usage *kconfig.UsageError
			if tc.want == "" && err != nil || tc.want != "" && (!errors.As(err, &usage) || err.Error() != tc.want) {
				t.Fatalf("got  %v\nwant %s", err, tc.want)
			}
			if tc.want == "" && !slices.Equal(o.Formats, []string{"deb", "rpm"}) {
				t.Errorf("formats %q, want each once, in order", o.Formats)
			}
		})
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

// TestCVEsOnce: statements of OpenVEX are unique, and a CVE that is named by two flags is one.
func TestCVEsOnce(t *testing.T) {
	o := Options{Patches: []string{"p"}, Source: "s", Kernel: []string{"k"}, Engine: "auto", Formats: []string{"deb"}, Revision: 1,
		Fixes: []string{"CVE-2026-10002", "CVE-2026-10001", "CVE-2026-10002"}, NeedsReboot: []string{"CVE-2026-10003", "CVE-2026-10003"}}
	if err := o.Check(); err != nil {
		t.Fatal(err)
	}
	if want := []string{"CVE-2026-10002", "CVE-2026-10001"}; !slices.Equal(o.Fixes, want) {
		t.Errorf("fixes %q, want %q", o.Fixes, want)
	}
	if want := []string{"CVE-2026-10003"}; !slices.Equal(o.NeedsReboot, want) {
		t.Errorf("needs a reboot: %q, want %q", o.NeedsReboot, want)
	}
}

// TestProbeTogether has many runs look at one folder, which each makes and removes.
func TestProbeTogether(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	var all errgroup.Group
	for range 4 {
		all.Go(func() error {
			for range 200 {
				if err := probe(out); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := all.Wait(); err != nil {
		t.Error(err)
	}
}

func TestReadsOnly(t *testing.T) {
	for _, tc := range []struct {
		files []string
		want  bool
	}{
		{[]string{"include/linux/fs.h"}, true},
		{[]string{"include/linux/fs.h", "mm/percpu.c"}, false},
		{[]string{"mm/percpu-vm.c"}, false}, // included by the unit
	} {
		if got := (PlannedUnit{Source: "mm/percpu.c", Files: tc.files}).readsOnly(); got != tc.want {
			t.Errorf("%q: got %v", tc.files, got)
		}
	}
}
