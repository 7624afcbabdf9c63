#!/bin/sh
# SPDX-License-Identifier: MIT
# Prints the path of a Go that is new enough for kube/*/go.mod: the host's own if it is, else the one
# pinned below, which Go itself fetches through its module proxy. To ask for that takes a Go of 1.21 or
# newer; Debian 12's is 1.19, so Debian 13's packages are unpacked into the cache for it.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/promenade
pinned=go1.26.8
suite=trixie
series=1.24

# What `go version` says, by number: 1.26.8 -> 1026008.
number() { # goA.B.C
	echo "${1#go}" | awk -F '[.a-z]' '{ printf "%d%03d%03d\n", $1, $2, $3 }'
}

version_of() { # GO
	GOTOOLCHAIN=local "$1" env GOVERSION 2>/dev/null || echo go0
}

is_at_least() { # GO GOVERSION
	[ "$(number "$(version_of "$1")")" -ge "$(number "$2")" ]
}

# The newest that any go.mod beside us asks for.
needed() {
	sed -n 's/^go \([0-9.]*\)$/\1/p' "$here"/*/go.mod | sort -V | tail -n 1
}

debian_go() {
	root=$cache/go/debian-$series
	if [ ! -d "$root" ]; then
		rm -rf "$root.tmp"
		mkdir -p "$root.tmp/debs"
		"$here/../../../agent/deps/apt.sh" download "$suite" "golang-$series-go" \
			"golang-$series-src" "$root.tmp/debs"
		for deb in "$root.tmp/debs"/*.deb; do
			dpkg-deb -x "$deb" "$root.tmp"
		done
		rm -rf "$root.tmp/debs"
		# Debian's tree has absolute links between /usr/lib and /usr/share.
		for name in src api misc test; do
			rm -f "$root.tmp/usr/lib/go-$series/$name"
			ln -s "../../share/go-$series/$name" "$root.tmp/usr/lib/go-$series/$name"
		done
		mv "$root.tmp" "$root"
	fi
	echo "$root/usr/lib/go-$series/bin/go"
}

# GOROOT of the pinned toolchain, in the module cache once it was fetched.
pinned_go() { # ANY-GO
	GOMODCACHE="$cache/go/mod" GOFLAGS=-modcacherw GOTOOLCHAIN="$pinned" "$1" env GOROOT
}

mkdir -p "$cache/go"
for go in $(command -v go || true) /usr/lib/go-*/bin/go /usr/local/go/bin/go; do
	[ -x "$go" ] || continue
	if is_at_least "$go" "go$(needed)"; then
		echo "$go"
		exit 0
	fi
	! is_at_least "$go" go1.21 || helper=$go
done
[ -n "${helper:-}" ] || helper=$(debian_go)
root=$(pinned_go "$helper")
[ -x "$root/bin/go" ] || {
	echo "toolchain.sh: '$helper' cannot fetch $pinned: is there a Go module proxy (go env GOPROXY)?" >&2
	exit 1
}
echo "$root/bin/go"
