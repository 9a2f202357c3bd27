// SPDX-License-Identifier: GPL-2.0
/*
 * The update's references to a patched module, which the livepatch core writes when that module is there. LIVESPLICE_MODULES
 * is how many modules the update patches.
 *
 * The core writes to empty places only, and finds them full in two cases. Until Linux 6.3 it leaves what it wrote when the
 * patched module is unloaded; LIVESPLICE_CLEARS says that this is such a kernel. And on any kernel they are full when the
 * update is enabled again after it was disabled. What was written for a module that is gone is cleared here, by the same
 * sections that the core reads: nothing runs there then, since nobody uses a module that goes. What was written for a module
 * that is still there is right, and code that holds on to the update may be using it: it is left alone, and the core does
 * not get to see the sections.
 *
 * Source: klp_cleanup_module_patches_limited, klp_apply_object_relocs and klp_apply_section_relocs,
 * kernel/livepatch/core.c, and __apply_relocate_add, arch/x86/kernel/module.c, v5.10 to v7.2; clear_relocate_add, since v6.3.
 */
#include <linux/elf.h>
#include <linux/kernel.h>
#include <linux/livepatch.h>
#include <linux/memory.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/notifier.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <asm/text-patching.h>

int livesplice_patched(struct klp_object *obj);
void livesplice_unloaded(struct klp_object *obj);
int livesplice_prepare(struct klp_object *objs);
void livesplice_finish(struct klp_object *objs);
int livesplice_watch(void);
void livesplice_unwatch(void);

/* Taken under klp_mutex, and never the other way round. */
static DEFINE_MUTEX(livesplice_lock);

/* The modules for which the references are written, as long as they are there. */
static struct module *livesplice_resolved[LIVESPLICE_MODULES];

/* Those that must not go while the update is being enabled again, by the order of the objects. */
static struct module *livesplice_held[LIVESPLICE_MODULES];

/* Says whether a section holds the references of a patched module. */
static bool livesplice_late(const struct klp_modinfo *info, const Elf_Shdr *s, const char *module)
{
	char prefix[MODULE_NAME_LEN + sizeof(".klp.rela..")];
	const char *name = info->secstrings + s->sh_name;
	unsigned int n = 0;

	snprintf(prefix, sizeof(prefix), ".klp.rela.%s.", module);
	while (prefix[n] && prefix[n] == name[n])
		n++;
	return s->sh_type == SHT_RELA && !prefix[n];
}

/* Empties the places of the references to a module. */
static void livesplice_clear(const char *module)
{
	const struct klp_modinfo *info = THIS_MODULE->klp_info;
	const u64 zero = 0;
	unsigned int i;

	mutex_lock(&text_mutex);
	for (i = 1; i < info->hdr.e_shnum; i++) {
		const Elf_Shdr *s = info->sechdrs + i;
		const Elf_Rela *r = (const Elf_Rela *)s->sh_addr;
		const Elf_Rela *end = (const Elf_Rela *)(s->sh_addr + s->sh_size);

		if (!(s->sh_flags & SHF_RELA_LIVEPATCH) || !livesplice_late(info, s, module))
			continue;
		for (; r < end; r++) {
			unsigned int type = ELF_R_TYPE(r->r_info);

			text_poke((void *)(info->sechdrs[s->sh_info].sh_addr + r->r_offset), &zero,
				  type == R_X86_64_64 || type == R_X86_64_PC64 ? 8 : 4);
		}
	}
	mutex_unlock(&text_mutex);
}

/* Hides the references to a module from the livepatch core, or shows them again. */
static void livesplice_hide(const char *module, bool hide)
{
	const struct klp_modinfo *info = THIS_MODULE->klp_info;
	unsigned int i;

	for (i = 1; i < info->hdr.e_shnum; i++) {
		Elf_Shdr *s = info->sechdrs + i;

		if (!livesplice_late(info, s, module))
			continue;
		if (hide)
			s->sh_flags &= ~(u64)SHF_RELA_LIVEPATCH;
		else
			s->sh_flags |= SHF_RELA_LIVEPATCH;
	}
}

/* Notes that a module was replaced by nobody, one or the other: returns whether old was there. */
static bool livesplice_exchange(const struct module *old, struct module *new)
{
	unsigned int i;

	for (i = 0; i < LIVESPLICE_MODULES; i++) {
		if (livesplice_resolved[i] == old) {
			livesplice_resolved[i] = new;
			return true;
		}
	}
	return false;
}

/* The core calls this once it has written the references to an object's module, before it redirects functions of it. */
int livesplice_patched(struct klp_object *obj)
{
	mutex_lock(&livesplice_lock);
	if (!livesplice_exchange(obj->mod, obj->mod))
		livesplice_exchange(NULL, obj->mod);
	mutex_unlock(&livesplice_lock);
	return 0;
}

/* The core calls this when an object is patched no longer: its module goes, or could not be loaded, or the update is undone. */
void livesplice_unloaded(struct klp_object *obj)
{
	/* The update is undone while the module stays: old tasks may be anywhere if that was forced. */
	if (!obj->mod || obj->mod->state == MODULE_STATE_LIVE)
		return;
	mutex_lock(&livesplice_lock);
	livesplice_exchange(obj->mod, NULL);
	mutex_unlock(&livesplice_lock);
#ifdef LIVESPLICE_CLEARS
	livesplice_clear(obj->name);
#endif
}

/* Has all places empty, or right and hidden, before the update is enabled again. Nobody else uses objs. */
int livesplice_prepare(struct klp_object *objs)
{
	struct klp_object *obj;
	unsigned int i = 0;
	int ret = 0;

	mutex_lock(&livesplice_lock);
	for (obj = objs; obj->funcs && !ret; obj++) {
		if (!obj->name)
			continue;
		if (!obj->mod || !livesplice_exchange(obj->mod, obj->mod)) {
			livesplice_clear(obj->name);
		} else if (try_module_get(obj->mod)) {
			livesplice_held[i] = obj->mod;
			livesplice_hide(obj->name, true);
		} else {
			ret = -EBUSY; /* It is going just now. */
		}
		i++;
	}
	mutex_unlock(&livesplice_lock);
	if (ret)
		livesplice_finish(objs);
	return ret;
}

/* Undoes what livesplice_prepare did for modules that are there. */
void livesplice_finish(struct klp_object *objs)
{
	struct klp_object *obj;
	unsigned int i = 0;

	for (obj = objs; obj->funcs; obj++) {
		if (!obj->name)
			continue;
		if (livesplice_held[i]) {
			livesplice_hide(obj->name, false);
			module_put(livesplice_held[i]);
			livesplice_held[i] = NULL;
		}
		i++;
	}
}

#ifdef LIVESPLICE_STATES
/*
 * Variables that the update adds to a module. Those of the module itself begin anew each time that it is loaded, and so do
 * these: as the module has gone they get back what they had before anything of the update ran. Nobody uses them then.
 * Sections that the link has merged with others are not found, and left alone.
 */
static struct {
	const char *module, *section;
	void *at, *initial;
	size_t size;
} livesplice_states[] = { LIVESPLICE_STATES };

static int livesplice_keep(void)
{
	const struct klp_modinfo *info = THIS_MODULE->klp_info;
	unsigned int i, n;

	for (n = 0; n < ARRAY_SIZE(livesplice_states); n++) {
		for (i = 1; i < info->hdr.e_shnum; i++) {
			const Elf_Shdr *s = info->sechdrs + i;

			if (strcmp(info->secstrings + s->sh_name, livesplice_states[n].section) || !(s->sh_flags & SHF_ALLOC) || !s->sh_size)
				continue;
			livesplice_states[n].at = (void *)s->sh_addr;
			livesplice_states[n].size = s->sh_size;
			livesplice_states[n].initial = kmemdup((void *)s->sh_addr, s->sh_size, GFP_KERNEL);
			if (!livesplice_states[n].initial)
				return -ENOMEM;
		}
	}
	return 0;
}

static void livesplice_forget(void)
{
	unsigned int n;

	for (n = 0; n < ARRAY_SIZE(livesplice_states); n++)
		kfree(livesplice_states[n].initial);
}

/* What the core has written into a place is its own to take away: it looks whether it is still there, since Linux 6.3. */
static void livesplice_spare(const char *module, const void *at, void *initial)
{
	const struct klp_modinfo *info = THIS_MODULE->klp_info;
	unsigned int i;

	for (i = 1; i < info->hdr.e_shnum; i++) {
		const Elf_Shdr *s = info->sechdrs + i;
		const Elf_Rela *r = (const Elf_Rela *)s->sh_addr;
		const Elf_Rela *end = (const Elf_Rela *)(s->sh_addr + s->sh_size);

		if (!livesplice_late(info, s, module) || (const void *)info->sechdrs[s->sh_info].sh_addr != at)
			continue;
		for (; r < end; r++)
			memcpy(initial + r->r_offset, at + r->r_offset, 8);
	}
}

static void livesplice_renew(const char *module)
{
	unsigned int n;

	for (n = 0; n < ARRAY_SIZE(livesplice_states); n++) {
		if (!livesplice_states[n].initial || strcmp(livesplice_states[n].module, module))
			continue;
		livesplice_spare(module, livesplice_states[n].at, livesplice_states[n].initial);
		memcpy(livesplice_states[n].at, livesplice_states[n].initial, livesplice_states[n].size);
	}
}
#else
static inline int livesplice_keep(void) { return 0; }
static inline void livesplice_forget(void) { }
static inline void livesplice_renew(const char *module) { }
#endif

static int livesplice_notify(struct notifier_block *nb, unsigned long action, void *mod)
{
	if (action == MODULE_STATE_GOING) {
		mutex_lock(&livesplice_lock);
		livesplice_exchange(mod, NULL);
		mutex_unlock(&livesplice_lock);
		livesplice_renew(((struct module *)mod)->name);
	}
	return NOTIFY_OK;
}

static struct notifier_block livesplice_notifier = {
	.notifier_call = livesplice_notify,
};

/* Watches modules go also while the update is disabled, when the core does not. */
int livesplice_watch(void)
{
	int ret = livesplice_keep();

	if (!ret)
		ret = register_module_notifier(&livesplice_notifier);
	if (ret)
		livesplice_forget();
	return ret;
}

void livesplice_unwatch(void)
{
	unregister_module_notifier(&livesplice_notifier);
	livesplice_forget();
}
