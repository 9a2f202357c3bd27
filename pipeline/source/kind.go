package source

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"

	"livesplice/pkgfmt"
)

// kind is the kind of an archive file.
type kind int

const (
	kindInvalid kind = iota
	kindDeb
	kindTar
	kindTarXZ
	kindTarGZ
	kindTarZstd
	kindTarBzip2
	kindRPM
)

// filter is the program that decompresses a kind on its standard input, nil for a plain tar.
func (k kind) filter() []string {
	switch k {
	case kindTarXZ:
		return []string{"xz", "-T0", "-dc"}
	case kindTarGZ:
		return []string{"gzip", "-dc"}
	case kindTarZstd:
		return []string{"zstd", "-dcq", "--long=31"}
	case kindTarBzip2:
		return []string{"bzip2", "-dc"}
	}
	return nil
}

// magics are the first bytes of each kind. The content decides, not the file's name.
var magics = []struct {
	kind  kind
	magic string
}{
	{kindDeb, "!<arch>\n"},
	{kindTarXZ, "\xfd7zXZ\x00"},
	{kindTarGZ, "\x1f\x8b"},
	{kindTarZstd, "\x28\xb5\x2f\xfd"},
	{kindTarBzip2, "BZh"},
	{kindRPM, "\xed\xab\xee\xdb"},
}

func sniff(path string) (kind, error) {
	fail := func(got string, err error) (kind, error) {
		return kindInvalid, &pkgfmt.InputError{Path: path, Want: want, Got: got, Err: err}
	}
	f, err := os.Open(path)
	if err != nil {
		return fail("", err)
	}
	defer f.Close()
	head := make([]byte, 512)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return fail("", err)
	}
	head = head[:n]
	for _, m := range magics {
		if bytes.HasPrefix(head, []byte(m.magic)) {
			return m.kind, nil
		}
	}
	switch {
	case n == 0:
		return fail("an empty file", nil)
	case n == 512 && string(head[257:262]) == "ustar":
		return kindTar, nil
	}
	return fail("a file of another kind", nil)
}

// tarKindOf is the kind that a tar's name tells.
func tarKindOf(name string) kind {
	for suffix, k := range map[string]kind{".xz": kindTarXZ, ".gz": kindTarGZ, ".zst": kindTarZstd, ".bz2": kindTarBzip2} {
		if strings.HasSuffix(name, suffix) {
			return k
		}
	}
	return kindTar
}

// isError is errors.As for a nil error too.
func isError[T error](err error, target *T) bool { return err != nil && errors.As(err, target) }
