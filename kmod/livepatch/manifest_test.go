package livepatch

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// sample returns a manifest that is valid, to be spoiled in one member.
func sample() *Manifest {
	hash := strings.Repeat("0123456789abcdef", 4)
	build := "00112233445566778899aabbccddeeff00112233"
	return &Manifest{
		Format: 1, ID: "0badcafe", Module: "livesplice_0badcafe", ModuleFile: "livesplice_0badcafe.ko", ModuleSHA256: hash,
		Release: "6.1.0-54-amd64", BuildID: build, Arch: "amd64", Revision: 2,
		Description: "namei: refuse empty names\nsecond line", Fixes: []string{"CVE-2026-10000"},
		Patches: []Patch{{Name: "0001-namei.patch", SHA256: hash}},
		Engine:  EngineLivepatch, Replace: true,
		Objects: []Object{
			{Name: "vmlinux", BuildID: build, Functions: []Function{
				{Name: "path_openat", Address: "0xffffffff81345670", Size: 100, New: "path_openat", SHA256: hash},
				{Name: "show.part.0", SymPos: 3, Address: "0xffffffff81345700", Size: 8, New: "show.part.0", SHA256: hash},
			}},
			{Name: "ext4", BuildID: "ffeeddccbbaa99887766554433221100ffeeddcc"},
		},
		NeedsReboot: []string{"CVE-2026-20000"},
		Units:       []Unit{{Source: "fs/namei.c", Object: "vmlinux", Functions: 97, Strict: 96, ByInsn: 1, Carried: []string{"helper"}}},
		Warnings:    []Warning{{Code: "lock-added", Unit: "fs/namei.c", Subject: "path_openat", Source: "fs/namei.c:3700", Reason: "takes a mutex", Remedy: "look at it"}},
		Unload:      &Unload{Reasons: []UnloadReason{{Subject: "path_openat.str", Reason: "handed to request_region, which keeps it", Source: "fs/namei.c:3701"}}},
		Toolchain:   Toolchain{Compiler: "gcc-12 (Debian 12.2.0-14+deb12u1) 12.2.0", Linker: "GNU ld 2.40", Livesplice: "0.1.0"},
	}
}

func TestManifestRoundTrip(t *testing.T) {
	first, err := sample().Encode()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), ManifestName)
	if err := os.WriteFile(path, first, 0o644); err != nil {
		t.Fatal(err)
	}
	m, err := ReadManifest(path)
	if err != nil {
		t.Fatal(err)
	}
	second, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first, second) {
		t.Errorf("written:\n%s\nread and written again:\n%s", first, second)
	}
	if m.Objects[0].Functions[1].SymPos != 3 || m.Objects[1].Name != "ext4" {
		t.Errorf("objects = %+v", m.Objects)
	}
}

func TestManifestRefusals(t *testing.T) {
	tests := []struct {
		name  string
		spoil func(*Manifest)
		want  string
	}{
		{"format", func(m *Manifest) { m.Format = 2 }, "manifest: format 2, this program reads format 1"},
		{"reboot that steers a terminal", func(m *Manifest) { m.NeedsReboot[0] = "\x1b[2J" }, `manifest: needs_reboot is "\x1b[2J"`},
		{"unit that steers a terminal", func(m *Manifest) { m.Units[0].Source = "\x1b[2J" }, "manifest: units.source holds the character U+001B"},
		{"unit of an object elsewhere", func(m *Manifest) { m.Units[0].Object = "a/b" }, `manifest: units.object is "a/b"`},
		{"unit with fewer than no functions", func(m *Manifest) { m.Units[0].Unmatched = -1 }, "manifest: units.unmatched is -1"},
		{"unit that carries no symbol", func(m *Manifest) { m.Units[0].Carried[0] = "a b" }, `manifest: units.carried is "a b"`},
		{"reason that steers a terminal", func(m *Manifest) { m.Objects[0].Functions[0].Why = "\x1b[2J" }, "manifest: functions.why holds the character U+001B"},
		{"id with capitals", func(m *Manifest) { m.ID = "0BADCAFE" }, `manifest: id is "0BADCAFE"`},
		{"id too long", func(m *Manifest) { m.ID = "0badcafe0" }, `manifest: id is "0badcafe0"`},
		{"id with a line end", func(m *Manifest) { m.ID = "0badcafe\n" }, `manifest: id is "0badcafe\n"`},
		{"module of another update", func(m *Manifest) { m.Module = "livesplice_00000000" }, `manifest: module "livesplice_00000000", expected "livesplice_0badcafe"`},
		{"module of the system", func(m *Manifest) { m.Module = "ext4" }, `manifest: module "ext4"`},
		{"module file elsewhere", func(m *Manifest) { m.ModuleFile = "../x.ko" }, `manifest: module_file is "../x.ko"`},
		{"module file hidden", func(m *Manifest) { m.ModuleFile = ".." }, `manifest: module_file is ".."`},
		{"module file is the manifest", func(m *Manifest) { m.ModuleFile = "manifest.json" }, "manifest: module_file is the manifest itself"},
		{"module hash short", func(m *Manifest) { m.ModuleSHA256 = "00" }, `manifest: module_sha256 is "00"`},
		{"release with a slash", func(m *Manifest) { m.Release = "6.1/../x" }, `manifest: release is "6.1/../x"`},
		{"build-id with capitals", func(m *Manifest) { m.BuildID = strings.Repeat("AB", 20) }, "manifest: build_id is"},
		{"build-id of odd length", func(m *Manifest) { m.BuildID = strings.Repeat("a", 39) }, "manifest: build_id is"},
		{"arch", func(m *Manifest) { m.Arch = "amd 64" }, `manifest: arch is "amd 64"`},
		{"revision negative", func(m *Manifest) { m.Revision = -1 }, "manifest: revision is -1, expected 0 to"},
		{"description steers the terminal", func(m *Manifest) { m.Description = "a\x1b[2J" }, "manifest: description holds the character U+001B"},
		{"description turns the text around", func(m *Manifest) { m.Description = "a\u202eb" }, "manifest: description holds the character U+202E"},
		{"description not UTF-8", func(m *Manifest) { m.Description = "\xff" }, "manifest: description is not UTF-8"},
		{"description endless", func(m *Manifest) { m.Description = strings.Repeat("a", 5000) }, "manifest: description has 5000 bytes"},
		{"compiler", func(m *Manifest) { m.Toolchain.Compiler = "a\x00" }, "manifest: toolchain.compiler holds the character U+0000"},
		{"warning", func(m *Manifest) { m.Warnings[0].Reason = "a\x1b[2J" }, "manifest: warnings.reason holds the character U+001B"},
		{"stays for no reason", func(m *Manifest) { m.Unload.Reasons = nil }, "manifest: unload.allowed is false with 0 reasons"},
		{"goes in spite of a reason", func(m *Manifest) { m.Unload.Allowed = true }, "manifest: unload.allowed is true with 1 reasons"},
		{"reason to stay that steers a terminal", func(m *Manifest) { m.Unload.Reasons[0].Subject = "\x1b[2J" }, "manifest: unload.reasons.subject holds the character U+001B"},
		{"fix with a space", func(m *Manifest) { m.Fixes = []string{"CVE 1"} }, `manifest: fixes is "CVE 1"`},
		{"patch elsewhere", func(m *Manifest) { m.Patches[0].Name = "a/b" }, `manifest: patches.name is "a/b"`},
		{"patch hash", func(m *Manifest) { m.Patches[0].SHA256 = "x" }, `manifest: patches.sha256 is "x"`},
		{"engine", func(m *Manifest) { m.Engine = "stop_machine" }, `manifest: engine "stop_machine", this program knows "livepatch"`},
		{"module without objects", func(m *Manifest) { m.Objects = nil }, "manifest: a module but no objects"},
		{"object name long", func(m *Manifest) { m.Objects[1].Name = strings.Repeat("a", 56) }, "manifest: objects.name is"},
		{"object name with a dot", func(m *Manifest) { m.Objects[1].Name = "a.b" }, `manifest: objects.name is "a.b"`},
		{"object twice", func(m *Manifest) { m.Objects[1] = m.Objects[0] }, `manifest: object "vmlinux" twice`},
		{"vmlinux of another build", func(m *Manifest) { m.Objects[0].BuildID = m.Objects[1].BuildID }, `manifest: object "vmlinux" has build-id ffee`},
		{"function name", func(m *Manifest) { m.Objects[0].Functions[0].Name = "a,1" }, `manifest: functions.name is "a,1"`},
		{"function replacement", func(m *Manifest) { m.Objects[0].Functions[0].New = "" }, `manifest: functions.new is ""`},
		{"function address", func(m *Manifest) { m.Objects[0].Functions[0].Address = "81345670" }, `manifest: functions.address is "81345670"`},
		{"function of no bytes", func(m *Manifest) { m.Objects[0].Functions[0].Size = 0 }, "manifest: functions.size is 0"},
		{"function position", func(m *Manifest) { m.Objects[0].Functions[0].SymPos = -1 }, "manifest: functions.sympos is -1"},
		{"function hash", func(m *Manifest) { m.Objects[0].Functions[0].SHA256 = "" }, `manifest: functions.sha256 is ""`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := sample()
			tt.spoil(m)
			data, err := m.Encode()
			if err != nil {
				t.Fatal(err)
			}
			// JSON cannot carry broken UTF-8, hence the look at the value itself.
			err = m.Validate()
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("Validate: %v, want %q", err, tt.want)
			}
			if tt.name == "description not UTF-8" {
				return
			}
			if _, err := ParseManifest(data); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("ParseManifest: %v, want %q", err, tt.want)
			}
		})
	}
}

func TestManifestSyntax(t *testing.T) {
	for name, tt := range map[string]struct{ text, want string }{
		"empty":     {"", "manifest: expected a JSON object: EOF"},
		"an array":  {"[]", "manifest: expected a JSON object: "},
		"cut":       {`{"format": 1, "id": "0bad`, "manifest: expected a JSON object: unexpected EOF"},
		"more":      {"{} {}", "manifest: more follows the JSON object"},
		"too large": {strings.Repeat(" ", 16<<20+1), "manifest: 16777217 bytes, at most 16777216 are read"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParseManifest([]byte(tt.text))
			if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}

// What a manifest does not say is not allowed.
func TestMayUnload(t *testing.T) {
	for name, tt := range map[string]struct {
		unload *Unload
		want   bool
	}{
		"not said":    {nil, false},
		"allowed":     {&Unload{Allowed: true}, true},
		"not allowed": {&Unload{Reasons: []UnloadReason{{Subject: "cb", Reason: "stored in a timer"}}}, false},
	} {
		m := sample()
		m.Unload = tt.unload
		if err := m.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got := m.MayUnload(); got != tt.want {
			t.Errorf("%s: MayUnload is %t, want %t", name, got, tt.want)
		}
	}
}

func TestEmptyManifest(t *testing.T) {
	m := sample()
	m.Objects, m.Module, m.ModuleFile, m.ModuleSHA256, m.Revision = nil, "", "", "", 0
	if err := m.Validate(); err != nil || !m.Empty() {
		t.Errorf("Validate: %v, Empty: %v", err, m.Empty())
	}
}

func FuzzManifest(f *testing.F) {
	data, err := sample().Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"format":1,"objects":[{"name":"vmlinux","functions":[{}]}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := ParseManifest(data)
		if err != nil {
			return
		}
		// What was accepted names nothing outside its folder and survives a
		// round trip.
		for _, name := range []string{m.ID, m.Module, m.ModuleFile} {
			if filepath.Base(name) != name && name != "" {
				t.Errorf("accepted the name %q", name)
			}
		}
		again, err := m.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParseManifest(again); err != nil {
			t.Errorf("accepted, but not once written again: %v", err)
		}
	})
}
