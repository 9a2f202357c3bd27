// SPDX-License-Identifier: GPL-2.0
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>

#include "count.h"

/* No larger total is shown. */
static noinline int limit(int n)
{
	return n > 1000 ? 1000 : n;
}

static int tally_show(struct seq_file *m, void *v)
{
	seq_printf(m, "%d from %s\n", limit(tally_total()), __FILE__);
	return 0;
}

static int tally_open(struct inode *inode, struct file *file)
{
	return single_open(file, tally_show, NULL);
}

static ssize_t tally_write(struct file *file, const char __user *buf, size_t len, loff_t *pos)
{
	int n, err = kstrtoint_from_user(buf, len, 10, &n);

	if (err)
		return err;
	tally_add(n);
	return len;
}

static const struct proc_ops tally_ops = {
	.proc_open = tally_open,
	.proc_read = seq_read,
	.proc_write = tally_write,
	.proc_lseek = seq_lseek,
	.proc_release = single_release,
};

static int __init tally_init(void)
{
	return proc_create("tally", 0600, NULL, &tally_ops) ? 0 : -ENOMEM;
}
module_init(tally_init);

static void __exit tally_exit(void)
{
	remove_proc_entry("tally", NULL);
}
module_exit(tally_exit);

MODULE_DESCRIPTION("Counts what is written to /proc/tally");
MODULE_LICENSE("GPL");
