#!/bin/sh
# SPDX-License-Identifier: MIT
# Rewrites `pins` to the newest versions that the mirror serves. usage: pins-refresh.sh [PINS]
# The index may list what the mirror cannot give (a proxy with gaps): then the next older version is
# pinned and the missing one is named, because it may carry a security fix.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
pins=${1:-$here/pins}
suite=$(sed -n 's/^# SUITE //p' "$pins")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Versions of source package $1, newest first.
versions() {
	"$here/apt.sh" run "$suite" apt-cache showsrc "$1" |
		awk -v name="$1" '/^Package: /{is = $2 == name} is && /^Version: /{print $2}' |
		sort -u | sort_versions
}

# dpkg's order, newest first; the lists have two or three entries.
sort_versions() {
	sorted=
	while read -r new; do
		rest=$sorted sorted=
		for old in $rest; do
			if [ -n "$new" ] && dpkg --compare-versions "$new" gt "$old"; then
				sorted="$sorted $new" new=
			fi
			sorted="$sorted $old"
		done
		sorted="$sorted $new"
	done
	for new in $sorted; do
		echo "$new"
	done
}

# Prints FILE SHA256 of each file of a source package but its .dsc and signatures.
index_files() { # NAME VERSION
	"$here/apt.sh" run "$suite" apt-cache showsrc "$1" |
		awk -v name="$1" -v version="$2" '
			/^Package: /{is = $2 == name; right = 0}
			is && /^Version: /{right = $2 == version}
			/^[^ ]/{sums = $1 == "Checksums-Sha256:"}
			right && sums && NF == 3 && $3 !~ /\.(dsc|asc)$/{print $3, $1}' | sort -u
}

# True if every file arrived with the hash of the signed index. The .dsc itself is not needed: some
# mirrors lack it, and the index holds the same hashes.
served() { # NAME VERSION DIR
	"$here/apt.sh" source "$suite" "$1=$2" "$3" >"$work/log" 2>&1 || true
	index_files "$1" "$2" | awk -v dir="$3" '{print $2 "  " dir "/" $1}' >"$work/sums"
	[ -s "$work/sums" ] && sha256sum -c --status "$work/sums" 2>/dev/null
}

pin() { # NAME LICENCE
	for version in $(versions "$1"); do
		dir=$work/$1-$version
		if served "$1" "$version" "$dir"; then
			# upstream's archive first: debian.tar holds what is applied to it
			index_files "$1" "$version" | sort -k1,1 | while read -r file sum; do
				case $file in *.debian.tar.*) key=2 ;; *) key=1 ;; esac
				echo "$key $1 $version $file $sum $2"
			done | sort -s -n -k1,1 | cut -d' ' -f2-
			return 0
		fi
		echo "pins-refresh: $1 $version is in the index but the mirror does not serve it;" \
			"trying an older one (what does it fix? see its changelog)" >&2
	done
	echo "pins-refresh: no version of '$1' can be fetched from '$suite'" >&2
	return 1
}

seen=
while IFS= read -r line; do
	case $line in
	'' | '#'*)
		printf '%s\n' "$line"
		continue
		;;
	esac
	name=${line%% *} licence=${line##* }
	case " $seen " in *" $name "*) continue ;; esac
	seen="$seen $name"
	pin "$name" "$licence" || exit 1
done <"$pins" >"$work/pins"
cmp -s "$work/pins" "$pins" && echo "pins-refresh: nothing newer" >&2 && exit 0
diff -u "$pins" "$work/pins" || true
cat "$work/pins" >"$pins"
echo "pins-refresh: review the lines above, run 'make test', commit agent/deps/pins alone" >&2
