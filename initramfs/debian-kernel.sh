#!/bin/sh
# SPDX-License-Identifier: MIT
# Debian's kernel, its modules and the firmware that they name, unpacked once into the cache.
#
# Without --update what the cache has is used and the network is not asked, so that a build stays the
# same until somebody wants a newer kernel. Prints the folder, which holds
#   vmlinuz config lib/modules/RELEASE lib/firmware busybox packages (name, version, SHA-256 of each)
set -eu

suite=trixie
kernel=${KERNEL_PACKAGE:-linux-image-amd64}
firmware="firmware-bnx2 firmware-bnx2x firmware-misc-nonfree"
shell="busybox-static"
apt=$(dirname "$0")/../agent/deps/apt.sh
cache=${XDG_CACHE_HOME:-$HOME/.cache}/promenade/kernel

die() {
	echo "debian-kernel.sh: $*" >&2
	exit 1
}

# linux-image-amd64 is an empty package that depends on the current linux-image-VERSION-amd64.
real_package() {
	"$apt" run "$suite" apt-cache depends --important "$kernel" |
		sed -n 's/^ *Depends: \(linux-image-[0-9][^ ]*\)$/\1/p' | head -n 1
}

# Everything lands below $1, which the caller renames when it is whole.
unpack() {
	mkdir -p "$1/deb" "$1/root"
	package=$(real_package)
	# shellcheck disable=SC2086 # a list of names
	"$apt" download "$suite" "${package:-$kernel}" $firmware $shell "$1/deb" ||
		die "cannot fetch Debian's kernel; give KERNEL=vmlinuz MODULES=lib/modules/RELEASE instead"
	for deb in "$1"/deb/*.deb; do
		dpkg-deb -x "$deb" "$1/root"
		echo "$(dpkg-deb -f "$deb" Package) $(dpkg-deb -f "$deb" Version)" \
			"$(sha256sum "$deb" | cut -d ' ' -f 1)" >>"$1/packages"
	done
	arrange "$1" "$1/root"
	rm -rf "$1/deb" "$1/root"
}

# One layout, whether the package has /lib or, merged, /usr/lib.
arrange() { # TO FROM
	release=$(basename "$2"/boot/vmlinuz-*)
	release=${release#vmlinuz-}
	[ "$release" != '*' ] || die "the package of '$kernel' holds no kernel image"
	mv "$2/boot/vmlinuz-$release" "$1/vmlinuz"
	mv "$2/boot/config-$release" "$1/config"
	mkdir -p "$1/lib"
	for lib in "$2/usr/lib" "$2/lib"; do
		for part in modules firmware; do
			[ ! -d "$lib/$part" ] || mv "$lib/$part" "$1/lib/$part"
		done
	done
	for busybox in "$2/usr/bin/busybox" "$2/bin/busybox"; do
		[ ! -f "$busybox" ] || mv "$busybox" "$1/busybox"
	done
	PATH=$PATH:/usr/sbin:/sbin depmod -b "$1" "$release" || die "depmod of '$release' failed"
}

mkdir -p "$cache"
current=$cache/$kernel
(
	flock 9
	if [ "${1:-}" = --update ] || [ ! -e "$current/packages" ]; then
		new=$(mktemp -d "$cache/unpack.XXXXXX")
		trap 'rm -rf "$new"' EXIT
		chmod 755 "$new"
		[ "${1:-}" != --update ] || "$apt" update "$suite"
		unpack "$new" >&2
		# The name says what is in it; the same packages again replace nothing.
		final=$cache/$(sha256sum "$new/packages" | cut -c 1-16)
		[ -e "$final/packages" ] || mv "$new" "$final"
		ln -sfn "$(basename "$final")" "$current"
	fi
) 9>"$cache/lock"
readlink -f "$current"
