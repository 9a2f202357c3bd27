package unit_test

import (
	"archive/tar"
	"debug/elf"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"

	"livesplice/ci/archive"
	"livesplice/kmod/unit"
)

func TestKnownSection(t *testing.T) {
	for names, want := range map[string]unit.Section{
		".text .text.f .text.unlikely .text.unlikely.f .text.hot.f .text.startups .ref.text .sched.text .altinstr_aux .fixup .noinstr.text": {Use: unit.Text},
		".text..__x86.return_thunk":                   {Use: unit.Text, Fixed: "it is a thunk, which the kernel rewrites"},
		".init.text .exit.text":                       {Use: unit.InitText},
		".meminit.text .memexit.text":                 {Use: unit.Text, InitIn: "kernels without CONFIG_MEMORY_HOTPLUG"},
		".meminit.data .meminit.rodata":               {Use: unit.Data, InitIn: "kernels without CONFIG_MEMORY_HOTPLUG"},
		".cpuinit.text .cpuexit.text":                 {Use: unit.Text, InitIn: "kernels without CONFIG_HOTPLUG_CPU"},
		".devexit.data":                               {Use: unit.Data, InitIn: "kernels without CONFIG_HOTPLUG"},
		".text.startup .text.startup.main .text.exit": {Use: unit.Text, InitIn: "vmlinux"},
		".data .data.x .data..percpu .data..percpu..hot.x .data..L3 .bss .bss.x .bss..page_aligned .rodata .rodata.x .rodata..L2": {Use: unit.Data},
		".rodata.f.str1.1 .rodata.str1.8 .rodata.cst16.POLY .data.rel.ro.c_jump_table .rodata..c_jump_table .data..ro_after_init": {Use: unit.Data},
		".bss..decrypted":                    {Use: unit.Data, Fixed: "its pages are shared with the hypervisor, unencrypted"},
		".init.data .init.rodata .exit.data": {Use: unit.InitData},
		"__jump_table":                       {Use: unit.Table, Entry: "jump_entry"},
		"__mcount_loc":                       {Use: unit.Table, Entry: "unsigned long"},
		"runtime_ptr_USER_PTR_MAX runtime_shift_d_hash_shift":                                    {Use: unit.Table, Entry: "s32"},
		".altinstr_replacement":                                                                  {Use: unit.Helper},
		".discard.reachable .discard.annotate_insn":                                              {Use: unit.Annotation},
		".static_call_sites .orc_unwind_ip":                                                      {Use: unit.Rebuilt},
		".initcall6.init .initcallearly.init":                                                    {Use: unit.BootTable, Holds: "initcall"},
		".init.setup":                                                                            {Use: unit.BootTable, Holds: "kernel parameter"},
		"___ksymtab+f ___ksymtab_gpl+f ___kcrctab+f __ksymtab_strings .export_symbol":            {Use: unit.LateTable, Holds: "exported symbol"},
		".discard.addressable .printk_index .eh_frame .note.Xen .llvm_addrsig .gnu.warning.gets": {Use: unit.Dropped},
		"mystery .textual .rodatum .datastore .init .initial __bug_tables runtime .discards":     {},
	} {
		for _, name := range strings.Fields(names) {
			if got := unit.KnownSection(name); got != want {
				t.Errorf("%s: got %+v, want %+v", name, got, want)
			}
		}
	}
}

// linkerInputs are the sections of objects that the linker scripts of x86-64 kernels collect: the input patterns of
// include/asm-generic/vmlinux.lds.h, codetag.lds.h, arch/x86/kernel/vmlinux.lds.S, scripts/module.lds.S and
// arch/x86/include/asm/module.lds.h of v5.10, v6.12 and v7.2, those of debug information and of other machines apart. A
// pattern stands with "x" for "*" and for what a macro fills in.
const linkerInputs = `.BTF .BTF_ids .altinstr_aux .altinstr_replacement .altinstructions .apicdrivers .bss .bss..Lx .bss..brk
	.bss..decrypted .bss..page_aligned .bss.x .builtin_fw .call_sites .cfi_sites .comment .con_initcall.init .cpuidle.text .ctors .ctors.x
	.data .data..Lx .data..cacheline_aligned .data..decrypted .data..do_once .data..hot.x .data..init_task .data..init_thread_info
	.data..nosave .data..once .data..page_aligned .data..percpu .data..percpu..decrypted .data..percpu..first .data..percpu..hot.x
	.data..percpu..page_aligned .data..percpu..read_mostly .data..percpu..shared_aligned .data..read_mostly .data..relocate_kernel
	.data..ro_after_init .data..shared_aligned .data..unlikely .data.x .data.once .data.rel.ro.x .data.unlikely .discard .discard.x
	.dtb.init.rodata .dtors .dtors.x .early_lsm_info.init .eh_frame .entry.text .exit.data .exit.data.x .exit.text .exitcall.exit
	.export_symbol .fini_array .fini_array.x .fixup .gnu.linkonce.this_module .gnu.warning .head.text .ibt_endbr_seal .init.data .init.data.x
	.init.klp_funcs .init.klp_objects .init.ramfs .init.ramfs.info .init.rodata .init.rodata.x .init.scratch .init.setup .init.text
	.init.text.x .init_array .init_array.x .initcall0.init .initcall0s.init .initcallearly.init .initcallrootfs.init .iommu_table
	.irqentry.text .kcfi_traps .klp.symid .kprobes.text .kunit_test_suites .kunit_init_test_suites .llvm_bb_addr_map .lsm_info.init
	.meminit.text .meminit.data .meminit.rodata .memexit.text .modinfo .no_trim_symbol .noinstr.text .note.x .note.GNU-stack
	.note.gnu.property .orc_unwind .orc_unwind_ip .parainstructions .pci_fixup_early .pci_fixup_enable .pci_fixup_final .pci_fixup_header
	.pci_fixup_resume .pci_fixup_resume_early .pci_fixup_suspend .pci_fixup_suspend_late .ref.data .ref.rodata .ref.text .retpoline_sites
	.return_sites .rodata .rodata.x .rodata..Lx .rodata1 .sched.text .smp_locks .softirqentry.text .spinlock.text .static_call.text
	.static_call_sites .static_call_tramp_key .text .text..__x86.indirect_thunk .text..__x86.rethunk_safe .text..__x86.rethunk_untrain
	.text..__x86.return_thunk .text..refcount .text..relocate_kernel .text.x .text.asan.x .text.exit .text.exit.x .text.hot .text.hot.x
	.text.split .text.split.x .text.startup .text.startup.x .text.tsan.x .text.unknown .text.unknown.x .text.unlikely .text.unlikely.x
	.tracedata .vvar_x .x86_cpu_dev.init .x86_intel_mid_dev.init __irqchip_acpi_probe_table __timer_acpi_probe_table __clk_of_table
	__timer_of_table __reservedmem_of_table __irqchip_of_table __cpu_method_of_table __cpuidle_method_of_table __clk_of_table_end
	__governor_thermal_table ___kcrctab+x ___kcrctab_gpl+x ___kcrctab_gpl_future+x ___kcrctab_unused+x ___kcrctab_unused_gpl+x ___kentry+x
	___kflagstab+x ___ksymtab+x ___ksymtab_gpl+x ___ksymtab_gpl_future+x ___ksymtab_unused+x ___ksymtab_unused_gpl+x __bpf_raw_tp_map
	__bug_table __dl_sched_class __dyndbg __dyndbg_classes __earlycon_table __ex_table __ext_sched_class __fair_sched_class
	__idle_sched_class __jump_table __ksymtab_strings __mcount_loc __modver __param __patchable_function_entries __rt_sched_class
	__stop_sched_class __syscalls_metadata __trace_printk_fmt __tracepoint_check __tracepoint_str __tracepoints __tracepoints_ptrs
	__tracepoints_strings _error_injection_whitelist _ftrace_annotated_branch _ftrace_branch _ftrace_eval_map _ftrace_events
	_kprobe_blacklist ___srcu_struct_ptrs alloc_tags runtime_ptr_x runtime_shift_x __versions .orc_header .codetag.alloc_tags`

// moduleSections are the allocated sections of the modules that Debian ships of 5.10.0-32 (5.10.223-1), 6.1.0-50
// (6.1.176-1), 6.12.107+deb13 (6.12.107-1) and 7.2.13+deb14 (7.2.13-1), amd64: 16,355 files, 2026-11-21. The sections of
// constants with names of their own (.rodata.cst*) are left out.
const moduleSections = `.BTF_ids .altinstr_aux .altinstr_replacement .altinstructions .bss .call_sites .data .data..cacheline_aligned
	.data..do_once .data..once .data..percpu .data..read_mostly .data..ro_after_init .data.once .exit.data .exit.text .fixup
	.gnu.linkonce.this_module .ibt_endbr_seal .init.data .init.rodata .init.text .modinfo .noinstr.text .note.Linux .note.gnu.build-id
	.note.gnu.property .orc_header .orc_unwind .orc_unwind_ip .parainstructions .ref.data .ref.text .retpoline_sites .return_sites .rodata
	.rodata.str1.1 .rodata.str1.8 .rodata.str2.2 .rodata.str2.8 .sched.text .smp_locks .static_call.text .static_call_sites .text
	.text.unlikely ___srcu_struct_ptrs __bpf_raw_tp_map __bug_table __dyndbg __dyndbg_classes __ex_table __jump_table __kcrctab
	__kcrctab_gpl __kflagstab __ksymtab __ksymtab_gpl __ksymtab_strings __mcount_loc __param __patchable_function_entries
	__tracepoint_check __tracepoint_str __tracepoints __tracepoints_ptrs __tracepoints_strings __versions _ftrace_eval_map _ftrace_events`

func TestSectionsOfKernels(t *testing.T) {
	for _, name := range append(strings.Fields(linkerInputs), strings.Fields(moduleSections)...) {
		if unit.KnownSection(name).Use == 0 {
			t.Errorf("%s is not known", name)
		}
	}
}

// TestSectionsOfShippedModules looks at every allocated section of every module in the newest kernel of Debian 12.
func TestSectionsOfShippedModules(t *testing.T) {
	kernels, err := archive.Kernels(t.Context(), "6.1")
	if err != nil {
		t.Fatal(err)
	}
	files, err := kernels[len(kernels)-1].Fetch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "dpkg-deb", "--fsys-tarfile", files.Image)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	modules, sections := 0, 0
	unknown := map[string]string{}
	in := tar.NewReader(out)
	for {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(h.Name, ".ko") {
			continue
		}
		data, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		modules++
		sections += countSections(t, h.Name, data, unknown)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	for name, file := range unknown {
		t.Errorf("section %s of %s is not known", name, file)
	}
	if modules < 3900 || sections < 25*modules/2 {
		t.Errorf("only %d modules with %d sections were seen", modules, sections)
	}
}

func countSections(t *testing.T, file string, data []byte, unknown map[string]string) (n int) {
	t.Helper()
	f, err := elf.NewFile(strings.NewReader(string(data)))
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	for _, s := range f.Sections {
		if s.Flags&elf.SHF_ALLOC == 0 || s.Type == elf.SHT_RELA {
			continue
		}
		n++
		if unit.KnownSection(s.Name).Use == 0 {
			unknown[s.Name] = file
		}
	}
	return n
}
