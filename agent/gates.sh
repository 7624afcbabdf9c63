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
size=$(wc -c <"$file")
[ "$size" -le "$limit" ] || fail "$size bytes stripped, more than the $limit allowed"
# switch_root's last fall-back names /bin/sh once, to execute it as init, not to run commands.
count=$(strings -a "$file" | grep -cx /bin/sh || true)
[ "$count" -le 1 ] || fail "$count times '/bin/sh': system() or popen() is linked in"
echo "agent: $size bytes, static, no interpreter ($((size * 100 / limit)) % of the limit)"
