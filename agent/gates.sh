#!/bin/sh
# SPDX-License-Identifier: MIT
# What must hold of the linked agent before it is called that. An interpreter or a needed library
# kills it as /init; the size is the promise of the README; a shell is a hole.
set -eu
file=$1
limit=$((2560 * 1024))

fail() {
	echo "gate: $file: $*" >&2
	exit 1
}

if readelf -lW "$file" | grep -q INTERP; then
	fail "has an interpreter; link with -static, not -static-pie"
fi
if readelf -dW "$file" 2>/dev/null | grep -q NEEDED; then
	fail "needs a shared library; link with -static"
fi
# Before the symbols go: nothing that runs a shell, nor the one read without a bound.
bad=$(nm "$file" | awk '$2 ~ /[TtWw]/ { print $3 }' |
	grep -xE 'system|popen|wordexp|gets' | tr '\n' ' ')
[ -z "$bad" ] || fail "links $bad; use base/proc.h, which takes no shell"
strip -s "$file"
size=$(wc -c <"$file")
[ "$size" -le "$limit" ] || fail "$size bytes stripped, more than the $limit allowed"
echo "agent: $size bytes, static, no interpreter ($((size * 100 / limit)) % of the limit)"
