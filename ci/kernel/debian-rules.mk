# For Debian's own linux packaging: copy this file and livesplice-after-build to debian/, and paste two lines into
# debian/rules. At its top:
#
#	include debian/debian-rules.mk
#
# At the end of the recipe of binary-arch, one line for each flavour, behind `$(MAKE) -f debian/rules.gen binary-arch_...`:
#
#	$(call livesplice_after_build,amd64_none_amd64)
#
# Patches in debian/livesplice/ become an update. The results are added to debian/files, and so to the .changes file;
# to be built by a buildd they have to be in debian/control too.
#
# livesplice_after_build has the parts of the build's name, <architecture>_<featureset>_<flavour>, as its argument. The folders
# are those of debian/rules.real, linux 6.1.176-1.
livesplice_out = debian/build/livesplice_$(1)
define livesplice_after_build
	mkdir -p $(livesplice_out)
	debian/livesplice-after-build --build-tree debian/build/build_$(1) --out $(livesplice_out) --format deb \
		$(if $(wildcard debian/livesplice/*.patch),--patches debian/livesplice) $$(sed 's,^\([^ ]*\) .*,../\1,' debian/files)
	for p in $(livesplice_out)/*.deb; do cp "$$p" .. && dpkg-distaddfile "$${p##*/}" kernel optional || exit 1; done
endef
