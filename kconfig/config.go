// Package kconfig reads a kernel's .config and release, and says what livesplice needs of them.
package kconfig

// Config is a parsed .config.
type Config struct{}

// Parse reads a .config. A malformed line is an error that begins with its number.
func Parse(b []byte) (*Config, error) { panic("later") }

// Get returns the value of an option: "y", "m", a number as written, or a string without its quotes; "n" for an option
// that is not set or absent. name is with or without "CONFIG_".
func (c *Config) Get(name string) string { panic("later") }

// Enabled says whether an option is y or m.
func (c *Config) Enabled(name string) bool { panic("later") }
