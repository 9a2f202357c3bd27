package kconfig

// UsageError is a wrong flag or argument, or a .config that cannot be used (exit code 2).
type UsageError struct {
	Thing  string // what is wrong: `flag "--engine"`, `file "config-6.1": line 7`
	Reason string
}

func (e *UsageError) Error() string { return e.Thing + ": " + e.Reason }
