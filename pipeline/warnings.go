package pipeline

import (
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

// manifestWarnings are the warnings as whoever applies the update sees them.
func (c *creation) manifestWarnings() []livepatch.Warning {
	var out []livepatch.Warning
	for _, w := range c.warnings {
		out = append(out, livepatch.Warning{Code: string(w.Code), Unit: w.Unit, Subject: w.Subject, Source: w.Source, Reason: w.Reason, Remedy: w.Remedy})
	}
	return out
}
