#!/bin/sh
# SPDX-License-Identifier: MIT
# One pinned source: fetched, verified, extracted, patched. usage:
#   source.sh fetch PINS NAME DIR      the files of NAME's pin lines into DIR, hashes checked
#   source.sh extract PINS NAME DIR DEST [PATCH]...
#                                      upstream's archive with Debian's series and ours on top
# Callers hold the cache's lock. DEST appears complete or not at all.
set -eu
here=$(cd "$(dirname "$0")" && pwd)

die() {
	echo "deps: $*" >&2
	exit 1
}

lines() { # pin lines of this library: NAME VERSION FILE SHA256 LICENCE
	awk -v name="$name" '$1 == name' "$pins"
}

# 0 all here and right, 1 a file is missing, 2 one has another hash than its pin.
verify() {
	lines | while read -r _ _ file sum _; do
		[ -e "$dir/$file" ] || exit 1
		echo "$sum  $dir/$file" | sha256sum -c --status || {
			echo "deps: '$dir/$file' is not what is pinned: $(sha256sum <"$dir/$file" |
				cut -d' ' -f1) instead of $sum" >&2
			rm -f "$dir/$file"
			exit 2
		}
	done
}

# Why a fetch failed decides what a person does next.
explain() { # VERSION
	[ ! -s "$dir/fetch.log" ] || sed 's/^/  /' "$dir/fetch.log" >&2
	if "$here/apt.sh" run "$suite" apt-cache showsrc "$name" 2>/dev/null |
		grep -qxF "Version: $1"; then
		die "$name $1 is in the archive of '$suite' but could not be fetched (above);" \
			"try again, or pin what the mirror has: make pins-refresh"
	fi
	die "$name $1 is no longer in the archive of '$suite', which has replaced it." \
		"Refresh the pins: make pins-refresh"
}

fetch() {
	version=$(lines | awk 'NR == 1{print $2}')
	[ -n "$version" ] || die "'$pins' has no line for '$name'"
	suite=$(sed -n 's/^# SUITE //p' "$pins")
	mkdir -p "$dir"
	if ! verify 2>/dev/null; then
		# A mirror may lack the .dsc, which is not needed: the pinned hashes decide.
		"$here/apt.sh" source "$suite" "$name=$version" "$dir" >"$dir/fetch.log" 2>&1 || true
	fi
	verify && return 0
	[ $? = 1 ] || die "$name: refusing bytes that are not the pinned ones (who changed them?)"
	explain "$version"
}

# Debian's source formats as dpkg-source -x unpacks them, without asking for dpkg-dev: an orig archive
# and a debian archive whose patches/series is applied in order (3.0 quilt).
extract() {
	dest=$1
	shift
	rm -rf "$dest.tmp" "$dest"
	mkdir -p "$dest.tmp"
	lines | while read -r _ _ file _ _; do
		case $file in
		*.orig.tar.*) tar -xf "$dir/$file" -C "$dest.tmp" --strip-components=1 ;;
		*.debian.tar.*) tar -xf "$dir/$file" -C "$dest.tmp" ;;
		*) die "'$file': neither .orig.tar nor .debian.tar (a source format that is not known)" ;;
		esac
	done
	if [ -e "$dest.tmp/debian/patches/series" ]; then
		sed 's/[[:space:]]*#.*//; s/[[:space:]].*//; /^$/d' "$dest.tmp/debian/patches/series" |
			while read -r file; do
				apply "$dest.tmp/debian/patches/$file"
			done
	fi
	for file; do
		apply "$file"
	done
	# One time for all: no make rule wants to regenerate a patched configure, on any machine.
	find "$dest.tmp" -exec touch -h -d @0 {} +
	mv -T "$dest.tmp" "$dest"
}

apply() {
	patch -d "$dest.tmp" -p1 -s -f -t -F0 --no-backup-if-mismatch <"$1" ||
		die "$name: patch '$(basename "$1")' does not apply"
}

[ $# -ge 4 ] || die "usage: source.sh fetch|extract PINS NAME DIR [DEST [PATCH]...]"
verb=$1 pins=$2 name=$3 dir=$4
shift 4
case $verb in
fetch) fetch ;;
extract) extract "$@" ;;
*) die "unknown verb '$verb'" ;;
esac
