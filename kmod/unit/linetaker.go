package unit

import (
	"slices"

	"livesplice/kmod/arch"
	"livesplice/kmod/elfobj"
)

// Objects without debug information have no line table that tells a number of a source line. What tells it there is who takes
// it: functions of the kernel that macros call with __LINE__.

// lineTakers are such functions, and which argument it is, from 0.
//
// Source: include/{asm-generic/bug,linux/kernel,linux/rcupdate,linux/uaccess}.h, fs/{ext4/ext4,ext4/ext4_jbd2,btrfs/ctree,xfs/xfs_linux}.h,
// v3.10, v4.4, v4.15, v5.10 and v6.1.
var lineTakers = map[string][]int{
	"warn_slowpath_null": {1}, "warn_slowpath_fmt": {1}, "warn_slowpath_fmt_taint": {1}, "lockdep_rcu_suspicious": {1},
	"__might_sleep": {1}, "___might_sleep": {1}, "__might_resched": {1}, "__might_fault": {1}, "__cant_sleep": {1}, "__cant_migrate": {1},
	"__btrfs_abort_transaction": {2, 3}, "__btrfs_std_error": {2}, "__btrfs_handle_fs_error": {2}, "__btrfs_panic": {2},
	"__ext4_error": {2}, "__ext4_error_inode": {2}, "ext4_error_inode": {2}, "__ext4_error_file": {2}, "ext4_error_file": {2},
	"__ext4_std_error": {2}, "__ext4_abort": {2}, "__ext4_warning": {2}, "__ext4_warning_inode": {2}, "__ext4_grp_locked_error": {1},
	"__ext4_journal_stop": {1}, "__ext4_handle_dirty_metadata": {1}, "__ext4_handle_dirty_super": {1}, "__ext4_forget": {1},
	"__ext4_journal_get_write_access": {1}, "__ext4_journal_get_create_access": {1}, "assfail": {2},
}

// lineTableIn says whether an object has a line table.
func lineTableIn(obj *elfobj.Object) bool {
	return slices.ContainsFunc(obj.Sections, func(s *elfobj.Section) bool { return s.Name == ".debug_line" && s.Size() > 0 })
}

// takesLine says whether the number that an instruction at an offset of a function loads into a register is the line that the
// next call passes on.
func (u *Unit) takesLine(it *Item, off uint64, reg int) bool {
	refs, err := u.Refs(it)
	if err != nil {
		return false
	}
	for at := off; at < it.Size(); {
		insn, ok := u.insn(it.Section, it.Start+at, it.End)
		if !ok || insn.Len <= 0 {
			return false
		}
		end := at + uint64(insn.Len)
		i := slices.IndexFunc(refs, func(r Ref) bool { return r.Offset >= at && r.Offset < end && r.Direct })
		if i < 0 {
			if insn.Call || insn.Jump {
				return false // to another place of the function
			}
			if set, ok := arch.ImmediateOf(u.Arch, it.Bytes()[at:]); ok && at > off && set.Reg == reg {
				return false // another number takes its place
			}
			at = end
			continue
		}
		if refs[i].External == nil {
			return false
		}
		return slices.ContainsFunc(lineTakers[refs[i].External.Name], func(n int) bool { return arch.ArgumentRegister(u.Arch, n) == reg })
	}
	return false
}
