package main

import (
	"bytes"
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// made are the sections that writing makes anew; what they hold is compared by what it means.
var made = []string{".strtab", ".shstrtab"}

// sameObject compares two objects as package debug/elf sees them: every section header but for the place in the file,
// every content, every symbol in its order.
func sameObject(a, b []byte) error {
	x, err := elf.NewFile(bytes.NewReader(a))
	if err != nil {
		return err
	}
	y, err := elf.NewFile(bytes.NewReader(b))
	if err != nil {
		return err
	}
	if x.FileHeader != y.FileHeader {
		return fmt.Errorf("header %+v became %+v", x.FileHeader, y.FileHeader)
	}
	if len(x.Sections) != len(y.Sections) {
		return fmt.Errorf("%d sections became %d", len(x.Sections), len(y.Sections))
	}
	for i, s := range x.Sections {
		if err := sameSection(s, y.Sections[i]); err != nil {
			return fmt.Errorf("section %d %q: %w", i, s.Name, err)
		}
	}
	return sameSymbols(x, y)
}

func sameSection(s, t *elf.Section) error {
	was, is := s.SectionHeader, t.SectionHeader
	was.Offset, is.Offset = 0, 0
	if s.Type == elf.SHT_STRTAB && s.Name == t.Name && (s.Name == made[0] || s.Name == made[1]) {
		return nil
	}
	if was != is {
		return fmt.Errorf("%+v became %+v", was, is)
	}
	if s.Type == elf.SHT_NOBITS || s.Type == elf.SHT_SYMTAB {
		return nil
	}
	p, err := s.Data()
	if err != nil {
		return err
	}
	q, err := t.Data()
	if err != nil {
		return err
	}
	if !bytes.Equal(p, q) {
		return fmt.Errorf("other content")
	}
	return nil
}

func sameSymbols(x, y *elf.File) error {
	was, err := x.Symbols()
	if err != nil {
		return err
	}
	is, err := y.Symbols()
	if err != nil {
		return err
	}
	if len(was) != len(is) {
		return fmt.Errorf("%d symbols became %d", len(was), len(is))
	}
	for i := range was {
		if was[i] != is[i] {
			return fmt.Errorf("symbol %d: %+v became %+v", i+1, was[i], is[i])
		}
	}
	return nil
}

// readelfDiffers gives the first line of readelf's account of an object that is not the same for the other, "" when all
// are. Only places in the file may differ.
func readelfDiffers(ctx context.Context, a, b []byte) (string, error) {
	was, err := readelf(ctx, a)
	if err != nil {
		return "", err
	}
	is, err := readelf(ctx, b)
	if err != nil {
		return "", err
	}
	p, q := strings.Split(was, "\n"), strings.Split(is, "\n")
	for i := range min(len(p), len(q)) {
		if p[i] != q[i] {
			return fmt.Sprintf("%q became %q", p[i], q[i]), nil
		}
	}
	if len(p) != len(q) {
		return fmt.Sprintf("%d lines became %d", len(p), len(q)), nil
	}
	return "", nil
}

// readelf is what readelf says of an object's sections, symbols, relocations, groups and notes, without places in the
// file.
func readelf(ctx context.Context, object []byte) (string, error) {
	dir, err := os.MkdirTemp("", "livesplice-roundtrip-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "object")
	if err := os.WriteFile(file, object, 0o644); err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, "readelf", "--wide", "--section-details", "--syms", "--relocs", "--section-groups", "--notes", file)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || len(out) == 0) {
		return "", fmt.Errorf("readelf (Debian package binutils): %w: %s", err, stderr.String())
	}
	// A readelf that is older than the compiler may not know all that it sees; it must say so of both.
	complaints := strings.ReplaceAll(stderr.String(), file, "object")
	return withoutPlaces(string(out)) + complaints + fmt.Sprint(cmd.ProcessState), nil
}

// withoutPlaces takes out of readelf's text what says where in the file something is, and the sizes of string tables.
func withoutPlaces(text string) string {
	var b strings.Builder
	table := false
	for line := range strings.Lines(text) {
		switch words := strings.Fields(line); {
		case strings.HasPrefix(line, "There are ") && strings.Contains(line, "section headers"):
			continue
		case strings.HasPrefix(line, "Relocation section "):
			line, _, _ = strings.Cut(line, " at offset")
			line += "\n"
		case len(words) > 1 && words[0][0] == '[' && strings.HasSuffix(words[0], "]"), len(words) > 2 && words[0] == "[":
			name := words[len(words)-1]
			table = name == made[0] || name == made[1]
		case len(words) == 8 && strings.HasPrefix(line, "       "):
			// Type, address, offset, size, entry size, link, info, alignment of the section named by the line before.
			words[2] = "offset"
			if table {
				words[3] = "size"
			}
			line = strings.Join(words, " ") + "\n"
		}
		b.WriteString(line)
	}
	return b.String()
}
