#!/bin/sh
# SPDX-License-Identifier: MIT
# Makes the disk of a Debian 13 machine that has lived before, and prints its folder's name:
#   FOLDER/disk.raw   sparse GPT disk: root and /var (ext4), swap; read-only by convention
#   FOLDER/boot/      the kernel and initrd that the guest has in /boot
#   FOLDER/versions   packages in it
#
# usage: build.sh [network=networkd|ifupdown] [modules=yes|no] [machineid=empty|first-boot]
#   modules=no leaves /lib/modules empty, so that a role must bring the kernel's tree.
#
# Cached by the hash of this folder, the variant and the kernel's version. As root or not: what
# mmdebstrap can do here decides (fakeroot keeps the owners then). No loop device, no mount.
# Cold: most of the time is the package installation, about a tenth the file systems.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
apt=$here/../../agent/deps/apt.sh
suite=trixie
cache=${XDG_CACHE_HOME:-$HOME/.cache}/promenade/guest

network=networkd
modules=yes
machineid=empty

die() {
	echo "guest/build.sh: $*" >&2
	exit 1
}

for word; do
	case $word in
	network=networkd | network=ifupdown) network=${word#*=} ;;
	modules=yes | modules=no) modules=${word#*=} ;;
	machineid=empty | machineid=first-boot) machineid=${word#*=} ;;
	*) sed -n '8,9s/^# //p' "$0" >&2; exit 2 ;;
	esac
done

packages() {
	awk -v variant="$network" '!/^#/ && NF && (NF == 1 || $2 == variant) { print $1 }' \
		"$here/packages" | sort -u
}

# The guest must have the modules of the kernel that is netbooted, so a new kernel in the archive
# is a new guest. Without a reachable archive the newest guest of this recipe serves.
kernel_version() {
	"$apt" run "$suite" apt-cache show --no-all-versions linux-image-amd64 2>/dev/null |
		sed -n 's/^Version: //p'
}

recipe_hash() { # SALT
	{
		(cd "$here" && find . -type f | LC_ALL=C sort | xargs sha256sum)
		find "$here/root" -printf '%P %m\n' | LC_ALL=C sort
		echo "$1"
	} | sha256sum | cut -c1-16
}

# Packages come once per network variant; everything else is cheap and made from this tar.
make_tree() { # TAR
	list=$(packages | paste -sd, -)
	"$apt" sources "$suite" | sed '/^deb-src/d' >"$work/sources.list"
	quiet=--quiet
	[ -z "${V:-}" ] || quiet=--verbose
	mmdebstrap "$quiet" --variant=essential --format=tar --include="$list" \
		--keyring="$("$apt" keyring "$suite")" \
		--aptopt='Acquire::Languages "none"' \
		--aptopt='Acquire::Check-Valid-Until "false"' \
		--dpkgopt=force-unsafe-io \
		--dpkgopt='path-exclude=/usr/share/doc/*' \
		--dpkgopt='path-exclude=/usr/share/man/*' \
		--dpkgopt='path-exclude=/usr/share/locale/*' \
		--dpkgopt='path-exclude=/usr/share/info/*' \
		--essential-hook="sh '$here/customize.sh' essential \"\$1\"" \
		--customize-hook="sh '$here/customize.sh' customize \"\$1\" $network" \
		"$suite" "$1.tmp" "$work/sources.list" >&2
	mv "$1.tmp" "$1"
}

# One ext4 into the disk at an offset, filled from a folder. Inode tables are written now: a lazy
# initialisation in the guest would look like somebody writing to the disk.
make_ext4() { # LABEL FOLDER START-MIB SIZE-MIB
	mke2fs -q -t ext4 -L "$1" -d "$2" -m 1 \
		-E "offset=$(($3 * 1048576)),lazy_itable_init=0,lazy_journal_init=0,root_owner=0:0" \
		"$out.tmp/disk.raw" "${4}M" 2>"$work/mke2fs.log" || {
		cat "$work/mke2fs.log" >&2
		die "cannot make the '$1' file system"
	}
}

make_swap() { # START-MIB SIZE-MIB
	truncate -s "${2}M" "$work/swap"
	mkswap -q -L swap "$work/swap"
	dd if="$work/swap" of="$out.tmp/disk.raw" bs=1M seek="$1" conv=notrunc,sparse status=none
}

make_disk() {
	tree=$work/tree
	mkdir -p "$tree" "$work/var" "$out.tmp/boot"
	tar -C "$tree" --numeric-owner --xattrs --xattrs-include='*' -xf "$1"
	cp "$tree"/boot/vmlinuz-* "$tree"/boot/initrd.img-* "$out.tmp/boot/"
	[ "$modules" = yes ] || rm -rf "$tree"/usr/lib/modules/*
	if [ "$machineid" = empty ]; then
		: >"$tree/etc/machine-id"
	else
		echo uninitialized >"$tree/etc/machine-id"
	fi
	sed -n 's/^Package: //p; s/^Version: /\t/p' "$tree/var/lib/dpkg/status" |
		paste -d ' ' - - >"$out.tmp/versions"
	# A real swap file, so that its fstab line works until somebody turns it off. Not of zeros:
	# mke2fs would leave holes, and the kernel refuses those.
	head -c 33554432 /dev/zero | tr '\0' s >"$tree/swapfile"
	chmod 600 "$tree/swapfile"
	mkswap -q "$tree/swapfile"
	chown 0:0 "$tree/swapfile"
	# /var is a file system of its own; beneath its mount point there is nothing.
	find "$tree/var" -mindepth 1 -maxdepth 1 -exec mv -t "$work/var" {} +

	truncate -s 4608M "$out.tmp/disk.raw"
	sfdisk -q "$out.tmp/disk.raw" <<'TABLE'
label: gpt
start=1MiB, size=3071MiB, type=0FC63DAF-8483-4772-8E79-3D69D8477DE4, name=root
start=3072MiB, size=1279MiB, type=0FC63DAF-8483-4772-8E79-3D69D8477DE4, name=var
start=4351MiB, size=256MiB, type=0657FD6D-A4AB-43C4-84E5-0933C84B4F4F, name=swap
TABLE
	make_ext4 root "$tree" 1 3071
	make_ext4 var "$work/var" 3072 1279
	make_swap 4351 256
}

main() {
	mkdir -p "$cache"
	version=$(kernel_version)
	if [ -z "$version" ]; then
		newest=$(find "$cache" -path "*-$network-$modules-$machineid/disk.raw" \
			-printf '%T@ %h\n' | sort -rn | sed -n '1s/^[^ ]* //p')
		[ -n "$newest" ] || die "no package archive and no guest made earlier"
		echo "$newest"
		return
	fi
	hash=$(recipe_hash "$version")
	out=$cache/$hash-$network-$modules-$machineid
	base=$cache/$hash-$network.tar
	exec 9>"$cache/lock"
	flock 9
	if [ ! -e "$out/disk.raw" ]; then
		work=$(mktemp -d "$cache/work.XXXXXX")
		trap 'rm -rf "$work" "$out.tmp"' EXIT
		[ -e "$base" ] || make_tree "$base"
		rm -rf "$out.tmp"
		mkdir -p "$out.tmp"
		if [ "$(id -u)" = 0 ] || [ -n "${FAKEROOTKEY:-}" ]; then
			make_disk "$base"
		else
			die "not root: run this under fakeroot"
		fi
		mv "$out.tmp" "$out"
	fi
	echo "$out"
}

main
