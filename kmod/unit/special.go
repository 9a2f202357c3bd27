package unit

import "strings"

// SpecialSection says whether a section is a table that the kernel or objtool walks, whose entries belong to the code
// that they point at. Its content is read entry by entry (see package diff), never as items.
func SpecialSection(name string) bool {
	switch name {
	case "__jump_table", "__bug_table", ".altinstructions", ".altinstr_replacement", "__ex_table",
		".parainstructions", ".smp_locks", ".static_call_sites", ".kcfi_traps", "__mcount_loc", "__patchable_function_entries",
		".retpoline_sites", ".return_sites", ".call_sites", ".ibt_endbr_seal", ".cfi_sites", ".orc_unwind", ".orc_unwind_ip",
		".printk_index":
		return true
	}
	return strings.HasPrefix(name, ".discard.")
}
