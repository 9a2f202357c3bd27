package review

import (
	"fmt"
	"io"
	"strings"

	"livesplice/kmod/livepatch"
)

// Summary is what page and terminal say in short.
type Summary struct {
	Replaced int // functions
	// Proven counts them by proof; a manifest of an older livesplice has none.
	Proven struct{ Strict, ByInsn int }
}

// Summarise counts what an update replaces.
func Summarise(m *livepatch.Manifest) Summary {
	var s Summary
	for _, o := range m.Objects {
		for _, f := range o.Functions {
			s.Replaced++
			switch f.Proof {
			case "strict":
				s.Proven.Strict++
			case "instruction":
				s.Proven.ByInsn++
			}
		}
	}
	return s
}

// Brief writes the review of an update in short, from its manifest alone.
func Brief(w io.Writer, m *livepatch.Manifest) error {
	b := &strings.Builder{}
	line := func(format string, args ...any) { b.WriteString(visible(fmt.Sprintf(format, args...)) + "\n") }
	kind := "stands beside others"
	if m.Replace {
		kind = "cumulative"
	}
	line("update %s for %s (build-id %s), revision %d, %s", m.ID, m.Release, m.BuildID, m.Revision, kind)
	if text := strings.TrimSpace(m.Description); text != "" {
		line("%s", text)
	}
	if len(m.Fixes) > 0 {
		line("fixes %s", strings.Join(m.Fixes, ", "))
	}
	if len(m.NeedsReboot) > 0 {
		line("not in this update, needs a reboot: %s", strings.Join(m.NeedsReboot, ", "))
	}
	for _, u := range m.Units {
		in := ""
		if u.Object != livepatch.VMLinux {
			in = " in module " + u.Object
		}
		line("%s%s: %d functions, %d proven by bytes, %d by instruction, %d not located", u.Source, in, u.Functions, u.Strict, u.ByInsn, u.Unmatched)
		replaced(line, m, u.Object, u.Source)
		if len(u.Carried) > 0 {
			line("  brings %s", strings.Join(u.Carried, ", "))
		}
	}
	for _, o := range m.Objects {
		replaced(line, m, o.Name, "") // of an older livesplice, which did not record units
	}
	for _, x := range m.Warnings {
		where := x.Unit
		if x.Source != "" {
			where = x.Source
		}
		line("warning: %s: %s: %s [%s]; %s", where, x.Subject, x.Reason, x.Code, x.Remedy)
	}
	for _, text := range afterUndo(m) {
		line("%s", text)
	}
	for _, p := range m.Patches {
		line("patch %s, sha256 %s", p.Name, p.SHA256)
	}
	line("made by livesplice %s with %s, %s", m.Toolchain.Livesplice, m.Toolchain.Compiler, m.Toolchain.Linker)
	_, err := io.WriteString(w, b.String())
	return err
}

// replaced lists the functions of one unit in one object.
func replaced(line func(string, ...any), m *livepatch.Manifest, object, unit string) {
	for _, o := range m.Objects {
		for _, f := range o.Functions {
			if o.Name != object || f.Unit != unit {
				continue
			}
			text := fmt.Sprintf("  replaces %s at %s, %d bytes", f.Name, f.Address, f.Size)
			if f.Proof != "" {
				text += fmt.Sprintf(": %s by %s; %s", f.Proof, f.By, f.Why)
			}
			line("%s", text)
		}
	}
}
