/* SPDX-License-Identifier: GPL-2.0 */
/* What every unit of the campaign includes: the kernel's headers that they need, and the driver's functions. */
#ifndef ADVERSARY_H
#define ADVERSARY_H

#include <linux/atomic.h>
#include <linux/cache.h>
#include <linux/cpu.h>
#include <linux/cpufeature.h>
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/init.h>
#include <linux/jiffies.h>
#include <linux/jump_label.h>
#include <linux/kernel.h>
#include <linux/list.h>
#include <linux/math64.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/notifier.h>
#include <linux/percpu.h>
#include <linux/ratelimit.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/debug.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/spinlock.h>
#include <linux/static_call.h>
#include <linux/string.h>
#include <linux/timer.h>
#include <linux/uaccess.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

/* A unit is driven by lines "NAME OP ARG" written to /proc/adversary; what it puts out is read from there. */
struct adv_unit {
	const char *name;
	void (*call)(unsigned int op, long arg);
	struct module *owner;
	struct list_head list;
};

void adv_register(struct adv_unit *u);
void adv_unregister(struct adv_unit *u); /* also drops what the unit has left with adv_hold, adv_keep and adv_watch */

/* A line of output. */
__printf(1, 2) void adv_out(const char *fmt, ...);

/* v, in a way that no compiler sees through. */
long adv_id(long v);

/* The driver keeps a function or an object under a name that begins with the unit's, as a timer, a list or a device would. */
void adv_hold(const char *name, long (*fn)(long));
long adv_fire(const char *name, long arg); /* -ENOENT: none there */
void *adv_held(const char *name);
void adv_keep(const char *name, const void *object);
void *adv_kept(const char *name);

/* A chain of notifiers, which the driver calls. */
void adv_watch(const char *name, struct notifier_block *nb);
void adv_unwatch(const char *name);
int adv_notify(unsigned long event, void *data);

#endif
