# Reads one folder's Kbuild or Makefile as scripts/Makefile.build does, and prints what it lists.
# Called in the build folder, with the variables that the top Makefile exports, obj=<folder> and scratch=<folder>.
# Source: scripts/Makefile.build and scripts/Makefile.lib, v6.1; the variables are the same from v5.10 to v6.12.

src := $(obj)

PHONY := print
print: ; @:

obj-y :=
obj-m :=
lib-y :=
lib-m :=
always-y :=
always-m :=
extra-y :=
targets :=
subdir-y :=
subdir-m :=
hostprogs :=
userprogs :=
EXTRA_AFLAGS   :=
EXTRA_CFLAGS   :=
EXTRA_CPPFLAGS :=
EXTRA_LDFLAGS  :=
asflags-y  :=
ccflags-y  :=
rustflags-y :=
cppflags-y :=
ldflags-y  :=
subdir-asflags-y :=
subdir-ccflags-y :=

-include include/config/auto.conf

include $(srctree)/scripts/Kbuild.include
-include $(srctree)/scripts/Makefile.compiler

# cc-option and its like try things in a folder of their own, by default in the build folder.
TMPOUT := $(scratch)/.tmp_$(subst /,_,$(obj))

kbuild-dir := $(srctree)/$(src)
include $(or $(wildcard $(kbuild-dir)/Kbuild),$(kbuild-dir)/Makefile)

# $(call parts,foo.o,suffixes): what the composite object foo.o is linked from.
parts = $(strip $(foreach s,$2,$($(1:.o=$s))))
composite = $(if $(call parts,$1,$2 -),$(info $3 $1 $(call parts,$1,$2)))

$(info obj-y $(obj-y))
$(info obj-m $(filter-out $(obj-y),$(obj-m)))
$(info lib-y $(filter-out $(obj-y),$(lib-y) $(lib-m)))
$(info subdir $(subdir-y) $(subdir-m))
$(info other $(always-y) $(always-m) $(extra-y) $(targets))
$(info hostprogs $(hostprogs) $(userprogs) $(foreach p,$(hostprogs) $(userprogs),$($(p)-objs)))
$(foreach o,$(sort $(filter %.o,$(obj-y))),$(call composite,$o,-objs -y,part-y))
$(foreach o,$(sort $(filter-out $(obj-y),$(filter %.o,$(obj-m)))),$(call composite,$o,-objs -y -m,part-m))
