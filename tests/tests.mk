# SPDX-License-Identifier: MIT
# Tests: programs that link the host build (ASan, UBSan) and the suites of tests/suites.

# Everything but main(): a test takes the members that it needs, and may bring its own sys_default.
HOST_LIB := $(BUILD)/host/libagent.a
$(HOST_LIB): $(OBJECTS_host)
	$(Q)rm -f $@ && ar rcD $@ $(filter-out $(BUILD)/host/agent.o,$(OBJECTS_host))

# tests/FOLDER/NAME.c becomes build/host/FOLDER/NAME.
TEST_SOURCES := $(wildcard tests/unit/test_*.c)
TEST_PROGRAMS := $(TEST_SOURCES:tests/%.c=$(BUILD)/host/%)
TEST_TOOLS := $(patsubst tests/%.c,$(BUILD)/host/%,$(wildcard tests/golden/*.c tests/net/*.c \
	tests/http/*.c tests/hostile/*.c tests/fault/*.c tests/cluster/*.c))
$(TEST_PROGRAMS) $(TEST_TOOLS): $(BUILD)/host/%: tests/%.c $(HOST_LIB)
	@mkdir -p $(@D)
	$(Q)$(DEPS_CC_host) $(CPPFLAGS_all) -Itests $(DEPS_CPPFLAGS_host) $(CFLAGS_all) $(CFLAGS_host) \
		-MMD -MP -MF $@.d $(LDFLAGS_host) -o $@ $< $(HOST_LIB) $(DEPS_LIBS_host) -lcmocka
-include $(TEST_PROGRAMS:=.d) $(TEST_TOOLS:=.d)
$(BUILD)/host/unit/test_model_memory: private LDFLAGS_host += \
	-Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=strdup

# The agent with tests/fake/sys_fault.c in place of base/sys_default.c.
FAULT_AGENT := $(BUILD)/host/promenade-fault
$(FAULT_AGENT): tests/fake/sys_fault.c $(HOST_LIB) $(BUILD)/host/agent.o
	$(Q)$(DEPS_CC_host) $(CPPFLAGS_all) $(CFLAGS_all) $(CFLAGS_host) $(LDFLAGS_host) \
		-Wl,--wrap=openat -o $@ $< $(BUILD)/host/agent.o $(HOST_LIB) $(DEPS_LIBS_host)
# The same as PID 1 of a machine in namespaces: a folder for a disk, and time that passes faster.
BOOT_AGENT := $(BUILD)/host/promenade-boot
$(BOOT_AGENT): tests/fake/sys_fault.c tests/fake/boot_seams.c $(HOST_LIB) $(BUILD)/host/agent.o
	$(Q)$(DEPS_CC_host) $(CPPFLAGS_all) $(CFLAGS_all) $(CFLAGS_host) $(LDFLAGS_host) \
		-Wl,--wrap=openat,--wrap=clock_gettime,--wrap=poll,--wrap=sleep -o $@ \
		$(filter %.c,$^) $(BUILD)/host/agent.o $(HOST_LIB) $(DEPS_LIBS_host)

test-programs: $(TEST_PROGRAMS) $(TEST_TOOLS) $(BUILD)/host/promenade $(FAULT_AGENT) $(BOOT_AGENT) ## all that tests run
test: ## everything: sets up, builds, runs every suite
	@agent/deps/need.sh build test lint qemu
	+@$(MAKE) --no-print-directory -j$(shell nproc) agent host test-programs
	+@$(MAKE) --no-print-directory initramfs modules-artifact guest
	@$(PYTHON) tests/run.py $(SUITES)
test-long: need-qemu initramfs modules-artifact guest ## the scenarios that make test leaves out: an hour
	@$(PYTHON) tests/run.py --long $(SUITES)
check: test-programs ## the suites that take seconds: SUITES="unit golden"
	@$(PYTHON) tests/run.py $(or $(SUITES),unit)
.PHONY: test-programs test test-long check
test-cluster: ## on real Kubernetes, built once: CLUSTER="words of test names", KUBE_BIN=DIR
	@agent/deps/need.sh build test cluster
	+@$(MAKE) --no-print-directory -j$(shell nproc) agent host test-programs
	@$(PYTHON) tests/cluster/run.py $(CLUSTER)
.PHONY: test-cluster
lint: $(BUILD)/generated/build_info.h $(BUILD)/generated/help.h $(BUILD)/generated/blueprints.h \
		$(DEPS_STAMP_host) ## format, compilers, cppcheck, shellcheck, layers, sizes
	@agent/deps/need.sh lint
	@$(PYTHON) tests/lint/run.py
format: ## clang-format over all C
	clang-format -i agent/*.[ch] agent/*/*.[ch] tests/*/*.[ch]
.PHONY: lint format

# The release's PID 1 with a scripted worker, for tests/ns.
NS_PID1 := $(BUILD)/musl/ns/pid1
$(NS_PID1): tests/ns/pid1.c $(OBJECTS_musl)
	@mkdir -p $(@D)
	$(Q)$(DEPS_CC_musl) $(CPPFLAGS_all) $(CFLAGS_all) -static -Wl,--wrap=sleep -o $@ $< \
		$(filter %/init.o %/switch_root.o %/console.o %/rescue.o $(BUILD)/musl/base/%,$(filter-out \
		%/sys_default.o,$(OBJECTS_musl)))
test-programs: $(NS_PID1)

-include tests/bench/bench.mk

# The release's unpacking child: its memory, and what happens at its limit.
MUSL_UNPACK := $(BUILD)/musl/hostile/unpack_one
$(MUSL_UNPACK): tests/hostile/unpack_one.c $(OBJECTS_musl)
	@mkdir -p $(@D)
	$(Q)$(DEPS_CC_musl) $(CPPFLAGS_all) $(DEPS_CPPFLAGS_musl) $(CFLAGS_all) $(LDFLAGS_musl) -o $@ $< \
		$(filter-out %/agent.o,$(OBJECTS_musl)) $(DEPS_LIBS_musl)
test-programs: $(MUSL_UNPACK)
