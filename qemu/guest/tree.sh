#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs the guest's packages: writes the tree as a tar. Needs what mmdebstrap needs, no more.
# usage: tree.sh "VARIANT..." KERNEL-PACKAGE TAR
set -eu

here=$(cd "$(dirname "$0")" && pwd)
apt=$here/../../agent/deps/apt.sh
suite=trixie
variants=$1
kernel=$2
tar=$3

"$apt" run "$suite" apt-cache show "$kernel" >/dev/null 2>&1 || {
	echo "guest/tree.sh: the archive has replaced '$kernel': run" \
		"'initramfs/debian-kernel.sh --update', then 'make initramfs'" >&2
	exit 1
}
list=$(awk -v variants=" $variants " \
	'!/^#/ && NF && (NF == 1 || index(variants, " " $2 " ")) { print $1 }' \
	"$here/packages" | sort -u | paste -sd, -),$kernel
sources=$(mktemp)
trap 'rm -f "$sources" "$tar.tmp"' EXIT
"$apt" sources "$suite" | sed '/^deb-src/d' >"$sources"
quiet=--quiet
[ -z "${V:-}" ] || quiet=--verbose

# The initrd of the guest is there for kexec and for comparison: it must boot this machine, fast.
# The hooks' $1 is for the shell that mmdebstrap starts.
# shellcheck disable=SC2016
mmdebstrap "$quiet" --variant=essential --format=tar --include="$list" \
	--keyring="$("$apt" keyring "$suite")" \
	--aptopt='Acquire::Languages "none"' \
	--aptopt='Acquire::Check-Valid-Until "false"' \
	--dpkgopt=force-unsafe-io \
	--dpkgopt='path-exclude=/usr/share/doc/*' \
	--dpkgopt='path-exclude=/usr/share/man/*' \
	--dpkgopt='path-exclude=/usr/share/locale/*' \
	--dpkgopt='path-exclude=/usr/share/info/*' \
	--essential-hook='mkdir -p "$1/etc/initramfs-tools/conf.d"' \
	--essential-hook='printf "MODULES=most\nCOMPRESS=zstd\nCOMPRESSLEVEL=1\n" \
		>"$1/etc/initramfs-tools/conf.d/rig"' \
	--customize-hook='rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/* "$1"/var/log/*.log' \
	"$suite" "$tar.tmp" "$sources" >&2
mv "$tar.tmp" "$tar"
