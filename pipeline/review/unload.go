package review

import (
	"fmt"

	"livesplice/kmod/livepatch"
)

// afterUndo says in lines for people whether an update's module may be unloaded when it is undone, and why not.
func afterUndo(m *livepatch.Manifest) []string {
	switch {
	case m.Empty():
		return nil
	case m.MayUnload():
		return []string{"after undo: may be unloaded"}
	case m.Unload == nil:
		return []string{"after undo: stays loaded, since its maker did not say that nothing of it is held"}
	}
	lines := []string{"after undo: stays loaded, for 1 reason"}
	if n := len(m.Unload.Reasons); n != 1 {
		lines[0] = fmt.Sprintf("after undo: stays loaded, for %d reasons", n)
	}
	for _, r := range m.Unload.Reasons {
		text := r.Subject + " " + r.Reason
		if r.Source != "" {
			text = r.Source + ": " + text
		}
		lines = append(lines, "  "+text)
	}
	return lines
}
