package pkgfmt

import (
	"bytes"
	"context"
	"debug/elf"
	"fmt"
	"io"
	"os"
	"strings"

	"livesplice/kmod/livepatch"
)

// Description is what a file is, for `livesplice inspect`. One of Package, Module and Image is there.
type Description struct {
	Path    string       `json:"path"`
	Kind    string       `json:"kind"` // "deb", "rpm", "module", "vmlinuz", "vmlinux", "manifest"
	Package *Package     `json:"package,omitempty"`
	Module  *ModuleFacts `json:"module,omitempty"`
	Image   *ImageFacts  `json:"image,omitempty"`
	// Update is the manifest of the update that a package or module is of, or that the file is; nil for any other.
	Update *livepatch.Manifest `json:"update,omitempty"`
}

// ModuleFacts is what a module says of itself in .modinfo.
type ModuleFacts struct {
	Name        string   `json:"name"`
	Description string   `json:"description,omitempty"`
	License     string   `json:"license,omitempty"`
	Vermagic    string   `json:"vermagic"`
	Srcversion  string   `json:"srcversion,omitempty"`
	Depends     []string `json:"depends,omitempty"`
	Livepatch   bool     `json:"livepatch"`
	Signed      bool     `json:"signed"`
	BuildID     HexBytes `json:"build_id,omitempty"`
	Compression string   `json:"compression"` // "none", "xz", "zstd", "gzip"
}

// ImageFacts is what a kernel image says of itself.
type ImageFacts struct {
	Release      string   `json:"release"`
	Version      string   `json:"version"` // uname -v
	Compiler     string   `json:"compiler"`
	Linker       string   `json:"linker,omitempty"`
	BuildID      HexBytes `json:"build_id,omitempty"`
	Compression  string   `json:"compression"`             // of the payload: "xz", "zstd", ...; "none" for a vmlinux
	BootProtocol string   `json:"boot_protocol,omitempty"` // "2.15"
	Size         int      `json:"size"`                    // of the unpacked image, in bytes
}

const wantDescribable = "a .deb, an .rpm, a kernel module (.ko), a kernel image or the manifest of an update"

// Describe says what a package, module or kernel image is. *InputError for anything else.
func Describe(ctx context.Context, path string) (*Description, error) {
	f, size, head, err := openFile(path, wantDescribable)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	switch {
	case strings.HasPrefix(string(head), arMagic), strings.HasPrefix(string(head), rpmLeadMagic):
		pkg, err := Open(path)
		if err != nil {
			return nil, err
		}
		update, err := manifestIn(ctx, pkg)
		if err != nil {
			return nil, err
		}
		return &Description{Path: path, Kind: pkg.Format.String(), Package: pkg, Update: update}, nil
	case isBzImage(head):
		return describeImage(f, size, path)
	case strings.HasPrefix(string(head), "{"):
		m, err := livepatch.ReadManifest(path)
		if err != nil {
			return nil, &InputError{Path: path, Want: wantDescribable, Err: err}
		}
		return &Description{Path: path, Kind: "manifest", Update: m}, nil
	}
	c := sniffCodec(head)
	if c == codecInvalid && !strings.HasPrefix(string(head), "\x7fELF") {
		return nil, &InputError{Path: path, Want: wantDescribable, Got: "this is " + fileKind(head)}
	}
	image, err := readModule(ctx, f, path, "the file")
	if err != nil {
		return nil, err
	}
	d, err := describeELF(image, c, path)
	if err == nil && d.Module != nil && d.Module.Livepatch {
		d.Update = manifestBeside(path, image)
	}
	return d, err
}

func describeImage(f *os.File, size int64, path string) (*Description, error) {
	fail := func(err error) error { return &InputError{Path: path, Err: err} }
	if size > maxVmlinux {
		return nil, fail(fmt.Errorf("kernel image of %d bytes, at most %d are supported", size, maxVmlinux))
	}
	packed := make([]byte, size)
	if _, err := io.ReadFull(f, packed); err != nil {
		return nil, fail(err)
	}
	img, err := parseBzImage(packed)
	if err != nil {
		return nil, fail(err)
	}
	image, err := Vmlinux(packed)
	if err != nil {
		return nil, fail(err)
	}
	facts, err := imageFactsOf(image)
	if err != nil {
		return nil, fail(err)
	}
	facts.Compression = img.codec().String()
	facts.BootProtocol = fmt.Sprintf("%d.%02d", img.protocol>>8, img.protocol&0xff)
	return &Description{Path: path, Kind: "vmlinuz", Image: facts}, nil
}

func imageFactsOf(image []byte) (*ImageFacts, error) {
	b, err := findBanner(image)
	if err != nil {
		return nil, err
	}
	f, err := openELF(image)
	if err != nil {
		return nil, err
	}
	id, _ := buildID(f) // a vmlinux need not have one to be described
	return &ImageFacts{Release: b.Release, Version: b.Version, Compiler: b.Compiler, Linker: b.Linker, BuildID: id, Compression: codecNone.String(), Size: len(image)}, nil
}

func describeELF(image []byte, c codec, path string) (*Description, error) {
	f, err := openELF(image)
	if err != nil {
		return nil, &InputError{Path: path, Want: wantDescribable, Err: err}
	}
	if f.Type != elf.ET_REL {
		facts, err := imageFactsOf(image)
		if err != nil {
			return nil, &InputError{Path: path, Want: wantDescribable, Err: err}
		}
		return &Description{Path: path, Kind: "vmlinux", Image: facts}, nil
	}
	info := sectionData(f.Section(".modinfo"), maxModinfo)
	if info == nil {
		return nil, &InputError{Path: path, Want: wantDescribable, Got: "an ELF object without .modinfo"}
	}
	m := parseModinfo(info)
	m.Signed = bytes.HasSuffix(image, []byte(moduleSigMagic))
	m.BuildID, _ = buildID(f)
	m.Compression = codecNone.String()
	if c != codecInvalid {
		m.Compression = c.String()
	}
	return &Description{Path: path, Kind: "module", Module: &m}, nil
}

// moduleSigMagic ends a signed module. Source: include/linux/module_signature.h, v6.1.
const moduleSigMagic = "~Module signature appended~\n"

// maxModinfo bounds .modinfo, in bytes. That of a driver with many device aliases has some 100 kB.
const maxModinfo = 16 << 20

// parseModinfo reads .modinfo: key=value, each ended by NUL.
func parseModinfo(b []byte) ModuleFacts {
	var m ModuleFacts
	for field := range bytes.SplitSeq(b, []byte{0}) {
		key, value, _ := strings.Cut(string(field), "=")
		switch key {
		case "name":
			m.Name = value
		case "description":
			m.Description = value
		case "license":
			m.License = value
		case "vermagic":
			m.Vermagic = strings.TrimSpace(value)
		case "srcversion":
			m.Srcversion = value
		case "livepatch":
			m.Livepatch = value == "Y"
		case "depends":
			if value != "" {
				m.Depends = strings.Split(value, ",")
			}
		}
	}
	return m
}

// String is the text form: one "key: value" a line, without what is empty.
func (d *Description) String() string {
	var b strings.Builder
	line := func(key string, value any) {
		if s := fmt.Sprint(value); s != "" {
			fmt.Fprintf(&b, "%-14s %s\n", key+":", s)
		}
	}
	line("file", d.Path)
	line("kind", d.Kind)
	if p := d.Package; p != nil {
		line("package", p.Name)
		line("version", p.Version)
		line("architecture", p.Arch)
		line("source", p.Source)
		line("summary", p.Summary)
	}
	if m := d.Module; m != nil {
		line("module", m.Name)
		line("description", m.Description)
		line("license", m.License)
		line("vermagic", m.Vermagic)
		line("srcversion", m.Srcversion)
		line("depends", strings.Join(m.Depends, ", "))
		line("livepatch", yesNo(m.Livepatch))
		line("signed", yesNo(m.Signed))
		line("build id", m.BuildID)
		line("compression", m.Compression)
	}
	if i := d.Image; i != nil {
		line("release", i.Release)
		line("version", i.Version)
		line("compiler", i.Compiler)
		line("linker", i.Linker)
		line("build id", i.BuildID)
		line("compression", i.Compression)
		line("boot protocol", i.BootProtocol)
		line("size", fmt.Sprintf("%d bytes unpacked", i.Size))
	}
	return b.String()
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
