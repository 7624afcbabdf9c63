# SPDX-License-Identifier: MIT
# The rig: a Debian guest that needs the work, the servers, real firmware, whole boots.
#   FIRMWARE=bios|uefi   SCENARIO="bios-first ..." (qemu/scenario.py --list)   LIMIT=seconds a boot
FIRMWARE ?= bios
SCENARIO ?= bios-first bios-second bios-second-server-off uefi-first
LIMIT ?= 900

demo: need-qemu initramfs guest ## the whole path in a VM, shown live: FIRMWARE=bios (or uefi)
	$(Q)$(PYTHON) qemu/scenario.py --limit $(LIMIT) $(FIRMWARE)-first
guest: need-qemu ## the guest's disk, in the cache: one Debian 13 machine that needs the work
	$(Q)dir=$$(qemu/guest/build.sh) && echo "guest: $$dir/disk.raw"
test-qemu: need-qemu initramfs guest ## boots in BIOS and UEFI, again, and with the server off
	$(Q)$(PYTHON) qemu/scenario.py --quiet --limit $(LIMIT) $(SCENARIO)
test-join: need-qemu initramfs ## a machine joins a real control plane that runs here, pivots, runs a pod
	$(Q)$(PYTHON) qemu/join.py --quiet
need-qemu:
	@agent/deps/need.sh build qemu
.PHONY: demo guest test-qemu test-join need-qemu
