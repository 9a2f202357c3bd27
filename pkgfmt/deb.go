package pkgfmt

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"pault.ag/go/debian/control"
	"pault.ag/go/debian/deb"
)

const (
	arMagic = "!<arch>\n"
	wantDeb = "a whole .deb package"
)

// debControl is what is read of a binary package's control file. Source: deb-control(5).
type debControl struct {
	Package      string
	Source       string
	Version      string
	Architecture string
	Description  string
}

// maxControl bounds the control file, in bytes. Those of Debian are below 100 kB.
const maxControl = 4 << 20

func openDeb(r io.ReaderAt, size int64, name string) (*Package, error) {
	var ctl debControl
	found := false
	err := walkDebMember(context.Background(), r, size, name, "control.tar", func(e Entry, r io.Reader) error {
		if e.Name != "control" {
			return nil
		}
		found = true
		text, err := io.ReadAll(io.LimitReader(r, maxControl))
		if err != nil {
			return err
		}
		if err := unmarshalControl(&ctl, text); err != nil {
			return damaged(name, "the control file", wantDeb, err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, &InputError{Path: name, Want: wantDeb, Got: "member control.tar has no control file"}
	}
	for _, f := range []struct{ name, value string }{
		{"Package", ctl.Package}, {"Version", ctl.Version}, {"Architecture", ctl.Architecture},
	} {
		if f.value == "" {
			return nil, &InputError{Path: name, Want: wantDeb, Got: "the control file has no field " + f.name}
		}
	}
	if ctl.Source == "" {
		ctl.Source = ctl.Package
	}
	if _, err := debMember(r, size, name, "data.tar"); err != nil {
		return nil, err
	}
	summary, _, _ := strings.Cut(ctl.Description, "\n")
	return &Package{Path: name, Format: FormatDeb, Name: ctl.Package, Version: ctl.Version, Arch: ctl.Architecture, Source: ctl.Source, Summary: summary}, nil
}

// unmarshalControl guards against a panic of the library on text that no control file holds.
func unmarshalControl(ctl *debControl, text []byte) (err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("not in the form of a control file")
		}
	}()
	return control.Unmarshal(ctl, bytes.NewReader(text))
}

func walkDeb(ctx context.Context, r io.ReaderAt, size int64, name string, fn func(Entry, io.Reader) error) error {
	return walkDebMember(ctx, r, size, name, "data.tar", fn)
}

// walkDebMember walks one of the two tar archives of a .deb. Source: deb(5).
func walkDebMember(ctx context.Context, r io.ReaderAt, size int64, name, prefix string, fn func(Entry, io.Reader) error) error {
	member, err := debMember(r, size, name, prefix)
	if err != nil {
		return err
	}
	what := "member " + member.Name
	fail := func(err error) error { return damaged(name, what, wantDeb, err) }
	plain := func([]byte) bool { return member.Name == prefix }
	src, closer, err := openPayload(ctx, member.Data, plain, fail)
	if err != nil {
		return err
	}
	defer closer.Close()
	tr := tar.NewReader(src)
	for {
		h, err := tr.Next()
		if err == io.EOF {
			return drain(src)
		}
		if err != nil {
			return fail(err)
		}
		e, err := tarEntry(h)
		if err != nil {
			return &InputError{Path: name, Want: wantDeb, Got: what + " is not usable", Err: err}
		}
		if err := fn(e, &inputReader{ctx: ctx, r: tr, fail: fail}); err != nil {
			return err
		}
	}
}

// debMember finds the member "<prefix>" or "<prefix>.<compression>".
func debMember(r io.ReaderAt, size int64, name, prefix string) (*deb.ArEntry, error) {
	ar, err := deb.LoadAr(r)
	if err != nil {
		return nil, damaged(name, "the archive's head", wantDeb, err)
	}
	for first := true; ; first = false {
		m, err := ar.Next()
		if err == io.EOF && !first {
			return nil, &InputError{Path: name, Want: wantDeb, Got: "there is no member " + prefix}
		}
		if err != nil {
			return nil, damaged(name, "the archive's member list", wantDeb, err)
		}
		_, offset, _ := m.Data.Outer()
		switch {
		case first && m.Name != "debian-binary":
			return nil, &InputError{Path: name, Want: wantPackage, Got: "this is an ar archive that is no .deb"}
		case m.Size < 0:
			return nil, &InputError{Path: name, Want: wantDeb, Got: fmt.Sprintf("member %s has the size %d", m.Name, m.Size)}
		case m.Size > size-offset:
			return nil, &InputError{Path: name, Want: wantDeb, Got: fmt.Sprintf("cut off: member %s ends at byte %d, the file at %d", m.Name, offset+m.Size, size)}
		case m.Name == prefix || strings.HasPrefix(m.Name, prefix+"."):
			return m, nil
		}
	}
}

func tarEntry(h *tar.Header) (Entry, error) {
	name, err := entryName(h.Name)
	if err != nil {
		return Entry{}, err
	}
	e := Entry{Name: name, Mode: h.FileInfo().Mode(), ModTime: h.ModTime}
	switch h.Typeflag {
	case tar.TypeSymlink:
		e.Linkname = h.Linkname
	case tar.TypeLink:
		e.Mode &= fs.ModePerm
		if e.Hardlink, err = entryName(h.Linkname); err != nil {
			return Entry{}, err
		}
	default:
		if e.Mode.IsRegular() {
			e.Size = h.Size
		}
	}
	return e, nil
}
