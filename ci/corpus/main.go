// Corpus measures on kernels of the Debian archive how many changes between two source versions can be spliced, and
// exercises each update in a VM:
//
//	go run ./ci/corpus -series 6.1 -old 6.1.176-1 -new 6.1.192-2 -sample 300 -out corpus -doc docs/corpus.md
//
// or of another release, of packages at hand, with that release's compiler in a root:
//
//	go run ./ci/corpus -series 6.12 -old-source A.deb -new-source B.deb -kernel IMAGE.deb -kernel HEADERS.deb -kernel COMMON.deb \
//	  -toolchain-root DIR -sample 100 -out corpus-6.12 -doc docs/corpus.md
//
// It may be stopped and started again: it goes on where it was.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"livesplice/ci/archive"
	"livesplice/pipeline/corpus"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// options are the flags.
type options struct {
	series, old, new string
	doc              string
	perBoot          int
	corpus           corpus.Options
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var o options
	fs := flag.NewFlagSet("corpus", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.StringVar(&o.series, "series", "6.1", "series of the kernels")
	fs.StringVar(&o.old, "old", "", "version of the kernel that is updated (default: the oldest in the archive)")
	fs.StringVar(&o.new, "new", "", "version whose source the changes are taken from (default: the newest in the archive)")
	fs.StringVar(&o.corpus.OldSource, "old-source", "", "source of the kernel that is updated, instead of -old (default: from the archive)")
	fs.StringVar(&o.corpus.NewSource, "new-source", "", "the source whose changes are taken, instead of -new (default: from the archive)")
	fs.Func("kernel", "package of the kernel built from -old-source: image, headers; may be repeated (default: from the archive)", func(path string) error {
		o.corpus.Kernel = append(o.corpus.Kernel, path)
		return nil
	})
	fs.StringVar(&o.corpus.ToolchainRoot, "toolchain-root", "", "root with compiler and build tools of another release (default: none)")
	fs.IntVar(&o.corpus.Sample, "sample", 300, "how many buildable files to draw, 0 for all files")
	fs.Func("under", "only this file of the source, or those below this folder; may be repeated (default: all)", func(path string) error {
		o.corpus.Under = append(o.corpus.Under, path)
		return nil
	})
	fs.Uint64Var(&o.corpus.Seed, "seed", 1, "seed of the sample")
	fs.IntVar(&o.corpus.Jobs, "j", 0, "files taken at the same time (default: the number of CPUs)")
	fs.StringVar(&o.corpus.Out, "out", "corpus", "folder for results and modules")
	fs.IntVar(&o.perBoot, "per-boot", 40, "updates exercised in one boot of the VM, 0 for no VM")
	fs.StringVar(&o.doc, "doc", "", "file whose table is to be replaced (default: none)")
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	if fs.NArg() > 0 || o.perBoot < 0 {
		fmt.Fprintf(stderr, "corpus: arguments %q, -per-boot %d: want flags only, and no negative number\n", fs.Args(), o.perBoot)
		return 2
	}
	o.corpus.Log = stderr
	if err := o.run(ctx, stdout); err != nil {
		fmt.Fprintln(stderr, "corpus:", err)
		return 1
	}
	return 0
}

func (o *options) run(ctx context.Context, stdout io.Writer) error {
	if o.corpus.OldSource == "" {
		if err := o.fetch(ctx); err != nil {
			return err
		}
	}
	image, err := imageOf(o.corpus.Kernel)
	if err != nil {
		return err
	}
	text, err := o.measure(ctx, image)
	fmt.Fprint(stdout, text)
	if err != nil || o.doc == "" {
		return err
	}
	return replaceTable(o.doc, o.series, fmt.Sprintf("Measured on %s.\n\n```\n%s```\n", time.Now().UTC().Format(time.DateOnly), text))
}

// fetch takes kernel and sources from the archive.
func (o *options) fetch(ctx context.Context) error {
	kernels, err := archive.Kernels(ctx, o.series)
	if err != nil {
		return err
	}
	before, err := choose(kernels, o.old, 0)
	if err != nil {
		return err
	}
	after, err := choose(kernels, o.new, len(kernels)-1)
	if err != nil {
		return err
	}
	shipped, err := before.Fetch(ctx)
	if err != nil {
		return err
	}
	later, err := after.Fetch(ctx)
	if err != nil {
		return err
	}
	o.corpus.OldSource, o.corpus.NewSource = shipped.Source, later.Source
	o.corpus.Kernel = []string{shipped.Image, shipped.Headers, shipped.HeadersCommon}
	return nil
}

// imageOf is the package that the VM boots.
func imageOf(kernel []string) (string, error) {
	for _, path := range kernel {
		if strings.HasPrefix(filepath.Base(path), "linux-image-") {
			return path, nil
		}
	}
	return "", fmt.Errorf("kernel %q: no linux-image package among them", kernel)
}

// choose is the kernel of a version; the one at index otherwise if version is empty.
func choose(kernels []archive.Kernel, version string, otherwise int) (archive.Kernel, error) {
	var have []string
	for _, k := range kernels {
		if k.Version == version {
			return k, nil
		}
		have = append(have, k.Version)
	}
	if version == "" {
		return kernels[otherwise], nil
	}
	return archive.Kernel{}, fmt.Errorf("version %q: the archive has %q", version, have)
}

// measure runs the corpus and the machines, and gives the table.
func (o *options) measure(ctx context.Context, image string) (string, error) {
	r, err := corpus.Run(ctx, o.corpus)
	if err != nil {
		return "", err
	}
	text := r.Table()
	if o.perBoot == 0 {
		return text, nil
	}
	b, err := openBoots(o.corpus.Out, image, o.perBoot, o.corpus.Log)
	if err != nil {
		return text, err
	}
	defer b.close()
	verdicts, err := b.all(ctx, updates(r, o.corpus.Out))
	if err != nil {
		return text, err
	}
	return text + summary(verdicts), nil
}

// replaceTable replaces what stands in a Markdown file between the comments <!-- table NAME --> and <!-- end NAME -->.
func replaceTable(path, name, text string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	begin, end := []byte("<!-- table "+name+" -->\n"), []byte("<!-- end "+name+" -->\n")
	head, rest, ok := bytes.Cut(data, begin)
	_, tail, ok2 := bytes.Cut(rest, end)
	if !ok || !ok2 {
		return fmt.Errorf("file %q: want lines %q and %q", path, begin, end)
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".corpus-")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(bytes.Join([][]byte{head, begin, []byte(text), end, tail}, nil))
	if err := errors.Join(err, tmp.Chmod(0o644), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}
