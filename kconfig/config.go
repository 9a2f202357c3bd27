// Package kconfig reads a kernel's .config and release, and says what livesplice needs of them.
package kconfig

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
)

// Config is a parsed .config.
type Config struct {
	values map[string]string // by name without CONFIG_; strings without quotes; "n" for "is not set"
}

const prefix = "CONFIG_"

// maxShown bounds how much of a malformed line an error quotes, in bytes.
const maxShown = 60

// Parse reads a .config as confdata.c of scripts/kconfig, v6.1, writes it. The error for a malformed line begins with its
// number. A file without any option is an error too. Of an option that is set twice the last value counts.
func Parse(b []byte) (*Config, error) {
	c := &Config{values: map[string]string{}}
	for n := 1; len(b) > 0; n++ {
		var line []byte
		line, b, _ = bytes.Cut(b, []byte("\n"))
		if err := c.parseLine(string(bytes.TrimRight(line, "\r"))); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
	}
	if len(c.values) == 0 {
		return nil, errors.New("no option in it, want lines CONFIG_NAME=value")
	}
	return c, nil
}

func (c *Config) parseLine(line string) error {
	if comment, ok := strings.CutPrefix(line, "#"); ok {
		name, ok := strings.CutPrefix(comment, " "+prefix)
		if name, isNot := strings.CutSuffix(name, " is not set"); ok && isNot && validName(name) {
			c.values[name] = "n"
		}
		return nil
	}
	if strings.TrimSpace(line) == "" {
		return nil
	}
	name, value, ok := strings.Cut(line, "=")
	name, hasPrefix := strings.CutPrefix(name, prefix)
	if !ok || !hasPrefix || !validName(name) {
		return fmt.Errorf("want CONFIG_NAME=value or a comment, got %q", shorten(line))
	}
	value, err := parseValue(value)
	if err != nil {
		return fmt.Errorf("%s%s: %w", prefix, shorten(name), err)
	}
	c.values[name] = value
	return nil
}

// parseValue reads y, m, n, a decimal or hexadecimal number, or a string in quotes with \ before " and \.
func parseValue(s string) (string, error) {
	if !strings.HasPrefix(s, `"`) {
		if s == "y" || s == "m" || s == "n" || isNumber(s) {
			return s, nil
		}
		return "", fmt.Errorf("want y, m, n, a number or a string in quotes, got %q", shorten(s))
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			if i != len(s)-1 {
				return "", fmt.Errorf("text after the closing quote: %q", shorten(s[i+1:]))
			}
			return b.String(), nil
		case '\\':
			if i++; i == len(s) {
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return "", fmt.Errorf("no closing quote: %q", shorten(s))
}

func isNumber(s string) bool {
	digits := "0123456789"
	if hex, ok := strings.CutPrefix(strings.ToLower(s), "0x"); ok {
		s, digits = hex, "0123456789abcdef"
	} else {
		s = strings.TrimPrefix(s, "-")
	}
	return s != "" && strings.Trim(s, digits) == ""
}

// validName says whether a name has only the characters of a Kconfig symbol. Some begin with a digit (CONFIG_64BIT).
func validName(s string) bool {
	for _, r := range s {
		if !(r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '_') {
			return false
		}
	}
	return s != ""
}

func shorten(s string) string {
	if len(s) > maxShown {
		return s[:maxShown] + "..."
	}
	return s
}

// Lookup returns the value of an option: "y", "m", "n", a number as written, or a string without its quotes. ok is false
// if the file does not name it. name is with or without "CONFIG_".
func (c *Config) Lookup(name string) (value string, ok bool) {
	value, ok = c.values[strings.TrimPrefix(name, prefix)]
	return value, ok
}

// Get is Lookup with "n" for an option that the file does not name.
func (c *Config) Get(name string) string {
	if v, ok := c.Lookup(name); ok {
		return v
	}
	return "n"
}

// Enabled says whether an option is y or m.
func (c *Config) Enabled(name string) bool {
	v := c.Get(name)
	return v == "y" || v == "m"
}
