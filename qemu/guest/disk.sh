#!/bin/sh
# SPDX-License-Identifier: MIT
# Turns a tree of packages into the disk of a machine that needs work; called by build.sh, as root
# or under fakeroot. No loop device, no mount.
# usage: disk.sh TAR WORK-FOLDER OUT-FOLDER NETWORK MODULES MACHINEID KUBELET
set -eu

here=$(cd "$(dirname "$0")" && pwd)
base=$1
work=$2
out=$3
network=$4
modules=$5
machineid=$6
# Images are in /var twice: as they came and unpacked. kubelet wants a sixth of it free.
var_mib=1279
[ "$7" = no ] || var_mib=8191

die() {
	echo "guest/disk.sh: $*" >&2
	exit 1
}

enable_unit() { # UNIT TARGET FOLDER
	mkdir -p "$tree/etc/systemd/system/$2.wants"
	ln -sf "$3/$1" "$tree/etc/systemd/system/$2.wants/$1"
}

# What this machine's owner has set up, and what the rig needs to see it.
configure_tree() {
	for layer in root "$network"; do
		tar -C "$here/$layer" --owner=0 --group=0 -c . |
			tar -C "$tree" --no-overwrite-dir -x
	done
	enable_unit rig-early.service sysinit.target /etc/systemd/system
	enable_unit rig-collect.service multi-user.target /etc/systemd/system
	if [ "$network" = networkd ]; then
		# Without the waiter for the network: nothing here needs it.
		enable_unit systemd-networkd.service multi-user.target /usr/lib/systemd/system
		enable_unit systemd-networkd.socket sockets.target /usr/lib/systemd/system
	fi
	[ -e "$tree/usr/bin/dockerd" ] || [ -e "$tree/usr/sbin/dockerd" ] || rm -rf "$tree/etc/docker"
	[ "$modules" = yes ] || rm -rf "$tree"/usr/lib/modules/*
	if [ "$machineid" = empty ]; then
		: >"$tree/etc/machine-id"
	else
		echo uninitialized >"$tree/etc/machine-id"
	fi
	# A machine that has run before: nothing is left for systemd's ConditionNeedsUpdate, and no
	# housekeeping of LVM snapshots that are not there.
	touch -r "$tree/usr" "$tree/etc/.updated" "$tree/var/.updated"
	rm -f "$tree"/etc/systemd/system/*.wants/e2scrub_reap.service
	# Nobody logs in here, and there is no screen: emulated CPUs are slow enough without.
	ln -sf /dev/null "$tree/etc/systemd/system/systemd-logind.service"
	ln -sf /dev/null "$tree/etc/systemd/system/getty@tty1.service"
	# A real swap file, so that its fstab line works until somebody turns it off. Not of zeros:
	# mke2fs would leave holes, and the kernel refuses those.
	head -c 33554432 /dev/zero | tr '\0' s >"$tree/swapfile"
	chmod 600 "$tree/swapfile"
	mkswap -q "$tree/swapfile"
	chown 0:0 "$tree/swapfile"
}

# One ext4 into the disk at an offset, filled from a folder. Inode tables are written now: a lazy
# initialisation in the guest would look like somebody writing to the disk.
make_ext4() { # LABEL FOLDER START-MIB SIZE-MIB
	mke2fs -q -t ext4 -L "$1" -d "$2" -m 1 \
		-E "offset=$(($3 * 1048576)),lazy_itable_init=0,lazy_journal_init=0,root_owner=0:0" \
		"$out/disk.raw" "${4}M" 2>"$work/mke2fs.log" || {
		cat "$work/mke2fs.log" >&2
		die "cannot make the '$1' file system"
	}
}

make_swap() { # START-MIB SIZE-MIB
	truncate -s "${2}M" "$work/swap"
	mkswap -q -L swap "$work/swap"
	dd if="$work/swap" of="$out/disk.raw" bs=1M seek="$1" conv=notrunc,sparse status=none
}

make_disk() {
	tree=$work/tree
	mkdir -p "$tree" "$work/var" "$out/boot"
	tar -C "$tree" --numeric-owner --xattrs --xattrs-include='*' -xf "$base"
	cp "$tree"/boot/vmlinuz-* "$tree"/boot/initrd.img-* "$out/boot/"
	configure_tree
	sed -n 's/^Package: //p; s/^Version: /\t/p' "$tree/var/lib/dpkg/status" |
		paste -d ' ' - - >"$out/versions"
	# /var is a file system of its own; beneath its mount point there is nothing.
	find "$tree/var" -mindepth 1 -maxdepth 1 -exec mv -t "$work/var" {} +

	swap_start=$((3072 + var_mib))
	truncate -s "$((swap_start + 257))M" "$out/disk.raw"
	sfdisk -q "$out/disk.raw" <<TABLE
label: gpt
start=1MiB, size=3071MiB, type=0FC63DAF-8483-4772-8E79-3D69D8477DE4, name=root
start=3072MiB, size=${var_mib}MiB, type=0FC63DAF-8483-4772-8E79-3D69D8477DE4, name=var
start=${swap_start}MiB, size=256MiB, type=0657FD6D-A4AB-43C4-84E5-0933C84B4F4F, name=swap
TABLE
	make_ext4 root "$tree" 1 3071
	make_ext4 var "$work/var" 3072 "$var_mib"
	make_swap "$swap_start" 256
}

make_disk
