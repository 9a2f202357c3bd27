package livepatch_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"livesplice/kmod/livepatch"
	"livesplice/kmod/livepatch/fakekernel"
)

// TestModuleWithoutFunctions applies an update that only adds code to one of its modules: the kernel shows an object without
// functions, which is patched while the module is loaded, and whose build-id counts like that of others.
func TestModuleWithoutFunctions(t *testing.T) {
	const id = "aaaaaaaa"
	added := strings.Repeat("cd", 20)
	m := newMachine(t)
	manifest, err := m.fake.Install(id, 1, true, "")
	if err != nil {
		t.Fatal(err)
	}
	image, err := json.Marshal(fakekernel.Module{Name: livepatch.ModuleName(id), Replace: true, Objects: map[string][]string{"vmlinux": {"path_openat,1"}, "af_alg": nil}})
	if err != nil {
		t.Fatal(err)
	}
	manifest.ModuleSHA256 = fmt.Sprintf("%x", sha256.Sum256(image))
	manifest.Objects = append(manifest.Objects, livepatch.Object{Name: "af_alg", BuildID: added, Functions: []livepatch.Function{}})
	data, err := manifest.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if err := manifest.Validate(); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{livepatch.ManifestName: data, manifest.ModuleFile: image} {
		if err := os.WriteFile(filepath.Join(m.folder(id), name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	m.write("sys/module/af_alg/notes/.note.gnu.build-id", string(fakekernel.Notes(strings.Repeat("ab", 20))))
	m.mentions(m.reconcile(livepatch.ExitRefused), `module "af_alg" that is loaded has build-id abab`)
	m.write("sys/module/af_alg/notes/.note.gnu.build-id", string(fakekernel.Notes(added)))
	m.reconcile(0)
	if patched, err := os.ReadFile(filepath.Join(m.Root, "sys/kernel/livepatch", livepatch.ModuleName(id), "af_alg/patched")); err != nil || string(patched) != "1\n" {
		t.Errorf("af_alg: %q, %v", patched, err)
	}
}
