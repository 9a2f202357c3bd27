package pkgfmt

// Vmlinux returns the x86-64 ELF image in a bzImage, or vmlinuz itself if it is that ELF already. Errors do not name a
// file: the caller does.
func Vmlinux(vmlinuz []byte) ([]byte, error) { panic("later") }
