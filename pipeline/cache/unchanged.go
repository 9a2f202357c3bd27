package cache

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Unchanged holds files of entries against their manifests. An entry of many names is looked through once a day only: whoever
// has made something of a few of its files asks for these, once that is made. Files elsewhere, of other entries, and such as
// no manifest lists are not looked at. The error names the first one that was damaged; its entry is made again the next time
// that it is used by another process.
func (c *Cache) Unchanged(paths []string) error {
	byEntry := map[entry][]string{}
	for _, path := range paths {
		kind, rest, _ := strings.Cut(strings.TrimPrefix(filepath.Clean(path), c.root+"/"), "/")
		key, rel, ok := strings.Cut(rest, "/")
		e, err := c.entry(kind, key)
		if ok && err == nil && !c.held(path) {
			byEntry[e] = append(byEntry[e], rel)
		}
	}
	for e, files := range byEntry {
		if names, _ := readHead(e.manifest); names <= manyNames {
			continue // all of it was looked at
		}
		if err := e.unchanged(files); err != nil {
			return e.wrap(fmt.Errorf("%w; it is made again when livesplice is started again", err))
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, path := range paths {
		c.same[path] = true
	}
	return nil
}

// held says whether Unchanged has looked at a file before.
func (c *Cache) held(path string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.same[path]
}

// unchanged holds files against the manifest, names relative to the entry's folder. Of a damaged entry nobody will believe any
// more that it was looked through.
func (e entry) unchanged(files []string) error {
	text, err := os.ReadFile(e.manifest)
	if err != nil {
		return err
	}
	wanted := make(map[string]string, len(files))
	for _, f := range files {
		wanted[strconv.Quote(f)] = f
	}
	for len(text) > 0 {
		var line []byte
		line, text, _ = bytes.Cut(text, []byte("\n"))
		at := bytes.IndexByte(line, '"')
		if at < 0 || !bytes.HasPrefix(line, []byte("file ")) {
			continue
		}
		file, ok := wanted[string(line[at:])]
		if !ok {
			continue
		}
		now, err := fileLine(e.dir, file, !slices.Contains(line[:at], '@'))
		if err == nil && now != string(line) {
			err = fmt.Errorf("was %s, is %s", line, now)
		}
		if err != nil {
			return errors.Join(fmt.Errorf("damaged: %w", noPath(err)), os.Chtimes(e.manifest, time.Time{}, time.Unix(0, 0)))
		}
	}
	return nil
}

// fileLine is the line of a manifest for a regular file as it is now, without the line's end; hashed or with its time.
func fileLine(dir, file string, hashed bool) (string, error) {
	path := filepath.Join(dir, file)
	info, err := os.Lstat(path)
	if err != nil {
		return "", err
	}
	return lineOf(path, file, info, hashed)
}
