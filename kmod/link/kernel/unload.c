// SPDX-License-Identifier: GPL-2.0
/*
 * Until Linux 6.3 the livepatch core leaves what it wrote for a patched module in this one when that module is unloaded.
 * It finds the places not empty when the module is loaded again, and refuses the module. So they are cleared here, by
 * the same sections that the core reads. Nothing runs there then: the functions are redirected no longer, and nobody
 * uses a module that goes.
 *
 * Source: klp_cleanup_module_patches_limited and klp_apply_section_relocs, kernel/livepatch/core.c, and
 * __apply_relocate_add, arch/x86/kernel/module.c, v5.10 and v6.1.
 */
#include <linux/elf.h>
#include <linux/kernel.h>
#include <linux/livepatch.h>
#include <linux/memory.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <asm/text-patching.h>

void livesplice_unloaded(struct klp_object *obj);

void livesplice_unloaded(struct klp_object *obj)
{
	const struct klp_modinfo *info = THIS_MODULE->klp_info;
	char prefix[MODULE_NAME_LEN + sizeof(".klp.rela..")];
	const u64 zero = 0;
	unsigned int i;

	/* The update is undone while the module stays: old tasks may be anywhere if that was forced. */
	if (!obj->mod || obj->mod->state == MODULE_STATE_LIVE)
		return;
	snprintf(prefix, sizeof(prefix), ".klp.rela.%s.", obj->name);
	mutex_lock(&text_mutex);
	for (i = 1; i < info->hdr.e_shnum; i++) {
		const Elf_Shdr *s = info->sechdrs + i;
		const Elf_Rela *r = (const Elf_Rela *)s->sh_addr;
		const Elf_Rela *end = (const Elf_Rela *)(s->sh_addr + s->sh_size);
		const char *name = info->secstrings + s->sh_name;
		unsigned int n = 0;

		while (prefix[n] && prefix[n] == name[n])
			n++;
		if (s->sh_type != SHT_RELA || !(s->sh_flags & SHF_RELA_LIVEPATCH) || prefix[n])
			continue;
		for (; r < end; r++) {
			unsigned int type = ELF_R_TYPE(r->r_info);

			text_poke((void *)(info->sechdrs[s->sh_info].sh_addr + r->r_offset), &zero,
				  type == R_X86_64_64 || type == R_X86_64_PC64 ? 8 : 4);
		}
	}
	mutex_unlock(&text_mutex);
}
