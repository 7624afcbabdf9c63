# SPDX-License-Identifier: MIT
# Builds the pinned libraries of one VARIANT into CACHE and points OUT/sysroot at them. Run by deps.mk.
#
#   pins -> fetched+verified -> extracted+patched -> built -> sysroot -> stamp
#
# Every stage has a folder STAGE/NAME/KEY. KEY hashes all that went in (pin lines, patches, the library's
# block below, flags, compiler, the keys of the libraries that it needs), so that nothing stale is ever
# linked and nothing is built twice. For the same reason prerequisites are order-only: what exists under
# its key is right, whatever its time. Makes of several trees and variants share the cache: a step takes
# the lock of its result, and finds it done if another make was first.
.DELETE_ON_ERROR:
.SECONDARY:
.SUFFIXES:
# Words of the command line are for this make, not for the libraries' own.
MAKEOVERRIDES :=
SHELL := /bin/sh
export LC_ALL := C
export SOURCE_DATE_EPOCH := 0
unexport CFLAGS CPPFLAGS LDFLAGS LIBS PKG_CONFIG_PATH V

PINS := $(DEPS_DIR)/pins
STAMP := $(OUT)/deps.stamp
LIBRARIES := mbedtls curl bzip2 libzstd xz-utils zlib libarchive kmod libyaml jansson util-linux

# 1. Flags. The folder of the cache stays out of what is built: same bytes wherever it lies.
CFLAGS_musl := -Os -fdata-sections -ffunction-sections -fno-asynchronous-unwind-tables -fno-pie \
	-fstack-protector-strong
CFLAGS_host := -O1 -g1 -fno-omit-frame-pointer -fsanitize=address
# Ciphers, hashes and decompressors are what every download waits for. Tests can wait.
SPEED_musl := -O2
SPEED_host :=
KERNEL_HEADERS := $(if $(filter musl,$(VARIANT)),$(CACHE)/kernel/headers)
CPPFLAGS_musl := -idirafter $(KERNEL_HEADERS)
CPPFLAGS_host :=
LDFLAGS_musl := -static
LDFLAGS_host :=
# Configure's test programs leak, and would fail for it.
export ASAN_OPTIONS := detect_leaks=0
SPEED := $(SPEED_$(VARIANT))
override CFLAGS := $(CFLAGS_$(VARIANT)) -D_FILE_OFFSET_BITS=64 -ffile-prefix-map=$(CACHE)=deps \
	-std=gnu11
COMPILER := $(shell $(CC) -v 2>&1 | tail -n 1; dpkg-query -W -f '$${Version}' musl-dev 2>&1)

# 2. One block per library: what of it is built, and how. The text runs as a shell script (set -e) in
# an empty build folder: $(S) is the source, $(P) where include/ and lib/ go. configure words are
# sorted; what we do not call is off. `compile` is for libraries whose sources are few: their configure
# scripts would take longer than their compilation.
CONFIGURE = $(S)/configure --prefix=/ --disable-dependency-tracking --disable-shared --enable-static \
	CC='$(CC)' CFLAGS='$(CFLAGS)' CPPFLAGS='$(CPPFLAGS)' LDFLAGS='$(LDFLAGS)'

# $(call compile,ARCHIVE,SOURCES,FLAGS): ARCHIVE in $(P)/lib from SOURCES, relative to $(S).
define compile
mkdir $(1).o
(cd $(S) && printf '%s\n' $(2)) | O=$$PWD/$(1).o xargs -P 2 -I {} sh -c \
	'cd $(S) && source=$$1 && shift && "$$@" -c "$$source" -o "$$O/$$(basename "$$source" .c).o"' \
	sh {} $(CC) $(CFLAGS) $(CPPFLAGS) $(3)
ar crsD $(P)/lib/$(1) $(1).o/*.o
endef

define build_zlib
$(call compile,libz.a,*.c,-DHAVE_HIDDEN -DHAVE_STDARG_H -DHAVE_UNISTD_H \
	-D_LARGEFILE64_SOURCE=1 $(SPEED))
cp $(S)/zlib.h $(S)/zconf.h $(P)/include
endef

define build_bzip2
$(call compile,libbz2.a,blocksort.c bzlib.c compress.c crctable.c decompress.c huffman.c \
	randtable.c,$(SPEED))
cp $(S)/bzlib.h $(P)/include
endef

# Only the decompressor: nothing here writes zstd.
define build_libzstd
$(call compile,libzstd.a,lib/common/*.c lib/decompress/*.c,-DZSTD_DISABLE_ASM \
	-DZSTD_LEGACY_SUPPORT=0 $(SPEED))
cp $(S)/lib/zstd.h $(S)/lib/zstd_errors.h $(P)/include
endef

# Encoders are declared by the header and absent from the archive: only decoders are called.
define build_xz-utils
$(CONFIGURE) CFLAGS='$(CFLAGS) $(SPEED)' --disable-doc --disable-encoders --disable-lzip-decoder --disable-lzma-links \
	--disable-lzmadec --disable-lzmainfo --disable-microlzma --disable-nls --disable-rpath \
	--disable-scripts --disable-threads --disable-xz --disable-xzdec
$(MAKE) -C src/liblzma
cp src/liblzma/.libs/liblzma.a $(P)/lib
cp -r $(S)/src/liblzma/api/lzma.h $(S)/src/liblzma/api/lzma $(P)/include
endef

define build_libyaml
$(call compile,libyaml.a,src/*.c,-Iinclude -DYAML_VERSION_MAJOR=$(word 1,$(version)) \
	-DYAML_VERSION_MINOR=$(word 2,$(version)) -DYAML_VERSION_PATCH=$(word 3,$(version)) \
	'-DYAML_VERSION_STRING="$(subst $(space),.,$(version))"')
cp $(S)/include/yaml.h $(P)/include
endef

define build_jansson
sed 's/@json_inline@/inline/; s/@json_[a-z_]*@/1/' $(S)/src/jansson_config.h.in \
	>$(P)/include/jansson_config.h
cp $(DEPS_DIR)/jansson/jansson_private_config.h .
$(call compile,libjansson.a,src/*.c,-DHAVE_CONFIG_H -I$(P)/include -I$$PWD)
cp $(S)/src/jansson.h $(P)/include
endef

define build_mbedtls
cp -r $(S)/include/mbedtls $(S)/include/psa $(P)/include
cp $(DEPS_DIR)/mbedtls/mbedtls_config.h $(P)/include/mbedtls
# the tree's own path must not reach the objects
cp $(DEPS_DIR)/mbedtls/entropy.c $(P)/entropy_getrandom.c
$(call compile,libmbedcrypto.a,$$(ls library/*.c | grep -v -e /mps_ -e /net_ -e /pkcs7 -e /ssl_ -e \
	/x509) $(P)/entropy_getrandom.c,$(MBEDTLS_FLAGS) $(SPEED))
$(call compile,libmbedx509.a,library/x509*.c,$(MBEDTLS_FLAGS))
$(call compile,libmbedtls.a,library/ssl_*.c library/mps_*.c,$(MBEDTLS_FLAGS))
endef
MBEDTLS_FLAGS = -I$(P)/include -Ilibrary

define build_kmod
cp $(DEPS_DIR)/kmod/config.h .
$(call compile,libkmod.a,libkmod/*.c shared/*.c,-include $$PWD/config.h -I. -Ilibkmod)
cp $(S)/libkmod/libkmod.h $(P)/include
endef

# Everything but tar is left out by the linker: only archive_read_support_format_tar and four
# filters are called.
define build_libarchive
$(CONFIGURE) --disable-acl --disable-bsdcat --disable-bsdcpio --disable-bsdtar --disable-bsdunzip \
	--disable-rpath --disable-xattr --with-bz2lib --with-lzma --with-zlib --with-zstd \
	--without-cng --without-expat --without-iconv --without-libb2 --without-libiconv-prefix \
	--without-lz4 --without-lzo2 --without-mbedtls --without-nettle --without-openssl \
	--without-xml2
$(MAKE) libarchive.la
cp .libs/libarchive.a $(P)/lib
cp $(S)/libarchive/archive.h $(S)/libarchive/archive_entry.h $(P)/include
endef

# libblkid alone. yacc is looked for and not run: only a tool that is off needs it.
define build_util-linux
$(CONFIGURE) YACC=: --disable-all-programs --disable-asciidoc --disable-bash-completion \
	--disable-nls --disable-poman --disable-rpath --enable-libblkid --without-audit \
	--without-btrfs --without-cap-ng --without-cryptsetup --without-econf --without-libmagic \
	--without-libz --without-ncurses --without-ncursesw --without-python --without-readline \
	--without-selinux --without-slang --without-smack --without-systemd --without-tinfo \
	--without-udev --without-user --without-utempter --without-util
$(MAKE) libblkid.la
cp .libs/libblkid.a $(P)/lib
mkdir $(P)/include/blkid
cp libblkid/src/blkid.h $(P)/include/blkid
endef

# The resolver runs in a thread: musl's getaddrinfo() blocks, and no timeout would fire during it.
# Proxies are off, so that an https_proxy= word on the kernel command line, which becomes PID 1's
# environment, cannot divert a download. Verbose strings stay: operators need the words.
define build_curl
$(CONFIGURE) --disable-alt-svc --disable-ares --disable-aws --disable-bindlocal \
	--disable-ca-search --disable-cookies --disable-curldebug --disable-debug --disable-dict \
	--disable-digest-auth --disable-dnsshuffle --disable-docs --disable-doh --disable-ech \
	--disable-file --disable-form-api --disable-ftp --disable-get-easy-options \
	--disable-gopher --disable-hsts --disable-httpsrr --disable-imap --disable-ipfs \
	--disable-kerberos-auth --disable-ldap --disable-ldaps --disable-libcurl-option \
	--disable-manual --disable-mime --disable-mqtt --disable-negotiate-auth --disable-netrc \
	--disable-ntlm --disable-pop3 --disable-progress-meter --disable-proxy --disable-rtsp \
	--disable-sha512-256 --disable-smb --disable-smtp --disable-sspi --disable-ssls-export --disable-telnet \
	--disable-tftp --disable-tls-srp --disable-unix-sockets --disable-websockets \
	--enable-headers-api --enable-http --enable-ipv6 --enable-threaded-resolver \
	--enable-verbose --with-mbedtls --without-brotli --without-ca-bundle \
	--without-ca-fallback --without-ca-path --without-libgsasl --without-libidn2 \
	--without-libpsl --without-librtmp --without-libssh2 --without-nghttp2 --without-zlib \
	--without-zsh-functions-dir --without-zstd
$(MAKE) -C lib
cp lib/.libs/libcurl.a $(P)/lib
cp -r $(S)/include/curl $(P)/include
endef

NEEDS_curl := mbedtls
NEEDS_kmod := libzstd xz-utils zlib
NEEDS_libarchive := bzip2 libzstd xz-utils zlib

# 3. Keys.
empty :=
space := $(empty) $(empty)
define newline

$(empty)
endef
quote = '$(subst ','\'',$(1))'
hash = $(shell printf '%s\n' $(call quote,$(subst $(newline),;,$(subst $(CACHE),,$(1)))) | \
	sha256sum | cut -c1-16)
pin_lines = $(shell grep '^$(1) ' $(PINS))
patches = $(abspath $(sort $(wildcard $(DEPS_DIR)/$(1)/*.patch)))
# The bytes of what we keep beside a library: patches; its configuration, a source of ours.
patch_sum = $(shell cat /dev/null $(call patches,$(1)) | sha256sum)
own_sum = $(shell cat $(DEPS_DIR)/$(1)/* 2>/dev/null | sha256sum)
block = $(foreach v,CONFIGURE MBEDTLS_FLAGS build_$(1) compile,$(value $(v)))

# Libraries are listed so that what one needs comes before it.
define keys
SOURCE_$(1) := $$(CACHE)/source/$(1)/$$(call hash,$$(call pin_lines,$(1)) $$(call patch_sum,$(1)))
BUILT_$(1) := $$(CACHE)/built-$$(VARIANT)/$(1)/$$(call hash,$$(SOURCE_$(1)) $$(call block,$(1)) \
	$$(call own_sum,$(1)) $$(CC) $$(CFLAGS) $$(SPEED) \
	$$(CPPFLAGS_$$(VARIANT)) $$(LDFLAGS_$$(VARIANT)) $$(COMPILER) $$(foreach n,$$(NEEDS_$(1)),$$(BUILT_$$(n))))
endef
$(foreach l,$(LIBRARIES),$(eval $(call keys,$(l))))
SYSROOT := $(CACHE)/sysroot-$(VARIANT)/$(call hash,$(foreach l,$(LIBRARIES),$(BUILT_$(l))))

# 4. The chain. `name` takes NAME from a stem NAME/KEY.
name = $(firstword $(subst /, ,$*))
needs = $(foreach n,$(NEEDS_$(name)),$(BUILT_$(n)))
# Upstream's version as words: 1:0.2.5-2 gives 0 2 5.
version = $(subst ., ,$(firstword $(subst -, ,$(lastword $(subst :, ,$(word 2,$(call pin_lines,$(name))))))))

$(shell mkdir -p $(OUT)/deps)
.PHONY: all always
all: $(STAMP)

# $(call once,COMMANDS): COMMANDS under the lock of this result, unless it is there by then. They make
# its folder: one that a waiting make had made would stand in the way of a finished one's rename.
define once
@mkdir -p $(CACHE)/lock
+@flock $(CACHE)/lock/$(subst /,-,$(patsubst $(CACHE)/%,%,$(@D))) sh -c \
	'test -e $@ || { set -e; $(1); touch $@; }'
endef

$(CACHE)/fetched/%/.stamp:
	@echo "  FETCH   $(name)"
	$(call once,$(DEPS_DIR)/source.sh fetch $(PINS) $(name) $(@D))

$(CACHE)/source/%/.stamp: | $(CACHE)/fetched/%/.stamp
	@echo "  EXTRACT $(name)"
	$(call once,$(DEPS_DIR)/source.sh extract $(PINS) $(name) $(CACHE)/fetched/$* $(@D) \
		$(call patches,$(name)))

# What of the kernel's headers musl lacks, and nothing else of the host's.
$(CACHE)/kernel/headers/.stamp:
	$(call once,test -e /usr/include/linux/version.h || { \
		echo "deps: no kernel headers: install linux-libc-dev" >&2; exit 1; }; \
		mkdir -p $(@D); ln -sfn /usr/include/linux /usr/include/asm-generic $(@D); \
		ln -sfn /usr/include/$$(gcc -print-multiarch)/asm $(@D)/asm)

.SECONDEXPANSION:
$(CACHE)/built-$(VARIANT)/%/.stamp: P = $(@D)
$(CACHE)/built-$(VARIANT)/%/.stamp: S = $(SOURCE_$(name))
$(CACHE)/built-$(VARIANT)/%/.stamp: CPPFLAGS = $(addprefix -isystem ,$(addsuffix /include,$(needs))) \
	$(CPPFLAGS_$(VARIANT))
$(CACHE)/built-$(VARIANT)/%/.stamp: LDFLAGS = $(addprefix -L,$(addsuffix /lib,$(needs))) \
	$(LDFLAGS_$(VARIANT))
$(CACHE)/built-$(VARIANT)/%/.stamp: | $$(SOURCE_$$(name))/.stamp $$(addsuffix /.stamp,$$(needs)) \
		$(KERNEL_HEADERS:=/.stamp)
	@echo "  BUILD   $(name) ($(VARIANT))"
	$(file >$(OUT)/deps/$(name).sh,$(build_$(name)))
	$(call once,rm -rf $(P); mkdir -p $(P)/build $(P)/include $(P)/lib; cd $(P)/build; \
		sh -ex $(abspath $(OUT))/deps/$(name).sh >../log 2>&1 || { tail -n 40 ../log >&2; \
		echo "deps: building $(name) failed; the whole log: $(P)/log" >&2; exit 1; }; \
		cd /; rm -rf $(P)/build)

$(SYSROOT)/.stamp: | $(foreach l,$(LIBRARIES),$(BUILT_$(l))/.stamp)
	$(call once,rm -rf $(@D); mkdir -p $(@D); \
		for dir in $(foreach l,$(LIBRARIES),$(BUILT_$(l))); do \
		cp -rl $$dir/include $$dir/lib $(@D); done; \
		$(if $(KERNEL_HEADERS),ln -s $(KERNEL_HEADERS) $(@D)/kernel,:))

# The one file whose time users see: rewritten only when it would say something else.
$(STAMP): always | $(SYSROOT)/.stamp
	@ln -sfn $(SYSROOT) $(OUT)/sysroot
	@echo $(SYSROOT) | cmp -s - $@ || echo $(SYSROOT) >$@
