# SPDX-License-Identifier: MIT
# Speed and size, as ratios of one run. Nothing here is a test: no figure fails a build.
#   RUNS=boots of each initramfs   PAIRS=downloads of each kind

RUNS ?= 3
PAIRS ?= 5
BENCH_TOOLS := $(BUILD)/musl/bench/artifact_tool $(BUILD)/musl/bench/newroot_init

# The release's objects, so that its compiler, flags and C library are what is measured.
$(BUILD)/musl/bench/artifact_tool: tests/bench/artifact_tool.c $(OBJECTS_musl)
	@mkdir -p $(@D)
	$(Q)$(DEPS_CC_musl) $(CPPFLAGS_all) $(DEPS_CPPFLAGS_musl) $(CFLAGS_all) $(CFLAGS_musl) \
		$(LDFLAGS_musl) -o $@ $< $(filter-out $(BUILD)/musl/agent.o,$(OBJECTS_musl)) \
		$(DEPS_LIBS_musl)
$(BUILD)/musl/bench/newroot_init: tests/bench/newroot_init.c
	@mkdir -p $(@D)
	$(Q)$(DEPS_CC_musl) $(CPPFLAGS_all) $(CFLAGS_all) $(CFLAGS_musl) $(LDFLAGS_musl) -o $@ $<

# The smaller set; make initramfs has the other one.
$(BUILD)/bench/broadcom.cpio.zst: always $(AGENT) $(BUILD)/vmlinuz
	@mkdir -p $(@D)
	$(Q)$(INITRAMFS_PYTHON) initramfs/mkinitramfs.py $(INITRAMFS_WORDS) --set broadcom --out $@

bench: need-qemu initramfs guest $(BUILD)/bench/broadcom.cpio.zst $(BENCH_TOOLS) ## speed and size against other tools, to build/bench.txt
	@agent/deps/need.sh build test
	@PYTHONDONTWRITEBYTECODE=1 $(PYTHON) tests/bench/run.py --build $(BUILD) --runs $(RUNS) --pairs $(PAIRS) $(ROWS)
.PHONY: bench
