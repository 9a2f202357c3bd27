package finding

import (
	"strings"

	"livesplice/kmod/vmlinux"
)

// args is a set of arguments, by their numbers from 0 on. The sixth and all behind it share a bit.
type args uint8

const everyArg args = 0x3f

func (a args) has(n int) bool { return a&(1<<n) != 0 }

// borrower is a function of the kernel that is done with some of its arguments when it returns: what they point to is read,
// written or copied meanwhile, and nothing keeps them.
type borrower struct {
	args    args // that it is done with
	ignores args // that it never looks behind: they are numbers to it
	returns bool // its first argument, or a place in what that points to
	copies  bool // bytes, which may be addresses, to places that stay
	lockdep bool // keeps them with CONFIG_LOCKDEP
	// sleeps says that it may give up the CPU by itself before it is done. Where the update's code jumps to it as the last
	// thing, nothing of the update is on the stack then. One that is only interrupted or preempted is waited for by the
	// module's exit, with synchronize_rcu_tasks().
	sleeps bool
	deep   bool // looks behind the pointers in what its arguments point to, and keeps none of these either
}

// Callee is a function of the running kernel that an update calls: the object that has it, vmlinux or a module, and its name
// there. The zero value is one of which nothing is known.
type Callee struct{ Object, Name string }

// borrowerOf gives what is known of a function. The names are of functions that other files can call, so that there is one of each
// in vmlinux, and in a module.
func borrowerOf(c Callee, lockdep bool) (borrower, bool) {
	b, ok := borrowers[c.Name]
	if c.Object != vmlinux.Object {
		b, ok = ofModules[c]
	}
	return b, ok && !(b.lockdep && lockdep)
}

// printers are functions of modules that print, as the kernel's own do; a part that is built in has them in vmlinux.
var printers = map[string]string{
	"drm":          "drm_dev_printk __drm_err",                         // Source: drivers/gpu/drm/drm_print.c, v6.1.
	"xfs":          "xfs_printk_level _xfs_alert_tag",                  // Source: fs/xfs/xfs_message.c, v6.1.
	"btrfs":        "_btrfs_printk",                                    // Source: fs/btrfs/super.c, v6.1.
	"ext4":         "__ext4_msg __ext4_warning",                        // Source: fs/ext4/super.c, v6.1.
	"f2fs":         "f2fs_printk",                                      // Source: fs/f2fs/super.c, v6.1.
	"mwifiex":      "_mwifiex_dbg",                                     // Source: drivers/net/wireless/marvell/mwifiex/main.c, v6.1.
	"nf_conntrack": "nf_ct_l4proto_log_invalid nf_l4proto_log_invalid", // Source: nf_log_packet, net/netfilter/nf_log.c, v6.1.
}

var ofModules = func() map[Callee]borrower {
	out := map[Callee]borrower{}
	for module, names := range printers {
		for _, name := range strings.Fields(names) {
			out[Callee{module, name}] = borrower{args: everyArg}
		}
	}
	for _, name := range []string{"__drm_dev_dbg", "___drm_dbg"} {
		out[Callee{"drm", name}] = borrower{args: everyArg, deep: true}
	}
	return out
}()

// borrowers are the functions that are known, by name. A function is in the list only if it was read, down to all that
// it passes its arguments on to; that it takes a text is no reason: request_region, request_irq, class_create,
// kmem_cache_create, trace_printk and many others keep the pointer.
var borrowers = func() map[string]borrower {
	out := map[string]borrower{}
	for _, g := range []struct {
		borrower
		names string
	}{
		// They format into the log's own memory, %s arguments included, before they do anything else.
		// Source: vprintk_store, kernel/printk/printk.c, v5.10 and v6.1; panic and __warn_printk, kernel/panic.c, v6.1.
		{borrower{args: everyArg}, "_printk printk _printk_deferred printk_deferred vprintk vprintk_emit vprintk_deferred __warn_printk warn_slowpath_fmt panic"},
		// The same with the name of a device in front.
		// Source: dev_vprintk_emit, drivers/base/core.c, __netdev_printk, net/core/dev.c, sdev_prefix_printk,
		// drivers/scsi/scsi_logging.c, v6.1.
		{borrower{args: everyArg}, "_dev_printk _dev_emerg _dev_alert _dev_crit _dev_err _dev_warn _dev_notice _dev_info dev_printk_emit dev_vprintk_emit " +
			"netdev_printk netdev_emerg netdev_alert netdev_crit netdev_err netdev_warn netdev_notice netdev_info sdev_prefix_printk scmd_printk"},
		// The same; the first argument is what dynamic debug made for the message, which it forgets with the module.
		// Source: lib/dynamic_debug.c, v5.10 and v6.1.
		{borrower{args: everyArg, deep: true}, "__dynamic_pr_debug __dynamic_dev_dbg __dynamic_netdev_dbg __dynamic_ibdev_dbg"},
		// A deferred probe's reason is a copy, made under a mutex. The others print several times.
		// Source: dev_err_probe, drivers/base/core.c, and device_set_deferred_probe_reason, drivers/base/dd.c, lib/hexdump.c,
		// lib/dump_stack.c, mm/debug.c, v6.1.
		{borrower{args: everyArg, sleeps: true}, "dev_err_probe print_hex_dump dump_stack_lvl dump_page"},
		// Source: lib/ratelimit.c, lib/hexdump.c, kernel/sched/core.c, mm/memory.c, v6.1.
		{borrower{args: everyArg}, "___ratelimit hex_dump_to_buffer __might_sleep __might_fault __cant_sleep"},
		// They format into memory that is given.
		// Source: lib/vsprintf.c, fs/seq_file.c, fs/sysfs/file.c, lib/seq_buf.c, kernel/trace/trace_seq.c, v6.1.
		{borrower{args: everyArg}, "snprintf scnprintf sprintf vsnprintf vscnprintf vsprintf sscanf seq_printf seq_vprintf seq_puts sysfs_emit sysfs_emit_at seq_buf_printf trace_seq_printf"},
		// They format into new memory, or into an array of their own.
		// Source: lib/kasprintf.c, drivers/base/devres.c, kernel/audit.c, kernel/kmod.c, v6.1.
		{borrower{args: everyArg, sleeps: true}, "kasprintf kvasprintf devm_kasprintf audit_log_format __request_module"},
		// A text without % is kept only if it is the kernel's own (is_kernel_rodata), which a module's is not.
		// Source: kvasprintf_const, lib/kasprintf.c, kobject_set_name_vargs, lib/kobject.c, v5.10 and v6.1.
		{borrower{args: everyArg, sleeps: true}, "dev_set_name kobject_set_name"},
		// Source: lib/string.c, lib/string_helpers.c, lib/kstrtox.c, arch/x86/lib/mem*_64.S, v6.1.
		{borrower{args: everyArg}, "strcmp strncmp strcasecmp strncasecmp strlen strnlen strscpy strscpy_pad strlcpy strlcat strspn strcspn memcmp bcmp " +
			"sysfs_streq kstrtoll kstrtoull kstrtoint kstrtouint kstrtobool"},
		{borrower{args: everyArg, returns: true}, "strcpy strncpy strcat strncat strstr strnstr strchr strrchr strchrnul strnchr strpbrk skip_spaces memchr memchr_inv memscan memset __memset"},
		{borrower{args: everyArg, returns: true, copies: true}, "memcpy __memcpy memmove __memmove"},
		{borrower{args: everyArg, deep: true}, "match_string __sysfs_match_string"},
		// They copy what they are given.
		// Source: lib/nlattr.c, fs/seq_file.c, v6.1; mm/util.c, lib/usercopy.c, lib/iov_iter.c, fs/libfs.c, v6.1.
		{borrower{args: everyArg, copies: true}, "nla_put nla_put_nohdr nla_append seq_write"},
		{borrower{args: everyArg, copies: true, sleeps: true}, "kstrdup kstrndup kmemdup kmemdup_nul _copy_to_user _copy_to_iter simple_read_from_buffer memory_read_from_buffer"},
		// They call a function, and are done when they return.
		// Source: lib/sort.c, lib/list_sort.c, v6.1.
		{borrower{args: everyArg, sleeps: true}, "sort sort_r list_sort"},
		// The names of properties are compared.
		// Source: drivers/of/base.c, drivers/of/property.c, drivers/base/property.c, drivers/base/swnode.c, v6.1.
		{borrower{args: everyArg, sleeps: true}, "of_find_property of_get_property of_property_read_string of_property_match_string of_device_is_compatible of_property_read_variable_u32_array " +
			"device_property_present device_property_read_u32_array device_property_read_string fwnode_property_present fwnode_property_read_u32_array fwnode_property_read_string"},
		// Who waits for a lock does so on its own stack, in a call of the update's code; the lock itself keeps no address of
		// itself elsewhere.
		// Source: kernel/locking/mutex.c, rwsem.c and spinlock.c, v6.1.
		{borrower{args: everyArg, lockdep: true, sleeps: true}, "mutex_lock mutex_lock_interruptible mutex_lock_killable down_read down_write"},
		{borrower{args: everyArg, lockdep: true}, "mutex_unlock mutex_trylock mutex_is_locked up_read up_write _raw_spin_lock _raw_spin_lock_irq _raw_spin_lock_irqsave _raw_spin_lock_bh " +
			"_raw_spin_trylock _raw_spin_unlock _raw_spin_unlock_irq _raw_spin_unlock_irqrestore _raw_spin_unlock_bh"},
		// Without lockdep nothing looks at a lock's name and key.
		// Source: kernel/locking/mutex.c, rwsem.c and percpu-rwsem.c, kernel/sched/wait.c and swait.c, v6.1.
		{borrower{ignores: 1<<1 | 1<<2, lockdep: true}, "__mutex_init __init_waitqueue_head __init_rwsem __percpu_init_rwsem __init_swait_queue_head __kthread_init_worker"},
		// Source: do_init_timer, kernel/time/timer.c, v6.1.
		{borrower{ignores: 1<<3 | 1<<4, lockdep: true}, "init_timer_key init_timer_on_stack_key"},
		// The address of the caller's code is a number in messages.
		// Source: kernel/softirq.c, v5.10 and v6.1.
		{borrower{ignores: 1 << 0}, "__local_bh_enable_ip __local_bh_disable_ip"},
	} {
		for _, name := range strings.Fields(g.names) {
			out[name] = g.borrower
		}
	}
	for c, b := range ofModules {
		out[c.Name] = b
	}
	return out
}()
