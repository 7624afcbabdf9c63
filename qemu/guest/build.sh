#!/bin/sh
# SPDX-License-Identifier: MIT
# Makes the disk of a Debian 13 machine that has lived before, and prints its folder's name:
#   FOLDER/disk.raw   sparse GPT disk: root and /var (ext4), swap; read-only by convention
#   FOLDER/boot/      the kernel and initrd that the guest has in /boot
#   FOLDER/versions   packages in it
#
# usage: build.sh [network=networkd|ifupdown] [modules=yes|no] [machineid=empty|first-boot] \
#          [kubelet=no|yes]
#   modules=no leaves /lib/modules empty, so that a role must bring the kernel's tree.
#   kubelet=yes has what kubelet and pods need, a /var that holds a control plane, and no Docker.
#
# Cached by the hash of this folder, the variant and the kernel's version; the packages apart from
# the rest. As root or not: what mmdebstrap can do here decides (fakeroot keeps the owners then).
# Cold: most of the time is the package installation, about a tenth the file systems.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/promenade/guest

network=networkd
modules=yes
machineid=empty
kubelet=no

die() {
	echo "guest/build.sh: $*" >&2
	exit 1
}

for word; do
	case $word in
	network=networkd | network=ifupdown) network=${word#*=} ;;
	modules=yes | modules=no) modules=${word#*=} ;;
	machineid=empty | machineid=first-boot) machineid=${word#*=} ;;
	kubelet=yes | kubelet=no) kubelet=${word#*=} ;;
	*) sed -n '8,11s/^# //p' "$0" >&2; exit 2 ;;
	esac
done

# The guest has the kernel that is netbooted, with its modules: the very package, by name.
kernel_package() {
	folder=$("$here/../../initramfs/debian-kernel.sh")
	sed -n 's/^\(linux-image-[^ ]*\) .*/\1/p' "$folder/packages"
}

hash_of() { # SALT PATH...
	salt=$1
	shift
	{
		(cd "$here" && find "$@" -type f -exec sha256sum {} + -printf '%p %m\n' | LC_ALL=C sort)
		echo "$salt"
	} | sha256sum | cut -c1-12
}

main() {
	mkdir -p "$cache"
	kernel=$(kernel_package)
	engine=docker
	[ "$kubelet" = no ] || engine=kubelet
	base=$cache/$(hash_of "$kernel" packages tree.sh)-$network-$engine.tar
	out=$cache/$(hash_of "$kernel" .)-$network-$modules-$machineid-$engine
	exec 9>"$cache/lock"
	flock 9
	if [ ! -e "$out/disk.raw" ]; then
		work=$(mktemp -d "$cache/work.XXXXXX")
		trap 'rm -rf "$work" "$out.tmp"' EXIT
		[ -e "$base" ] || "$here/tree.sh" "$network $engine" "$kernel" "$base"
		rm -rf "$out.tmp"
		mkdir -p "$out.tmp"
		as_root=
		[ "$(id -u)" = 0 ] || as_root=fakeroot
		$as_root "$here/disk.sh" "$base" "$work" "$out.tmp" "$network" "$modules" "$machineid" \
			"$kubelet"
		mv "$out.tmp" "$out"
	fi
	touch "$out"
	# Overlays of other recipes are gone after a fortnight without use.
	find "$cache" -mindepth 1 -maxdepth 1 ! -name lock -mtime +14 -exec rm -rf {} +
	touch "$base"
	echo "$out"
}

main
