package unit

import "slices"

// olderSectionRows are names of sections in objects of kernels 3.10 to 5.9, and of machines other than x86-64, that sectionRows
// does not have.
//
// Source: include/asm-generic/vmlinux.lds.h, include/linux/{init,dynamic_debug,of}.h, arch/{x86,arm64,powerpc,s390,loongarch}/kernel/
// vmlinux.lds.S, v3.10, v4.4, v4.15, v5.4 and v6.12.
var olderSectionRows = []struct {
	names string
	Section
}{
	{"__verbose", Section{Use: Data}}, // __dyndbg up to 5.8
	{"__markers", Section{Use: BootTable, Holds: "marker"}},
	{"_ftrace_enum_map", Section{Use: BootTable, Holds: "trace event"}},            // 4.1 to 4.13
	{".security_initcall.init", Section{Use: BootTable, Holds: "security module"}}, // up to 4.20
	{".rio_route_ops .rio_switch_ops", Section{Use: BootTable, Holds: "RapidIO switch"}},
	{"__earlycon_of_table __clksrc_of_table __iommu_of_table __clksrc_acpi_probe_table", Section{Use: BootTable, Holds: "early device"}},
	{".data..vm0.kmem_cache_cpu .data..visible", Section{Use: Data}},

	{".hyp.text .hyp.rodata* .hyp.data* .hyp.bss*", Section{Use: Text, Fixed: "it is the hypervisor's"}}, // arm64
	{".idmap.text .hyp.idmap.text .mmuoff.text", Section{Use: Text, Fixed: "it is mapped at its physical address"}},
	{".mmuoff.data.read .mmuoff.data.write", Section{Use: Data, Fixed: "it is used while the MMU is off"}},
	{".entry.tramp.text", Section{Use: Text, Fixed: "it is mapped where user space runs"}},
	{".machine.desc", Section{Use: BootTable, Holds: "board"}}, // powerpc
	{".data.rel.ro.machine_desc", Section{Use: Data}},
	{".amode31.text* .dma.text*", Section{Use: Text, Fixed: "it must lie below 2 GB"}}, // s390
	{".amode31.data* .dma.data* .amode31.refs", Section{Use: Data, Fixed: "it must lie below 2 GB"}},
	{".amode31.ex_table .dma.ex_table", Section{Use: Table, Entry: "exception_table_entry"}},
	{".boot.text*", Section{Use: Text, Fixed: "it runs before the kernel is unpacked"}},
	{".boot.data* .boot.bss* .boot.preserved.data*", Section{Use: Data, Fixed: "it is shared with the code that unpacks the kernel"}},
	{".nospec_call_table .nospec_return_table", Section{Use: Table, Entry: "s32"}},
}

func init() {
	for _, row := range olderSectionRows {
		addSectionRow(row.names, row.Section)
	}
	slices.SortStableFunc(sectionPrefixes, longestFirst)
}
