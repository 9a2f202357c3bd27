// SPDX-License-Identifier: GPL-2.0
#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>

#include "count.h"

static int meter_show(struct seq_file *m, void *v)
{
	seq_printf(m, "%d\n", tally_add(0));
	return 0;
}

static int __init meter_init(void)
{
	return proc_create_single("meter", 0400, NULL, meter_show) ? 0 : -ENOMEM;
}
module_init(meter_init);

static void __exit meter_exit(void)
{
	remove_proc_entry("meter", NULL);
}
module_exit(meter_exit);

MODULE_DESCRIPTION("Shows in /proc/meter what module tally has counted");
MODULE_LICENSE("GPL");
