# SPDX-License-Identifier: MIT
# The initramfs, its rescue supplement and the module artifact. What goes in: initramfs/contents.
#   SET=full|broadcom  KERNEL=vmlinuz MODULES=lib/modules/RELEASE (default: Debian 13's, from the
#   cache)  FIRMWARE_DIR=dir (searched before Debian's packages)  POLICY=dir (CAs and role-signing keys)
#   AGENT=file (default: what `make` builds)  KERNEL_PACKAGE=linux-image-...  (another of Debian's)
SET ?= full
AGENT ?= $(BUILD)/promenade
POLICY ?=
FIRMWARE_DIR ?=
KERNEL ?=
MODULES ?=
KERNEL_PACKAGE ?= linux-image-amd64
export KERNEL_PACKAGE

# Debian's packages are fetched unless the operator gives all that would come from them.
INITRAMFS_DEBIAN = $(if $(and $(KERNEL),$(MODULES),$(FIRMWARE_DIR)),,$(BUILD)/kernel)
INITRAMFS_PYTHON := PYTHONDONTWRITEBYTECODE=1 $(PYTHON)
INITRAMFS_KERNEL = $(or $(KERNEL),$(BUILD)/kernel/vmlinuz)
INITRAMFS_MODULES = $(or $(MODULES),$(BUILD)/kernel/lib/modules)
INITRAMFS_WORDS = --set $(SET) --kernel $(INITRAMFS_KERNEL) --modules $(INITRAMFS_MODULES) \
	$(addprefix --firmware ,$(FIRMWARE_DIR)) --firmware $(BUILD)/kernel/lib/firmware \
	--file agent=$(AGENT) --file initrd-release=initramfs/initrd-release \
	--file busybox=$(BUILD)/kernel/busybox $(if $(POLICY),--policy $(POLICY))

# Debian's kernel and firmware, a link into the cache.
$(BUILD)/kernel: always
	@mkdir -p $(BUILD)
	@dir=$$(initramfs/debian-kernel.sh) && ln -sfn "$$dir" $@
kernel-update: ## take Debian's newest kernel and firmware into the cache
	initramfs/debian-kernel.sh --update

vmlinuz: $(BUILD)/vmlinuz ## build/vmlinuz, the kernel that the initramfs is for
$(BUILD)/vmlinuz: always $(INITRAMFS_DEBIAN)
	@cmp -s $(INITRAMFS_KERNEL) $@ || { cp $(INITRAMFS_KERNEL) $@.new && mv $@.new $@; }

# The builder is always asked; it compresses again only when an entry has changed.
initramfs: $(BUILD)/initramfs.cpio.zst ## build/initramfs.cpio.zst and build/vmlinuz
$(BUILD)/initramfs.cpio.zst: always $(AGENT) $(BUILD)/vmlinuz
	$(Q)$(INITRAMFS_PYTHON) initramfs/mkinitramfs.py $(INITRAMFS_WORDS) --out $@
initramfs-report: $(AGENT) $(INITRAMFS_DEBIAN) ## size of the initramfs by module and in all
	$(Q)$(INITRAMFS_PYTHON) initramfs/mkinitramfs.py $(INITRAMFS_WORDS) --report
rescue: $(BUILD)/rescue.cpio.zst ## a shell that iPXE appends to the initramfs on request
$(BUILD)/rescue.cpio.zst: always $(BUILD)/kernel
	$(Q)$(INITRAMFS_PYTHON) initramfs/mkinitramfs.py $(INITRAMFS_WORDS) --rescue --out $@
modules-artifact: $(BUILD)/modules.tar.zst ## the whole module tree, for a role's os.modules
$(BUILD)/modules.tar.zst: always $(INITRAMFS_DEBIAN)
	$(Q)$(INITRAMFS_PYTHON) initramfs/modules_artifact.py --kernel $(INITRAMFS_KERNEL) \
		--modules $(INITRAMFS_MODULES) $@
test-initramfs: $(BUILD)/kernel ## the builder: same bytes, closure, size, what is in it, a boot
	$(INITRAMFS_PYTHON) tests/initramfs/run.py --kernel $(BUILD)/kernel --build $(BUILD)
.PHONY: initramfs initramfs-report rescue modules-artifact vmlinuz kernel-update test-initramfs
