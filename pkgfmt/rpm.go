package pkgfmt

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/cavaliergopher/cpio"
	"github.com/cavaliergopher/rpm"
)

const (
	rpmLeadMagic = "\xed\xab\xee\xdb"
	wantRPM      = "a whole .rpm package"
)

// Tags of the headers. Source: include/rpm/rpmtag.h, rpm 4.18.
const (
	rpmSigSHA256        = 273  // in the signature header: hex digest of the main header
	rpmTagEpoch         = 1003 //
	rpmTagSummary       = 1004
	rpmTagSourceRPM     = 1044 // a source package has none
	rpmTagPayloadDigest = 5092 // hex digests of the compressed payload
	rpmTagPayloadAlgo   = 5093 // 8 is sha256
)

// rpmFile is the checked head of an .rpm.
type rpmFile struct {
	pkg     *rpm.Package
	payload int64 // offset of the compressed payload
}

// readRPM reads lead, signature and header. Source: the format as described in docs/manual/format.md of rpm 4.18.
func readRPM(r io.ReaderAt, size int64, name string) (*rpmFile, error) {
	fail := func(err error) error { return damaged(name, "the header", wantRPM, err) }
	if err := checkRPMHeads(r, size); err != nil {
		return nil, fail(err)
	}
	pkg, err := parseRPM(io.NewSectionReader(r, 0, size))
	if err != nil {
		return nil, fail(err)
	}
	start, end := pkg.HeaderRange()
	if want := pkg.Signature.GetTag(rpmSigSHA256).String(); want != "" {
		h := sha256.New()
		if _, err := io.Copy(h, io.NewSectionReader(r, int64(start), int64(end-start))); err != nil {
			return nil, fail(err)
		}
		if hex.EncodeToString(h.Sum(nil)) != want {
			return nil, fail(errors.New("its sha256 does not match"))
		}
	}
	if pkg.Name() == "" || pkg.Version() == "" {
		return nil, fail(errors.New("no name or no version"))
	}
	return &rpmFile{pkg: pkg, payload: int64(end)}, nil
}

// parseRPM guards against a panic of the library on a header that passed checkRPMHeads.
func parseRPM(r io.Reader) (pkg *rpm.Package, err error) {
	defer func() {
		if recover() != nil {
			pkg, err = nil, errors.New("not in the form of an rpm header")
		}
	}()
	return rpm.Read(r)
}

func (f *rpmFile) describe(name string) *Package {
	p := &Package{
		Path: name, Format: FormatRPM, Name: f.pkg.Name(), Version: f.pkg.Version(), Arch: f.pkg.Architecture(),
		Source: f.pkg.Header.GetTag(rpmTagSourceRPM).String(), Summary: f.pkg.Header.GetTag(rpmTagSummary).String(),
	}
	if r := f.pkg.Release(); r != "" {
		p.Version += "-" + r
	}
	if f.pkg.Header.GetTag(rpmTagEpoch) != nil {
		p.Version = fmt.Sprintf("%d:%s", f.pkg.Epoch(), p.Version)
	}
	if p.Source == "" {
		p.Arch, p.Source = "src", p.Name
	}
	return p
}

func walkRPM(ctx context.Context, r io.ReaderAt, size int64, name string, fn func(Entry, io.Reader) error) error {
	f, err := readRPM(r, size, name)
	if err != nil {
		return err
	}
	fail := func(err error) error { return damaged(name, "the payload", wantRPM, err) }
	digest := sha256.New()
	packed := io.TeeReader(io.NewSectionReader(r, f.payload, size-f.payload), digest)
	src, closer, err := openPayload(ctx, packed, isCPIO, fail)
	if err != nil {
		return err
	}
	defer closer.Close()
	if err := walkCPIO(ctx, src, fail, fn); err != nil {
		return err
	}
	if err := drain(src); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, packed); err != nil { // what the decompressor had no need to read
		return fail(err)
	}
	algo := f.pkg.Header.GetTag(rpmTagPayloadAlgo).Int64()
	want := f.pkg.Header.GetTag(rpmTagPayloadDigest).String()
	if algo == 8 && want != "" && hex.EncodeToString(digest.Sum(nil)) != want {
		return fail(errors.New("its sha256 does not match"))
	}
	return nil
}

func isCPIO(head []byte) bool { return bytes.HasPrefix(head, []byte("0707")) }

// walkCPIO walks an archive in the newc form. Of several names of one inode all but the last are there without bytes:
// they are held back until the bytes come, and are then hard links to that one.
func walkCPIO(ctx context.Context, src *inputReader, fail func(error) error, fn func(Entry, io.Reader) error) error {
	cr := cpio.NewReader(src)
	waiting := map[int64][]Entry{}
	for {
		h, err := cr.Next()
		if err == io.EOF && !src.end {
			break // the trailer; without one the input would have ended
		}
		if err != nil {
			return fail(noEOF(err))
		}
		e, err := cpioEntry(h)
		if err != nil {
			return fail(err)
		}
		if e.Mode.IsRegular() && h.Links > 1 && e.Size == 0 {
			waiting[h.Inode] = append(waiting[h.Inode], e)
			continue
		}
		if err := fn(e, &inputReader{ctx: ctx, r: &wholeReader{r: cr, left: e.Size}, fail: fail}); err != nil {
			return err
		}
		if h.Links > 1 {
			for _, link := range waiting[h.Inode] {
				link.Hardlink = e.Name
				if err := fn(link, bytes.NewReader(nil)); err != nil {
					return err
				}
			}
			delete(waiting, h.Inode)
		}
	}
	return walkEmptyLinks(waiting, fn)
}

// walkEmptyLinks yields the inodes with several names that had no bytes at all.
func walkEmptyLinks(waiting map[int64][]Entry, fn func(Entry, io.Reader) error) error {
	for _, entries := range waiting {
		for i, e := range entries {
			if i > 0 {
				e.Hardlink = entries[0].Name
			}
			if err := fn(e, bytes.NewReader(nil)); err != nil {
				return err
			}
		}
	}
	return nil
}

// wholeReader takes an end before left bytes for an error, which the cpio reader does not.
type wholeReader struct {
	r    io.Reader
	left int64
}

func (w *wholeReader) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	w.left -= int64(n)
	if err == io.EOF && w.left > 0 {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func cpioEntry(h *cpio.Header) (Entry, error) {
	name, err := entryName(h.Name)
	if err != nil {
		return Entry{}, err
	}
	e := Entry{Name: name, Mode: h.FileInfo().Mode(), Linkname: h.Linkname, ModTime: h.ModTime}
	switch {
	case e.Mode.IsRegular():
		e.Size = h.Size
	case h.Size != 0: // that of a link was read as its target
		return Entry{}, fmt.Errorf("%q has content but is no regular file", name)
	}
	return e, nil
}
