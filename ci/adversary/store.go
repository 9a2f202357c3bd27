package main

import (
	"bufio"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sync"
)

// store keeps values by key in a file, a line each, so that a campaign that was stopped goes on. A line that was cut short
// is as if it had not been.
type store[T any] struct {
	mu    sync.Mutex
	known map[string]T
	file  *os.File
}

type stored[T any] struct {
	Key   string `json:"key"`
	Value T      `json:"value"`
}

func openStore[T any](path string) (*store[T], error) {
	s := &store[T]{known: map[string]T{}}
	old, err := os.Open(path)
	switch {
	case err == nil:
		defer old.Close()
		lines := bufio.NewScanner(old)
		lines.Buffer(nil, 16<<20)
		for lines.Scan() {
			var l stored[T]
			if json.Unmarshal(lines.Bytes(), &l) == nil && l.Key != "" {
				s.known[l.Key] = l.Value
			}
		}
		if err := lines.Err(); err != nil {
			return nil, fmt.Errorf("file %q: %w", path, err)
		}
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	if s.file, err = os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644); err != nil {
		return nil, err
	}
	_, err = s.file.WriteString("\n") // ends a line that was cut short
	return s, err
}

func (s *store[T]) get(key string) (T, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.known[key]
	return v, ok
}

func (s *store[T]) put(key string, value T) error {
	text, err := json.Marshal(stored[T]{key, value})
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known[key] = value
	_, err = s.file.Write(append(text, '\n'))
	return err
}

func (s *store[T]) close() error { return s.file.Close() }

// hashOf is a key made of texts.
func hashOf(texts ...string) string {
	h := sha256.New()
	for _, t := range texts {
		fmt.Fprintf(h, "%d\n%s", len(t), t)
	}
	return fmt.Sprintf("%x", h.Sum(nil))[:32]
}

func hashFiles(files map[string]string) string {
	var texts []string
	for name, text := range files {
		texts = append(texts, name+"\n"+text)
	}
	slices.Sort(texts)
	return hashOf(texts...)
}
