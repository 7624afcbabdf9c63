#!/bin/sh
# SPDX-License-Identifier: MIT
# Run by mmdebstrap on a tree: essential ROOT before the packages, customize ROOT NETWORK after.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$2

case $1 in
essential)
	# The initrd of the guest is for kexec and for comparison; it must boot this machine.
	mkdir -p "$root/etc/initramfs-tools/conf.d"
	printf 'MODULES=most\nCOMPRESS=zstd\nCOMPRESSLEVEL=1\n' \
		>"$root/etc/initramfs-tools/conf.d/rig"
	;;
customize)
	network=$3
	for layer in root "$network"; do
		tar -C "$here/$layer" --owner=0 --group=0 -c . | tar -C "$root" --no-overwrite-dir -x
	done
	chroot "$root" systemctl enable -q rig-early.service rig-collect.service
	if [ "$network" = networkd ]; then
		chroot "$root" systemctl enable -q systemd-networkd.service
		# Nothing here needs the network to be up, and waiting would hold the verdict up.
		chroot "$root" systemctl disable -q systemd-networkd-wait-online.service
	fi
	rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/* "$root"/var/log/*.log
	;;
esac
