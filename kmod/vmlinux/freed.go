package vmlinux

// Freed says whether the kernel frees the place once it has booted. What an object has for boot alone is there by the choice of
// the linker script: .init.text always, .meminit.text without memory hotplug, and exit code where it is not discarded.
// Since Linux 6.15 per-CPU variables have addresses there, those of the first copy, from which the kernel makes the one of
// each CPU; they stay.
//
// Source: arch/x86/kernel/vmlinux.lds.S, v6.1 and v7.2; free_initmem, mm/init.c.
func (im *Image) Freed(addr uint64) bool {
	return im.between("__init_begin", "__init_end", addr) && !im.between("__per_cpu_start", "__per_cpu_end", addr)
}

// between says whether an address lies in a range that two symbols bound.
func (im *Image) between(start, end string, addr uint64) bool {
	a, b := im.Lookup(start), im.Lookup(end)
	return len(a) == 1 && len(b) == 1 && addr >= a[0].Addr && addr < b[0].Addr
}
