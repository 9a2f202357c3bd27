// SPDX-License-Identifier: GPL-2.0
/* The driver of the campaign: /proc/adversary, and what holds functions and objects of the units. It is never patched. */
#include <linux/proc_fs.h>
#include "adversary.h"

#define OUT_SIZE (256 << 10)

static DEFINE_MUTEX(adv_lock); /* of units, slots and the file */
static LIST_HEAD(adv_units);
static BLOCKING_NOTIFIER_HEAD(adv_chain);

static DEFINE_SPINLOCK(adv_out_lock); /* of what follows */
static char *adv_buf;
static size_t adv_len;

struct adv_slot {
	char name[24];
	void *what;
	bool watches; /* what is a notifier in the chain */
};
static struct adv_slot adv_slots[2048];

void adv_out(const char *fmt, ...)
{
	unsigned long flags;
	va_list args;

	va_start(args, fmt);
	spin_lock_irqsave(&adv_out_lock, flags);
	if (adv_buf && adv_len < OUT_SIZE - 512) {
		adv_len += vscnprintf(adv_buf + adv_len, 500, fmt, args);
		adv_buf[adv_len++] = '\n';
	}
	spin_unlock_irqrestore(&adv_out_lock, flags);
	va_end(args);
}
EXPORT_SYMBOL_GPL(adv_out);

noinline long adv_id(long v)
{
	barrier();
	return v;
}
EXPORT_SYMBOL_GPL(adv_id);

static struct adv_slot *adv_slot(const char *name, bool make)
{
	struct adv_slot *free = NULL;
	int i;

	for (i = 0; i < ARRAY_SIZE(adv_slots); i++) {
		if (!strcmp(adv_slots[i].name, name))
			return &adv_slots[i];
		if (!free && !adv_slots[i].name[0])
			free = &adv_slots[i];
	}
	if (!make || !free)
		return NULL;
	strscpy(free->name, name, sizeof(free->name));
	return free;
}

void adv_keep(const char *name, const void *object)
{
	struct adv_slot *s = adv_slot(name, true);

	if (s)
		s->what = (void *)object;
}
EXPORT_SYMBOL_GPL(adv_keep);

void *adv_kept(const char *name)
{
	struct adv_slot *s = adv_slot(name, false);

	return s ? s->what : NULL;
}
EXPORT_SYMBOL_GPL(adv_kept);

void adv_hold(const char *name, long (*fn)(long))
{
	adv_keep(name, fn);
}
EXPORT_SYMBOL_GPL(adv_hold);

void *adv_held(const char *name)
{
	return adv_kept(name);
}
EXPORT_SYMBOL_GPL(adv_held);

long adv_fire(const char *name, long arg)
{
	long (*fn)(long) = adv_kept(name);

	return fn ? fn(arg) : -ENOENT;
}
EXPORT_SYMBOL_GPL(adv_fire);

static void adv_drop(struct adv_slot *s)
{
	if (s->watches)
		blocking_notifier_chain_unregister(&adv_chain, s->what);
	memset(s, 0, sizeof(*s));
}

void adv_watch(const char *name, struct notifier_block *nb)
{
	struct adv_slot *s = adv_slot(name, true);

	if (!s || s->watches)
		return;
	s->what = nb;
	s->watches = true;
	blocking_notifier_chain_register(&adv_chain, nb);
}
EXPORT_SYMBOL_GPL(adv_watch);

void adv_unwatch(const char *name)
{
	struct adv_slot *s = adv_slot(name, false);

	if (s)
		adv_drop(s);
}
EXPORT_SYMBOL_GPL(adv_unwatch);

int adv_notify(unsigned long event, void *data)
{
	return blocking_notifier_call_chain(&adv_chain, event, data);
}
EXPORT_SYMBOL_GPL(adv_notify);

void adv_register(struct adv_unit *u)
{
	mutex_lock(&adv_lock);
	list_add_tail(&u->list, &adv_units);
	mutex_unlock(&adv_lock);
}
EXPORT_SYMBOL_GPL(adv_register);

void adv_unregister(struct adv_unit *u)
{
	size_t n = strlen(u->name);
	int i;

	mutex_lock(&adv_lock);
	list_del(&u->list);
	for (i = 0; i < ARRAY_SIZE(adv_slots); i++)
		if (!strncmp(adv_slots[i].name, u->name, n))
			adv_drop(&adv_slots[i]);
	mutex_unlock(&adv_lock);
}
EXPORT_SYMBOL_GPL(adv_unregister);

/* The unit of a name, its module held. */
static struct adv_unit *adv_find(const char *name)
{
	struct adv_unit *u, *found = NULL;

	mutex_lock(&adv_lock);
	list_for_each_entry(u, &adv_units, list)
		if (!strcmp(u->name, name) && try_module_get(u->owner)) {
			found = u;
			break;
		}
	mutex_unlock(&adv_lock);
	return found;
}

/* NAME OP ARG, or "# TEXT" for the log. No lock is held meanwhile: a unit may sleep. */
static void adv_line(char *line)
{
	struct adv_unit *u;
	char name[24];
	unsigned int op;
	long arg = 0;

	if (line[0] == '#') {
		pr_info("adversary step %s\n", line + 2);
		return;
	}
	if (sscanf(line, "%23s %u %ld", name, &op, &arg) < 2)
		return;
	u = adv_find(name);
	if (!u) {
		adv_out("no unit %s", name);
		return;
	}
	u->call(op, arg);
	module_put(u->owner);
}

static ssize_t adv_write(struct file *file, const char __user *user, size_t n, loff_t *pos)
{
	char *text = memdup_user_nul(user, n), *rest, *line;

	if (IS_ERR(text))
		return PTR_ERR(text);
	for (rest = text; (line = strsep(&rest, "\n"));)
		adv_line(line);
	kfree(text);
	return n;
}

static ssize_t adv_read(struct file *file, char __user *user, size_t n, loff_t *pos)
{
	ssize_t got = 0;

	mutex_lock(&adv_lock);
	if (adv_buf) {
		got = simple_read_from_buffer(user, n, pos, adv_buf, adv_len);
		if (!got)
			adv_len = 0; /* read to its end */
	}
	mutex_unlock(&adv_lock);
	return got;
}

static const struct proc_ops adv_ops = {
	.proc_read = adv_read,
	.proc_write = adv_write,
	.proc_lseek = default_llseek,
};

static int __init adv_init(void)
{
	adv_buf = kvmalloc(OUT_SIZE, GFP_KERNEL);
	return proc_create("adversary", 0600, NULL, &adv_ops) && adv_buf ? 0 : -ENOMEM;
}
fs_initcall(adv_init);
