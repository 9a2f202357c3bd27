# In place of `make bindeb-pkg` or `make binrpm-pkg`, in the folder of the kernel's source:
#
#	make -f /path/to/livesplice.mk bindeb-pkg O=../build LIVESPLICE_OUT=../live LIVESPLICE_PATCHES=../fixes
#
# All variables and options go on to the kernel's own make. LIVESPLICE_OUT is by default the folder "livesplice" in the build
# folder; LIVESPLICE_PATCHES may be left out. See docs/kernel-builds.md.
LIVESPLICE_AFTER_BUILD ?= $(dir $(lastword $(MAKEFILE_LIST)))livesplice-after-build
livesplice_tree := $(abspath $(or $(O),$(KBUILD_OUTPUT),.))
LIVESPLICE_OUT ?= $(livesplice_tree)/livesplice

# Where the packages come to be: beside the build folder; where rpm is told to, since Linux 6.7 below the build folder.
# Source: scripts/Makefile.package, v6.1 and v6.12.
livesplice_debs = $(livesplice_tree)/..
livesplice_rpms = $$(rpm $(RPMOPTS) --eval '%_rpmdir') $(livesplice_tree)/rpmbuild/RPMS

.PHONY: bindeb-pkg binrpm-pkg
bindeb-pkg: livesplice_folders = $(livesplice_debs) -maxdepth 1
binrpm-pkg: livesplice_folders = $(livesplice_rpms)
bindeb-pkg binrpm-pkg:
	mkdir -p '$(LIVESPLICE_OUT)'
	touch '$(LIVESPLICE_OUT)/.before'
	+$(MAKE) -f Makefile $@
	find $(livesplice_folders) -type f -newer '$(LIVESPLICE_OUT)/.before' \( -name 'linux-*.deb' -o -name 'kernel-*.rpm' \) 2>/dev/null | LC_ALL=C sort >'$(LIVESPLICE_OUT)/.built'
	set --; while read -r p; do set -- "$$@" "$$p"; done <'$(LIVESPLICE_OUT)/.built'; \
	'$(LIVESPLICE_AFTER_BUILD)' --build-tree '$(livesplice_tree)' --out '$(LIVESPLICE_OUT)' \
		$(if $(LIVESPLICE_PATCHES),--patches '$(LIVESPLICE_PATCHES)') "$$@"
