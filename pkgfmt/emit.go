package pkgfmt

import (
	"bytes"
	"compress/gzip"
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/mail"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/goreleaser/nfpm/v2"
	"github.com/goreleaser/nfpm/v2/deb"
	"github.com/goreleaser/nfpm/v2/files"
	"github.com/goreleaser/nfpm/v2/rpm"
)

// emittedFiles are the maintainer scripts, and what of the host package is not
// the program.
//
//go:embed scripts host
var emittedFiles embed.FS

// reconcileTrigger is the dpkg trigger that update packages activate and in
// which the host package has an interest, so that one run of splicectl serves
// all that one run of dpkg did.
const reconcileTrigger = "livesplice-reconcile"

// emission is a package being put together. The same emission gives the same
// bytes: every time in it is mtime.
type emission struct {
	info  *nfpm.Info
	mtime time.Time
	stage string // folder for the files that nfpm reads
	n     int
}

// newEmission begins a package. Call close when it is done with.
func newEmission(info *nfpm.Info, maintainer string, mtime time.Time) (*emission, error) {
	addr, err := mail.ParseAddress(maintainer)
	if err != nil || addr.Name == "" {
		return nil, fmt.Errorf("maintainer %q: expected \"Name <mail@host>\"", maintainer)
	}
	// An rpm holds times in 32 bits.
	if mtime.Unix() <= 0 || mtime.Unix() >= 1<<32 {
		return nil, fmt.Errorf("time %v: expected a fixed time after 1970 and before 2106, such as SOURCE_DATE_EPOCH", mtime)
	}
	stage, err := os.MkdirTemp("", "livesplice-emit-*")
	if err != nil {
		return nil, fmt.Errorf("folder %q for temporary files: %w", os.TempDir(), err)
	}
	info.Platform = "linux"
	info.Maintainer = maintainer
	info.MTime = mtime
	info.VersionSchema = "none"
	info.DisableGlobbing = true
	info.Umask = 0o022
	// gzip is read by every dpkg and rpm, and fast on a machine that is slow;
	// its bytes do not depend on the number of processors.
	info.Deb.Compression, info.RPM.Compression = "gzip", "gzip"
	info.RPM.BuildHost = "livesplice"
	return &emission{info: info, mtime: mtime.UTC(), stage: stage}, nil
}

func (e *emission) close() { os.RemoveAll(e.stage) }

// stageFile writes a file for nfpm to read and returns its path.
func (e *emission) stageFile(data []byte) (string, error) {
	e.n++
	name := filepath.Join(e.stage, strconv.Itoa(e.n))
	return name, os.WriteFile(name, data, 0o600)
}

// add puts a file into the package.
func (e *emission) add(dst string, mode fs.FileMode, data []byte) error {
	src, err := e.stageFile(data)
	if err != nil {
		return err
	}
	e.info.Contents = append(e.info.Contents, &files.Content{
		Source: src, Destination: dst, Type: files.TypeFile,
		FileInfo: &files.ContentFileInfo{Owner: "root", Group: "root", Mode: mode, MTime: e.mtime, Size: int64(len(data))},
	})
	return nil
}

// addEmbedded puts a file of emittedFiles into the package.
func (e *emission) addEmbedded(dst, name string) error {
	data, err := emittedFiles.ReadFile(name)
	if err != nil {
		return err
	}
	return e.add(dst, 0o644, data)
}

// addFolder makes the package own a folder, so that rpm removes it with the
// package.
func (e *emission) addFolder(dst string) {
	e.info.Contents = append(e.info.Contents, &files.Content{
		Destination: dst, Type: files.TypeDir,
		FileInfo: &files.ContentFileInfo{Owner: "root", Group: "root", Mode: 0o755, MTime: e.mtime},
	})
}

// script stages a maintainer script with the ID put in.
func (e *emission) script(to *string, name, id string) error {
	data, err := emittedFiles.ReadFile("scripts/" + name)
	if err != nil {
		return err
	}
	*to, err = e.stageFile(bytes.ReplaceAll(data, []byte("@ID@"), []byte(id)))
	return err
}

// gzipped compresses as `gzip -9n` does: with no name and no time in the header.
func gzipped(data []byte) ([]byte, error) {
	var buf bytes.Buffer
	w, err := gzip.NewWriterLevel(&buf, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	_, err = w.Write(data)
	err = errors.Join(err, w.Close())
	return buf.Bytes(), err
}

// write writes the package into outDir, whole or not at all, and returns its path.
func (e *emission) write(ctx context.Context, format Format, outDir string) (string, error) {
	var packager nfpm.Packager
	switch format {
	case FormatDeb:
		packager = deb.Default
	case FormatRPM:
		packager = rpm.DefaultRPM
	default:
		return "", fmt.Errorf("package %q: format %q cannot be written, want deb or rpm", e.info.Name, format)
	}
	if err := ctx.Err(); err != nil {
		return "", err
	}
	name := packager.ConventionalFileName(e.info)
	f, err := os.CreateTemp(outDir, "."+name+"-*")
	if err != nil {
		return "", err
	}
	defer os.Remove(f.Name())
	if err := packager.Package(e.info, f); err != nil {
		f.Close()
		return "", fmt.Errorf("package %q: %w", name, err)
	}
	if err := errors.Join(f.Chmod(0o644), f.Sync(), f.Close()); err != nil {
		return "", fmt.Errorf("package %q: %w", name, err)
	}
	if err := ctx.Err(); err != nil {
		return "", err
	}
	out := filepath.Join(outDir, name)
	return out, os.Rename(f.Name(), out)
}

// SourceDateEpoch returns the time that the environment's SOURCE_DATE_EPOCH
// says, or else when it is not set. Source:
// https://reproducible-builds.org/specs/source-date-epoch/
func SourceDateEpoch(otherwise time.Time) (time.Time, error) {
	text := strings.TrimSpace(os.Getenv("SOURCE_DATE_EPOCH"))
	if text == "" {
		return otherwise, nil
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil || seconds <= 0 {
		return time.Time{}, fmt.Errorf("SOURCE_DATE_EPOCH %q: expected seconds since 1970", text)
	}
	return time.Unix(seconds, 0).UTC(), nil
}
