#!/bin/sh
# SPDX-License-Identifier: MIT
# /init of the smallest initramfs that does what the agent does on a prepared machine: modules,
# DHCP, the role, root and /var read-only, switch_root. busybox's applets, no udev, no error handling.
PATH=/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mount -t tmpfs tmpfs /run

while read -r module; do
	insmod "/modules/$module"
done </modules/order

read -r words </proc/cmdline
for word in $words; do
	case $word in
	bench.role=*) role=${word#*=} ;;
	bench.init=*) init=${word#*=} ;;
	esac
done

ip link set eth0 up
udhcpc -q -n -f -i eth0 -s /udhcpc.sh >/dev/null 2>&1
wget -q -O /run/role.yaml "$role"
[ -s /run/role.yaml ] || echo "bench: no role"

until root=$(findfs LABEL=root 2>/dev/null); do
	sleep 0.02
done
mount -t ext4 -o ro "$root" /sysroot
mount -t ext4 -o ro,nosuid,nodev "$(findfs LABEL=var)" /sysroot/var
for folder in dev proc sys run; do
	mount --move "/$folder" "/sysroot/$folder"
done
exec switch_root /sysroot "$init"
