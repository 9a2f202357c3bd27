package pipeline

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"

	"livesplice/pipeline/review"
)

// writeReview writes the page for whoever signs the update off into dir, where the other results are.
func (c *creation) writeReview(dir string, res *Result) error {
	in := review.Input{Manifest: res.Manifest, Kernel: c.kernel.Version, Units: c.units, Plan: c.link, Module: c.module, Image: c.image, Notes: c.notes}
	for _, p := range c.plan.Patches {
		in.Patches = append(in.Patches, p.data)
	}
	if !c.opts.Untimed && os.Getenv("SOURCE_DATE_EPOCH") == "" {
		for _, t := range c.stages.Timings() {
			in.Timings = append(in.Timings, review.Timing(t))
		}
	}
	for _, name := range res.Packages {
		f, err := describeFile(dir, name)
		if err != nil {
			return err
		}
		in.Files = append(in.Files, f)
	}
	in.Files = append(in.Files, review.File{Name: res.Manifest.ModuleFile, Size: int64(len(c.module)), SHA256: res.Manifest.ModuleSHA256})
	page, err := review.New(in)
	if err != nil {
		return fmt.Errorf("review page: %w", err)
	}
	var b bytes.Buffer
	if err := page.Write(&b); err != nil {
		return fmt.Errorf("review page: %w", err)
	}
	return os.WriteFile(filepath.Join(dir, res.Review), b.Bytes(), 0o644)
}

// describeFile gives size and hash of one of the results.
func describeFile(dir, name string) (review.File, error) {
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return review.File{}, err
	}
	return review.File{Name: name, Size: int64(len(data)), SHA256: fmt.Sprintf("%x", sha256.Sum256(data))}, nil
}
