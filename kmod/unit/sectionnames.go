package unit

// sectionRows are the names of sections in objects of x86-64 kernels 5.10 to 7.2, before the last link and in modules.
// A name that ends with "*" is a prefix.
//
// Source: include/asm-generic/{vmlinux,codetag}.lds.h, arch/x86/kernel/vmlinux.lds.S, scripts/module.lds.S,
// arch/x86/include/asm/module.lds.h and the section attributes of the whole tree, v5.10, v6.1, v6.12 and v7.2.
var sectionRows = []struct {
	names string
	Section
}{
	// Code. Code of .fixup (of exception tables, up to 5.15) and .altinstr_aux (slow paths of static_cpu_has) has no
	// symbols.
	{".text .text.* .ref.text .ref.text.* .sched.text .spinlock.text .kprobes.text .softirqentry.text .irqentry.text " +
		".noinstr.text .noinstr.text.* .cpuidle.text .fixup .altinstr_aux", Section{Use: Text}},
	{".entry.text", Section{Use: Text, Fixed: "entry code is mapped into every address space"}},
	{".head.text", Section{Use: Text, Fixed: "it runs before the kernel has relocated itself"}},
	{".static_call.text", Section{Use: Text, Fixed: "it is the trampoline of a static call, which the kernel rewrites"}},
	{".text..__x86.*", Section{Use: Text, Fixed: "it is a thunk, which the kernel rewrites"}},
	{".text..relocate_kernel", Section{Use: Text, Fixed: "it is copied away before it runs"}},
	{".init.text .init.text.* .exit.text .exit.text.*", Section{Use: InitText}},
	// Linker scripts choose by the configuration. Source: MEM_KEEP, CPU_KEEP and DEV_KEEP, include/asm-generic/vmlinux.lds.h,
	// v3.7, v3.10 and v6.1.
	{".meminit.text* .memexit.text*", Section{Use: Text, InitIn: noMemoryHotplug}},
	{".cpuinit.text* .cpuexit.text*", Section{Use: Text, InitIn: noCPUHotplug}},
	{".devinit.text* .devexit.text*", Section{Use: Text, InitIn: noHotplug}},
	// Source: INIT_TEXT and EXIT_TEXT, include/asm-generic/vmlinux.lds.h, v5.10 and v6.1.
	{".text.startup .text.startup.* .text.exit .text.exit.*", Section{Use: Text, InitIn: inVmlinux}},

	// Data.
	{".data .data.* .bss .bss.* .rodata .rodata.* .ref.data .ref.data.* .ref.rodata .ref.rodata.* .rodata1", Section{Use: Data}},
	{".data..decrypted .bss..decrypted .data..percpu..decrypted", Section{Use: Data, Fixed: "its pages are shared with the hypervisor, unencrypted"}},
	{".bss..brk*", Section{Use: Data, Fixed: "it is memory that early boot hands out"}},
	{".data..init_task .data..init_thread_info", Section{Use: Data, Fixed: "it is the first task's"}},
	{".data..nosave", Section{Use: Data, Fixed: "hibernation does not save it"}},
	{".data..relocate_kernel", Section{Use: Data, Fixed: "it is copied away before it is used"}},
	{".vvar_*", Section{Use: Data, Fixed: "it is mapped into user space"}},
	{"__stop_sched_class __dl_sched_class __rt_sched_class __fair_sched_class __ext_sched_class __idle_sched_class",
		Section{Use: Data, Fixed: "the scheduler compares addresses of its classes"}},
	{"__dyndbg .gnu.linkonce.this_module .toc", Section{Use: Data}}, // .toc: powerpc
	{".init.data .init.data.* init.data.* .init.rodata .init.rodata.* .init.bss .init.scratch .init.ramfs* .dtb.init.rodata .exit.data " +
		".exit.data.* .exit.rodata*", Section{Use: InitData}},
	{".meminit.data* .meminit.rodata* .memexit.data* .memexit.rodata*", Section{Use: Data, InitIn: noMemoryHotplug}},
	{".cpuinit.data* .cpuinit.rodata* .cpuexit.data* .cpuexit.rodata*", Section{Use: Data, InitIn: noCPUHotplug}},
	{".devinit.data* .devinit.rodata* .devexit.data* .devexit.rodata*", Section{Use: Data, InitIn: noHotplug}},

	// Tables whose entries belong to code.
	{"__jump_table", Section{Use: Table, Entry: "jump_entry"}},
	{"__bug_table", Section{Use: Table, Entry: "bug_entry"}},
	{".altinstructions", Section{Use: Table, Entry: "alt_instr"}},
	{"__ex_table", Section{Use: Table, Entry: "exception_table_entry"}},
	{".parainstructions", Section{Use: Table, Entry: "paravirt_patch_site"}},
	{".smp_locks .kcfi_traps", Section{Use: Table, Entry: "s32"}},
	{"runtime_ptr_* runtime_shift_*", Section{Use: Table, Entry: "s32"}},
	{"__mcount_loc __patchable_function_entries", Section{Use: Table, Entry: "unsigned long"}},
	{".altinstr_replacement", Section{Use: Helper}},
	{".discard.*", Section{Use: Annotation}},
	{".retpoline_sites .return_sites .call_sites .ibt_endbr_seal .cfi_sites .orc_unwind .orc_unwind_ip .orc_header .static_call_sites",
		Section{Use: Rebuilt}},

	// Tables that are walked once, and whose entries belong to no code.
	{".initcall* .con_initcall.init .ctors .ctors.* .init_array .init_array.*", Section{Use: BootTable, Holds: "initcall"}},
	{".exitcall.exit .dtors .dtors.* .fini_array .fini_array.*", Section{Use: BootTable, Holds: "exit call"}},
	{".init.setup", Section{Use: BootTable, Holds: "kernel parameter"}},
	{"__param", Section{Use: BootTable, Holds: "module parameter"}},
	{".modinfo __modver", Section{Use: BootTable, Holds: "module information"}},
	{"_ftrace_events _ftrace_eval_map", Section{Use: BootTable, Holds: "trace event"}},
	{"_ftrace_branch _ftrace_annotated_branch", Section{Use: BootTable, Holds: "branch profile"}},
	{"__tracepoints __tracepoints_ptrs __tracepoints_strings __bpf_raw_tp_map", Section{Use: BootTable, Holds: "tracepoint"}},
	{"__tracepoint_str __trace_printk_fmt", Section{Use: BootTable, Holds: "trace string"}},
	{"__syscalls_metadata", Section{Use: BootTable, Holds: "system call"}},
	{"__dyndbg_classes", Section{Use: BootTable, Holds: "class of dynamic debug messages"}},
	{"___srcu_struct_ptrs", Section{Use: BootTable, Holds: "SRCU domain"}},
	{".BTF_ids", Section{Use: BootTable, Holds: "BTF id"}},
	{".static_call_tramp_key", Section{Use: BootTable, Holds: "static call"}},
	{".pci_fixup*", Section{Use: BootTable, Holds: "PCI quirk"}},
	{".lsm_info.init .early_lsm_info.init", Section{Use: BootTable, Holds: "security module"}},
	{".x86_cpu_dev.init .x86_intel_mid_dev.init", Section{Use: BootTable, Holds: "processor or board"}},
	{".apicdrivers", Section{Use: BootTable, Holds: "APIC driver"}},
	{".iommu_table", Section{Use: BootTable, Holds: "IOMMU"}},
	{".builtin_fw", Section{Use: BootTable, Holds: "built-in firmware"}},
	{".tracedata", Section{Use: BootTable, Holds: "resume trace point"}},
	{".kunit_test_suites .kunit_init_test_suites", Section{Use: BootTable, Holds: "KUnit suite"}},
	{"__earlycon_table", Section{Use: BootTable, Holds: "early console"}},
	{"__clk_of_table __timer_of_table __reservedmem_of_table __cpu_method_of_table __cpuidle_method_of_table __irqchip_of_table " +
		"__clk_of_table_end __timer_of_table_end __reservedmem_of_table_end __irqchip_of_table_end " +
		"__irqchip_acpi_probe_table __timer_acpi_probe_table __governor_thermal_table", Section{Use: BootTable, Holds: "early device"}},
	{"alloc_tags", Section{Use: BootTable, Holds: "tag of allocations"}},

	// Nothing that runs can know a new exported symbol, and what must not be probed or may fail is the copy in an update.
	{"___ksymtab* __ksymtab* ___kcrctab* __kcrctab* ___kflagstab* __kflagstab* .export_symbol", Section{Use: LateTable, Holds: "exported symbol"}},
	{"_kprobe_blacklist", Section{Use: LateTable, Holds: "entry of the kprobe blacklist"}},
	{"_error_injection_whitelist", Section{Use: LateTable, Holds: "entry of the error injection list"}},

	// Nothing to code that runs: names of the tracepoints that are used, for a check of the build (6.19), pointers that keep symbols alive, an index of messages for user space, unwind tables
	// that the last link discards, what the last link and modpost add to modules.
	{".discard .discard.addressable .discard.annotate_data ___kentry+* .no_trim_symbol __tracepoint_check .printk_index .comment .eh_frame .gnu.* .gnu_debuglink .llvm* .note.* .BTF __versions __version_ext_* " +
		".klp.* .init.klp_* .codetag.*", Section{Use: Dropped}},
}

// Kernels that free sections which others keep.
const (
	noMemoryHotplug = "kernels without CONFIG_MEMORY_HOTPLUG"
	noCPUHotplug    = "kernels without CONFIG_HOTPLUG_CPU"
	noHotplug       = "kernels without CONFIG_HOTPLUG"
	inVmlinux       = "vmlinux"
)
