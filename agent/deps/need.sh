#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs Debian's packages that a purpose needs and that are missing; silent and quick when all are
# there. usage: need.sh [--check] build|test|lint|qemu|cluster...   Debian 12 and 13 name them alike; a
# purpose whose package has two names gets both on one line, joined by '|': any of them will do. --check installs
# nothing and fails with the command that would; it passes where there is no dpkg to ask.
set -eu

# What `make` needs: compilers, the musl wrapper, tools that fetch, unpack and patch the libraries, the
# module indexes and the compressor of the initramfs.
build="
binutils bzip2 ca-certificates gcc git kmod libc6-dev linux-libc-dev make musl-tools patch python3
util-linux xz-utils zstd
"

# What the suites run that start no virtual machine: real servers, real file systems.
test="
btrfs-progs bzip2 cpio curl dnsmasq-base dosfstools e2fsprogs etcd-server fdisk iproute2
libcmocka-dev mount nginx openssl procps python3-jsonschema python3-yaml xfsprogs
"

lint="
clang clang-format clang-tidy cppcheck libcmocka-dev shellcheck
"

# Firmware with iPXE in it comes with the emulator's ROMs (BIOS) and from ovmf (UEFI).
qemu="
cpio dosfstools e2fsprogs fakeroot fdisk ipxe-qemu mmdebstrap mtools nginx openssl ovmf procps
qemu-system-x86 qemu-utils seabios uidmap
"

# Go itself is the host's or comes by tests/cluster/kube/toolchain.sh.
cluster="
ca-certificates dpkg iproute2 musl-tools openssl python3 tar util-linux
"

usage() {
	echo "usage: need.sh [--check] build|test|lint|qemu|cluster..." >&2
	exit 2
}

# Prints the packages of $@ that are not installed; of alternatives the first, if none is.
missing() {
	for entry; do
		have=
		for package in $(echo "$entry" | tr '|' ' '); do
			case " $installed " in *" $package "*) have=1 ;; esac
		done
		[ -n "$have" ] || echo "${entry%%|*}"
	done
}

# Servers are for our tests to start: policy-rc.d is Debian's way to have a package installed without
# its service running on this host afterwards. One that is already there stays.
install_as_root() {
	exec 9>/run/lock/promenade-need
	flock 9
	export DEBIAN_FRONTEND=noninteractive
	policy=/usr/sbin/policy-rc.d
	if [ ! -e "$policy" ]; then
		trap 'rm -f "$policy"' EXIT
		trap 'exit 130' HUP INT TERM
		printf '#!/bin/sh\nexit 101\n' >"$policy"
		chmod 755 "$policy"
	fi
	set -- -qq -y --no-install-recommends -o DPkg::Lock::Timeout=600 \
		-o Dpkg::Use-Pty=0 install "$@"
	# The index is fetched only if the one at hand does not do.
	apt-get "$@" </dev/null >/dev/null 2>&1 && return 0
	apt-get -qq update </dev/null || true
	apt-get "$@" </dev/null >/dev/null
}

[ $# -ge 1 ] || usage
if [ "$1" = --install ]; then
	shift
	install_as_root "$@"
	exit 0
fi

check=
if [ "$1" = --check ]; then
	check=1
	shift
	command -v dpkg-query >/dev/null || exit 0
fi

wanted=
for purpose; do
	case $purpose in
	build) wanted="$wanted $build" ;;
	test) wanted="$wanted $test" ;;
	lint) wanted="$wanted $lint" ;;
	qemu) wanted="$wanted $qemu" ;;
	cluster) wanted="$wanted $cluster" ;;
	*) usage ;;
	esac
done

# shellcheck disable=SC2086 # words are package names
names=$(printf '%s\n' $wanted | tr '|' '\n' | sort -u)
# shellcheck disable=SC2086
installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' $names 2>/dev/null |
	awk '$2 == "installed" {print $1}' | tr '\n' ' ')
# shellcheck disable=SC2046,SC2086
lacking=$(missing $(printf '%s\n' $wanted | sort -u) | tr '\n' ' ')
[ -n "$lacking" ] || exit 0

if [ -n "$check" ]; then
	echo "need.sh: missing for '$*': install them with 'make setup' (as root or with sudo)," \
		"or by hand: apt-get install $lacking" >&2
	exit 1
fi
echo "need.sh: installing for '$*': $lacking" >&2
as_root=
if [ "$(id -u)" != 0 ]; then
	command -v sudo >/dev/null || {
		echo "need.sh: not root and no sudo; as root: apt-get install $lacking" >&2
		exit 1
	}
	as_root=sudo
fi
# shellcheck disable=SC2086
$as_root sh "$0" --install $lacking || {
	echo "need.sh: apt-get cannot install $lacking(see above)" >&2
	exit 1
}
