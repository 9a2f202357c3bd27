package pipeline

import (
	"fmt"

	"livesplice/kmod/finding"
	"livesplice/kmod/livepatch"
)

// warn narrates the warnings on a unit, with places relative to the source tree, and keeps them for the report and the
// manifest.
func (c *creation) warn(warnings finding.Warnings) {
	for _, w := range warnings {
		w.Source = relative(w.Source, c.tree.Source, w.Unit)
		c.stages.Warn("%v", w)
		c.warnings = append(c.warnings, w)
	}
}

// note narrates what a reviewer should know, though it is no warning, and keeps it for the report.
func (c *creation) note(format string, args ...any) {
	c.stages.Note(format, args...)
	c.notes = append(c.notes, fmt.Sprintf(format, args...))
}

// manifestWarnings are the warnings as whoever applies the update sees them.
func (c *creation) manifestWarnings() []livepatch.Warning {
	var out []livepatch.Warning
	for _, w := range c.warnings {
		out = append(out, livepatch.Warning{Code: string(w.Code), Unit: w.Unit, Subject: w.Subject, Source: w.Source, Reason: w.Reason, Remedy: w.Remedy})
	}
	return out
}
