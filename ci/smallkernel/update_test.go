package smallkernel

import (
	"testing"

	"livesplice/kmod/match"
	"livesplice/pipeline"
)

// TestUpdate makes an update by the whole finished build, with its vmlinux and with what packaging left in it, for the kernel
// in either package.
func TestUpdate(t *testing.T) {
	k := small(t)
	ids := map[string]bool{}
	for _, image := range []string{k.Image, k.RPM} {
		res, err := pipeline.Create(t.Context(), pipeline.Options{Patches: []string{"../../testdata/patches/proc-version-spliced.patch"}, BuildTree: k.Object,
			Kernel: []string{image}, Engine: "auto", Formats: []string{"deb", "rpm"}, Out: t.TempDir(), Revision: 1}, pipeline.NewStages(nil))
		if err != nil {
			t.Fatal(err)
		}
		u := res.Report.Units
		if len(u) != 1 || len(u[0].Replaced) != 1 || u[0].Replaced[0].Name != "version_proc_show" || u[0].Replaced[0].Proof != match.Strict || res.Report.Release != k.Release {
			t.Errorf("%s: report %+v", image, res.Report)
		}
		ids[res.Report.ID] = true
	}
	if len(ids) != 1 {
		t.Errorf("the same kernel in two packages gives updates %v", ids)
	}
}
