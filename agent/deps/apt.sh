#!/bin/sh
# SPDX-License-Identifier: MIT
# Packages and sources of any Debian suite, on any Debian host, as any user.
#
# Keeps a private apt (lists, cache, sources) per suite in the cache folder; the host's apt is read,
# never changed. Mirrors come from the host's own configuration at run time, so that a proxy, a
# company mirror or an offline copy works here too. Every index is verified against Debian's keyring.
set -eu

usage() {
	cat >&2 <<'USAGE'
usage: apt.sh update SUITE                     fetch the suite's indexes now
       apt.sh download SUITE PKG[=VER]... DIR  binary packages (.deb) into DIR
       apt.sh source SUITE PKG[=VER]... DIR    source packages (.dsc and its files) into DIR
       apt.sh run SUITE COMMAND [ARG]...       apt-get, apt-cache or apt-ftparchive on the suite
       apt.sh sources SUITE                    sources.list lines (for mmdebstrap)
       apt.sh keyring SUITE                    path of the keyring that verifies the suite
SUITE is a code name (trixie). APT_SH_MIRROR and APT_SH_SECURITY_MIRROR override the derived URIs.
USAGE
	exit 2
}

die() {
	echo "apt.sh: $*" >&2
	exit 1
}

# The URIs that serve host suites matching $1 (an extended regular expression), one per line.
# --print-uris reads every form of configuration (deb822, one-line, mirror lists) as apt itself does.
host_uris() {
	apt-get update --print-uris 2>/dev/null |
		sed -n -E "s|^'(.*)/dists/($1)(/updates)?/InRelease' .*|\1|p" | awk '!seen[$0]++'
}

main_uris() {
	if [ -n "${APT_SH_MIRROR:-}" ]; then
		echo "$APT_SH_MIRROR"
	else
		host_uris '[a-z]+'
	fi
}

# A host with no security line at all still gets the suite's security archive if the mirror has it
# beside the main one, as Debian's own servers do.
security_uris() {
	if [ -n "${APT_SH_SECURITY_MIRROR:-}" ]; then
		echo "$APT_SH_SECURITY_MIRROR"
	else
		{ host_uris '[a-z]+-security' && main_uris | sed 's|/*$|-security|'; } |
			awk '!seen[$0]++'
	fi
}

write_sources() { # MAIN SECURITY
	cat >"$top/sources.list" <<LIST
deb [signed-by=$keyring] $1 $suite main contrib non-free non-free-firmware
deb [signed-by=$keyring] $1 $suite-updates main contrib non-free non-free-firmware
deb [signed-by=$keyring] $2 $suite-security main contrib non-free non-free-firmware
deb-src [signed-by=$keyring] $1 $suite main
deb-src [signed-by=$keyring] $1 $suite-updates main
deb-src [signed-by=$keyring] $2 $suite-security main
LIST
}

# Read after the host's configuration, so that proxies and credentials stay and the rest is undone:
# hooks that empty caches, pinning, foreign architectures, indexes nobody reads here.
write_config() {
	cat >"$top/apt.conf" <<CONF
#clear APT::Architectures;
#clear APT::Default-Release;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear APT::Update::Pre-Invoke;
#clear DPkg::Post-Invoke;
APT::Architecture "$(dpkg --print-architecture)";
APT::Architectures { "$(dpkg --print-architecture)"; };
APT::Sandbox::User "root";
APT::Update::Error-Mode "any";
Acquire::IndexTargets::deb::CNF::DefaultEnabled "false";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled "false";
Acquire::Languages { "none"; };
Acquire::Retries "3";
Dir::Cache "$top/cache";
Dir::Etc::Preferences "/dev/null";
Dir::Etc::PreferencesParts "/dev/null";
Dir::Etc::SourceList "$top/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::State "$top/state";
Dir::State::status "$top/state/status";
CONF
}

# An older debian-archive-keyring lacks a newer suite's keys; the host's own suite carries an update
# of that package, which the keys that are here verify.
find_keyring() {
	keyring=/usr/share/keyrings/debian-archive-keyring.gpg
	[ ! -e "/usr/share/keyrings/debian-archive-$suite-automatic.gpg" ] || return 0
	host_suite=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release | tr -d '"')
	[ "$suite" != "$host_suite" ] || return 0
	newer=$top/keyring/usr/share/keyrings
	if [ ! -e "$newer/debian-archive-keyring.gpg" ]; then
		mkdir -p "$top/keyring"
		rm -f "$top"/keyring/*.deb
		"$0" download "$host_suite" debian-archive-keyring "$top/keyring"
		dpkg-deb -x "$top"/keyring/debian-archive-keyring_*.deb "$top/keyring"
	fi
	keyring=$newer/debian-archive-keyring.gpg
}

update_locked() {
	mkdir -p "$top/state/lists/partial" "$top/cache/archives/partial"
	: >"$top/state/status"
	find_keyring
	write_config
	for main in $(main_uris); do
		for security in $(security_uris); do
			write_sources "$main" "$security"
			if apt-get -c "$top/apt.conf" update -qq >"$top/update.log" 2>&1; then
				date +%s >"$top/updated"
				return 0
			fi
		done
	done
	rm -f "$top/updated"
	[ ! -e "$top/update.log" ] || cat "$top/update.log" >&2
	die "no mirror of this host's apt configuration serves '$suite': see the lines above;" \
		"set APT_SH_MIRROR and APT_SH_SECURITY_MIRROR to URIs that do"
}

# Indexes are fetched by one process at a time; whoever waited finds them fresh.
update() { # MAX-AGE-SECONDS
	(
		flock 9
		last=$(cat "$top/updated" 2>/dev/null || echo 0)
		[ $(($(date +%s) - last)) -lt "$1" ] || update_locked
	) 9>"$top/lock"
}

# A file that vanished from the mirror since the last update is found after the next one.
fetch() { # DIR APT-GET-ARGUMENT...
	dir=$1
	shift
	mkdir -p "$dir"
	update 86400
	(cd "$dir" && apt-get -c "$top/apt.conf" -qq "$@" >"$log" 2>&1) && return 0
	update 60
	(cd "$dir" && apt-get -c "$top/apt.conf" -qq "$@" >"$log" 2>&1) && return 0
	cat "$log" >&2
	return 1
}

[ $# -ge 2 ] || usage
verb=$1 suite=$2
shift 2
case $suite in *[!a-z]* | '') usage ;; esac
top=${XDG_CACHE_HOME:-$HOME/.cache}/promenade/apt/$suite
mkdir -p "$top"
log=$(mktemp "$top/log.XXXXXX")
trap 'rm -f "$log"' EXIT

case $verb in
update)
	update 0
	;;
download | source)
	[ $# -ge 2 ] || usage
	what="$*"
	n=$#
	while [ "$n" -gt 1 ]; do # the last word is the folder: rotate it to the front
		word=$1
		shift
		set -- "$@" "$word"
		n=$((n - 1))
	done
	[ "$verb" = download ] || set -- "$@" --download-only --only-source
	dir=$1
	shift
	fetch "$dir" "$verb" "$@" || die "cannot $verb from '$suite': ${what% *}"
	;;
run)
	[ $# -ge 1 ] || usage
	update 86400
	tool=$1
	shift
	"$tool" -c "$top/apt.conf" "$@"
	;;
sources)
	update 86400
	cat "$top/sources.list"
	;;
keyring)
	find_keyring
	echo "$keyring"
	;;
*)
	usage
	;;
esac
