package pkgfmt

import "context"

// Store keeps what was extracted once for the next run; *cache.Cache is one.
type Store interface {
	// Dir returns the folder of (kind, key), made by fill if it is not there: whole or not at all.
	Dir(ctx context.Context, kind, key string, fill func(ctx context.Context, dir string) error) (string, error)
	// HashFile returns the hex sha256 of a file, remembered by its stat.
	HashFile(path string) (string, error)
}

// Kernel is one shipped kernel, gathered from its packages. All paths are absolute and read-only.
type Kernel struct {
	Release        string   `json:"release"`         // uname -r
	Arch           string   `json:"arch"`            // uname -m: "x86_64"
	PackageVersion string   `json:"package_version"` // of the image package; "" when it was given unpacked
	Banner         string   `json:"banner"`          // linux_banner without its newline: "Linux version 6.1.0-54-amd64 (..."
	Compiler       string   `json:"compiler"`        // from the banner: "gcc-12 (Debian 12.2.0-14+deb12u1) 12.2.0"
	Linker         string   `json:"linker"`          // from the banner: "GNU ld (GNU Binutils for Debian) 2.40"
	BuildID        HexBytes `json:"build_id"`        // descriptor of vmlinux's NT_GNU_BUILD_ID note, 20 bytes with sha1

	Vmlinuz        string `json:"vmlinuz"`         // the shipped bzImage
	Vmlinux        string `json:"vmlinux"`         // the ELF in it
	Config         string `json:"config"`          // the full .config
	Symvers        string `json:"symvers"`         // Module.symvers
	Headers        string `json:"headers"`         // the folder with include/generated, include/config, arch/x86/include/generated
	HeadersCommon  string `json:"headers_common"`  // the folder with the version-wide headers (Debian); "" if not given
	ModulesBuiltin string `json:"modules_builtin"` // modules.builtin; "" if none was given

	modules moduleSource
}

// HexBytes prints as lower-case hex, in JSON too.
type HexBytes []byte

type moduleSource interface {
	module(ctx context.Context, name string) ([]byte, error)
}

// OpenKernel gathers a kernel from shipped packages (.deb or .rpm: image, headers, common headers, modules, in any order)
// or folders with such packages unpacked. It checks that they are of one kernel: *MismatchError if not. *InputError for a
// file that cannot be read, and for a piece that is missing.
func OpenKernel(ctx context.Context, c Store, paths []string) (*Kernel, error) { panic("later") }

// Module returns the uncompressed ELF of a module by the name lsmod shows ("xfs", "snd_hda_intel").
func (k *Kernel) Module(ctx context.Context, name string) ([]byte, error) { panic("later") }
