package livepatch_test

import (
	"context"
	"testing"

	"livesplice/kmod/livepatch"
	"livesplice/kmod/livepatch/fakekernel"
)

func TestCrashGuard(t *testing.T) {
	ctx := context.Background()
	m := newMachine(t)
	m.install("aaaaaaaa", 1, true)
	m.boot(livepatch.ExitDone)
	m.expect(livepatch.ExitDone, m.Healthy(ctx))
	m.reboot("2222")
	m.boot(livepatch.ExitDone)
	m.loaded("aaaaaaaa")

	// This boot never proves healthy: a crash, or a power cut.
	m.reboot("3333")
	m.boot(livepatch.ExitDone)
	m.loaded("aaaaaaaa")
	m.state("aaaaaaaa", livepatch.Applied, "boots in a row that loaded it and did not stay up: 1; after 2 it is left out")
	m.reconcile(livepatch.ExitDone)
	m.state("aaaaaaaa", livepatch.Applied, "did not stay up: 1")
	// Nor does this one. Another update, of which it is the first, stays.
	m.install("cccccccc", 1, false)
	m.reboot("4444")
	m.mentions(m.boot(livepatch.ExitRefused), `update "aaaaaaaa": refused: the last 2 boots that loaded it did not stay up; splicectl apply aaaaaaaa tries again`)
	m.loaded("cccccccc")
	m.state("aaaaaaaa", livepatch.BlockedNow, "the last 2 boots that loaded it did not stay up")
	// A boot that is healthy without it says nothing of it.
	m.expect(livepatch.ExitDone, m.Healthy(ctx))
	m.remove("cccccccc")
	m.reconcile(livepatch.ExitRefused)
	m.reboot("5555")
	m.boot(livepatch.ExitRefused)
	m.loaded()

	// A new revision starts anew, and an administrator may insist.
	m.expect(livepatch.ExitDone, m.Apply(ctx, "aaaaaaaa"))
	m.loaded("aaaaaaaa")
	m.reboot("6666")
	m.boot(livepatch.ExitDone)
	m.loaded("aaaaaaaa")
	m.reboot("7777")
	m.install("bbbbbbbb", 2, true)
	m.boot(livepatch.ExitDone)
	m.loaded("bbbbbbbb")
}

// Only failures in a row count.
func TestHealthyBootResetsTheGuard(t *testing.T) {
	m := newMachine(t)
	m.install("aaaaaaaa", 1, true)
	for _, boot := range []string{"2222", "3333", "4444"} {
		m.reboot(boot + "-1")
		m.boot(livepatch.ExitDone) // not healthy
		m.reboot(boot + "-2")
		m.boot(livepatch.ExitDone)
		m.state("aaaaaaaa", livepatch.Applied, "did not stay up: 1")
		m.expect(livepatch.ExitDone, m.Healthy(context.Background()))
		s, err := m.Status()
		if err != nil || s.Updates[0].Why != "" {
			t.Errorf("%+v, %v", s, err)
		}
	}
}

// The guard is on disk before the module is loaded: a kernel that dies in the
// loading leaves it behind.
func TestCrashGuardIsArmedBeforeLoading(t *testing.T) {
	m := newMachine(t)
	m.install("aaaaaaaa", 1, true)
	for _, boot := range []string{"2222", "3333"} {
		m.reboot(boot)
		m.Kernel = dyingKernel{m.fake}
		func() {
			defer func() {
				if recover() == nil {
					t.Fatal("nothing was loaded")
				}
			}()
			m.boot(livepatch.ExitDone)
		}()
		m.Kernel = m.fake
	}
	m.reboot("4444")
	m.boot(livepatch.ExitRefused)
	m.loaded()
}

type dyingKernel struct{ *fakekernel.Kernel }

func (dyingKernel) InitModule([]byte) error { panic("kernel panic") }
