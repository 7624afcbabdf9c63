# SPDX-License-Identifier: MIT
# Promenade. `make demo` and `make test` do all the set-up; `make help` lists the rest.

# 1 Help and default goal: the agent.
.DEFAULT_GOAL := agent
.DELETE_ON_ERROR:
.SUFFIXES:
help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile */*.mk agent/deps/*.mk | sort | \
		awk -F'\t' '{ printf "  make %-20s %s\n", $$1, $$2 }'

# 2 Toolchain and flags: musl for the release, glibc with ASan and UBSan for the tests. The same
# commit gives the same bytes: no path and no time of the machine gets in.
BUILD ?= build
PYTHON ?= python3
export SOURCE_DATE_EPOCH ?= $(or $(shell git log -1 --format=%ct 2>/dev/null),1700000000)
VERSION := $(or $(shell git describe --always --dirty --match 'v*' 2>/dev/null),unknown)
Q := $(if $(V),,@)
WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes \
	-Wmissing-prototypes -Wformat=2 -Wvla -Wundef -Wswitch-enum -Wwrite-strings \
	-Wpointer-arith -Wimplicit-fallthrough
CPPFLAGS_all := -D_GNU_SOURCE -Iagent -I$(BUILD)/generated
CFLAGS_all := -std=c11 $(WARNINGS) -fstack-protector-strong \
	-ffile-prefix-map=$(CURDIR)/= -fno-common
CFLAGS_musl := -Os -g0 -ffunction-sections -fdata-sections -D_FORTIFY_SOURCE=0
CFLAGS_host := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined \
	-fno-omit-frame-pointer
# Truncation of texts for people is meant, and the compiler's guess at it depends on -O.
CFLAGS_all += -Wno-format-truncation
LDFLAGS_musl := -static -Wl,--gc-sections -Wl,-z,noexecstack -Wl,-z,relro,-z,now \
	-Wl,--build-id=none
LDFLAGS_host := -fsanitize=address,undefined

# 3 Pins and third-party libraries: agent/deps/pins says which, deps.mk builds them once.
include agent/deps/deps.mk

# 4 The agent's sources, a layer a list; includes point down only (tests/lint/layers.py).
include agent/sources.mk
SOURCES := $(SRC_base:%=base/%.c) $(SRC_model:%=model/%.c) $(SRC_host:%=host/%.c) \
	$(SRC_net:%=net/%.c) $(SRC_cluster:%=cluster/%.c) $(SRC_steps:%=steps/%.c) \
	$(SRC_top:%=%.c)

# 5 Objects: build/musl and build/host, the same rules.
define variant
OBJECTS_$(1) := $$(SOURCES:%.c=$(BUILD)/$(1)/%.o)
$$(OBJECTS_$(1)): $(BUILD)/$(1)/%.o: agent/%.c $$(DEPS_STAMP_$(1)) $(BUILD)/generated/build_info.h \
		$(BUILD)/generated/help.h $(BUILD)/generated/blueprints.h $(BUILD)/$(1)/flags
	@mkdir -p $$(@D)
	$$(Q)$$(DEPS_CC_$(1)) $$(CPPFLAGS_all) $$(DEPS_CPPFLAGS_$(1)) $$(CFLAGS_all) $$(CFLAGS_$(1)) \
		-MMD -MP -c -o $$@ $$<
$(BUILD)/$(1)/flags: always
	@mkdir -p $$(@D)
	@printf '%s\n' '$$(CPPFLAGS_all) $$(CFLAGS_all) $$(CFLAGS_$(1)) $$(LDFLAGS_$(1))' >$$@.tmp
	@cmp -s $$@.tmp $$@ || cp $$@.tmp $$@; rm -f $$@.tmp
-include $$(OBJECTS_$(1):.o=.d)
endef
$(foreach v,musl host,$(eval $(call variant,$(v))))

# Version and clock floor; --help comes from the man page, so that they cannot drift.
$(BUILD)/generated/build_info.h: always
	@mkdir -p $(@D)
	@printf '#define BUILD_VERSION "%s"\n#define BUILD_EPOCH %s\n' '$(VERSION)' \
		'$(SOURCE_DATE_EPOCH)' >$@.tmp
	@cmp -s $@.tmp $@ || cp $@.tmp $@; rm -f $@.tmp
$(BUILD)/generated/help.h: agent/man/promenade.8 agent/man/help.py
	@mkdir -p $(@D)
	$(Q)$(PYTHON) agent/man/help.py $< >$@.tmp && mv $@.tmp $@
# What cluster/blueprint.c expands, as arrays.
$(BUILD)/generated/blueprints.h: agent/cluster/blueprints/embed.py $(wildcard agent/cluster/blueprints/*.yaml)
	$(Q)$(PYTHON) $^ >$@.tmp && mv $@.tmp $@

# 6 Link and gates: static, no interpreter, size budget, no symbol that starts a shell.
agent: $(BUILD)/promenade ## the static agent, build/promenade
$(BUILD)/promenade: $(OBJECTS_musl) agent/gates.sh
	$(Q)$(DEPS_CC_musl) $(LDFLAGS_musl) -o $@.tmp $(OBJECTS_musl) $(DEPS_LIBS_musl)
	$(Q)agent/gates.sh $@.tmp && mv $@.tmp $@
host: $(BUILD)/host/promenade ## the same sources with ASan and UBSan on glibc
$(BUILD)/host/promenade: $(OBJECTS_host)
	$(Q)$(DEPS_CC_host) $(LDFLAGS_host) -o $@ $(OBJECTS_host) $(DEPS_LIBS_host)

# 7 to 10: initramfs and iPXE, the rig, tests and lint live in their folders.
-include initramfs/initramfs.mk qemu/qemu.mk tests/tests.mk

clean: ## build output of this checkout; caches stay
	rm -rf $(BUILD)
always:
.PHONY: help agent host clean always
