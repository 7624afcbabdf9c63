# SPDX-License-Identifier: MIT
# The third-party libraries, for the Makefile that includes this. Per variant V (musl: static release;
# host: glibc with ASan, for the tests), after DEPS_STAMP_V is built:
#   $(DEPS_STAMP_V)     file to depend on: its time changes when what is linked or included changed
#   $(DEPS_CPPFLAGS_V)  include paths (system includes: their warnings are not ours)
#   $(DEPS_CFLAGS_V)    compiler flags that the libraries' variant asks of whoever links them
#   $(DEPS_LIBS_V)      libraries, in link order
#   $(DEPS_CC_V)        the compiler that they were built with
# and the goals deps (both variants), pins-refresh, deps-clean. How each library is built: build.mk.
DEPS_DIR := $(patsubst %/,%,$(dir $(abspath $(lastword $(MAKEFILE_LIST)))))
DEPS_CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/promenade/deps
DEPS_OUT ?= $(or $(BUILD),build)

DEPS_CC_musl := musl-gcc
DEPS_CC_host := gcc
DEPS_CFLAGS_musl :=
DEPS_CFLAGS_host := -fsanitize=address

# A user comes before what it uses. pthread is in musl's libc, and asked for on glibc before 2.34.
DEPS_LINK_ORDER := -lcurl -lmbedtls -lmbedx509 -lmbedcrypto -larchive -lkmod -lz -lbz2 -llzma \
	-lzstd -lyaml -ljansson -lblkid -lpthread

DEPS_LIBS_musl = -L$(DEPS_OUT)/musl/sysroot/lib $(DEPS_LINK_ORDER)
DEPS_LIBS_host = -L$(DEPS_OUT)/host/sysroot/lib $(DEPS_LINK_ORDER)

# musl's headers do not include the kernel's: they come last, from a folder that holds nothing else.
DEPS_CPPFLAGS_musl = -isystem $(DEPS_OUT)/musl/sysroot/include \
	-idirafter $(DEPS_OUT)/musl/sysroot/kernel
DEPS_CPPFLAGS_host = -isystem $(DEPS_OUT)/host/sysroot/include

DEPS_STAMP_musl = $(DEPS_OUT)/musl/deps.stamp
DEPS_STAMP_host = $(DEPS_OUT)/host/deps.stamp

# Always asked (a second make, an emptied cache, another compiler), only written when it changes. Safe
# with other makes on the same cache: each step of build.mk takes the lock of its result. `make -n`
# builds nothing.
.PHONY: deps deps-clean pins-refresh deps-always setup
$(DEPS_STAMP_musl) $(DEPS_STAMP_host): $(DEPS_OUT)/%/deps.stamp: deps-always
	@$(DEPS_DIR)/need.sh --check build
	+@$(DEPS_DRY) $(MAKE) --no-print-directory -f $(DEPS_DIR)/build.mk all VARIANT=$* \
		DEPS_DIR=$(DEPS_DIR) CACHE=$(DEPS_CACHE) CC='$(DEPS_CC_$*)' OUT=$(@D)
DEPS_DRY = $(if $(findstring n,$(firstword -$(MAKEFLAGS))),:)

setup: ## install Debian's packages that building and testing need
	@$(DEPS_DIR)/need.sh build test lint qemu

deps: $(DEPS_STAMP_musl) $(DEPS_STAMP_host) ## third-party libraries, both variants

pins-refresh: ## pin the newest sources that the archive serves
	$(DEPS_DIR)/pins-refresh.sh $(DEPS_DIR)/pins

deps-clean: ## empty the cache of third-party libraries
	rm -rf $(DEPS_CACHE)
