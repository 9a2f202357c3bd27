package pkgfmt

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReadUpdate(t *testing.T) {
	spec := updateSpec("0badcafe", 3, false)
	for _, format := range []Format{FormatDeb, FormatRPM} {
		u, err := ReadUpdate(t.Context(), emitUpdate(t, spec, format))
		if err != nil {
			t.Fatal(err)
		}
		if u.Manifest.ID != "0badcafe" || u.Manifest.Revision != 3 || "/"+u.Dir != updateDir+"/0badcafe" || u.Format != format || u.Name != UpdateName(spec.Manifest, format, false) {
			t.Errorf("%s: got %+v in %q of %+v", format, u.Manifest, u.Dir, u.Package)
		}
	}
}

// TestReadUpdateRefuses reads packages that dpkg-deb made of a good one and a change.
func TestReadUpdateRefuses(t *testing.T) {
	good := emitUpdate(t, updateSpec("0badcafe", 1, false), FormatDeb)
	empty := updateSpec("0badcafe", 0, false)
	empty.Manifest.Objects, empty.Manifest.Module, empty.Manifest.ModuleFile, empty.Manifest.ModuleSHA256, empty.Manifest.Patches, empty.Files = nil, "", "", "", nil, nil
	dir := strings.TrimPrefix(updateDir, "/") + "/0badcafe"
	for _, tc := range []struct {
		name   string
		change func(t *testing.T, root string)
		want   string
	}{
		{"module changed", func(t *testing.T, root string) {
			write(t, filepath.Join(root, dir, "livesplice_0badcafe.ko"), "module of 0badcafe!\n")
		}, `file "livesplice_0badcafe.ko" has sha256 `},
		{"patch and module missing", func(t *testing.T, root string) {
			remove(t, filepath.Join(root, dir, "livesplice_0badcafe.ko"))
			remove(t, filepath.Join(root, dir, "0001-namei.patch"))
		}, "file \"0001-namei.patch\" is missing\nfile \"livesplice_0badcafe.ko\" is missing"},
		{"another folder", func(t *testing.T, root string) {
			if err := os.Rename(filepath.Join(root, dir), filepath.Join(root, filepath.Dir(dir), "11111111")); err != nil {
				t.Fatal(err)
			}
		}, "and says of itself that it belongs in \"" + dir + `"`},
		{"two manifests", func(t *testing.T, root string) {
			text, err := os.ReadFile(filepath.Join(root, dir, "manifest.json"))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Mkdir(filepath.Join(root, dir, "more"), 0o755); err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(root, dir, "more", "manifest.json"), string(text))
		}, "one with several manifests"},
		{"manifest without sense", func(t *testing.T, root string) {
			write(t, filepath.Join(root, dir, "manifest.json"), "{}")
		}, "manifest"},
		{"no manifest", func(t *testing.T, root string) {
			remove(t, filepath.Join(root, dir, "manifest.json"))
		}, "package linux-livesplice-6.1.0-54-amd64 without a manifest of one"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			root := t.TempDir()
			dpkgDeb(t, "-R", good, root)
			tc.change(t, root)
			deb := filepath.Join(t.TempDir(), "changed.deb")
			dpkgDeb(t, "--root-owner-group", "-b", root, deb)
			_, err := ReadUpdate(t.Context(), deb)
			var input *InputError
			if !errors.As(err, &input) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got  %v\nwant %s", err, tc.want)
			}
		})
	}
	for name, path := range map[string]string{"subscription": emitUpdate(t, empty, FormatRPM), "host package": emitHost(t, FormatDeb)} {
		if _, err := ReadUpdate(t.Context(), path); err == nil || !strings.Contains(err.Error(), "without a manifest of one") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

func dpkgDeb(t *testing.T, args ...string) {
	t.Helper()
	if out, err := try(t, "dpkg-deb", args...); err != nil {
		t.Fatalf("dpkg-deb %q: %v\n%s", args, err, out)
	}
}
