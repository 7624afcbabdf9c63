#!/bin/sh
# SPDX-License-Identifier: MIT
# What udhcpc does with a lease: address and default route.
# shellcheck disable=SC2154 # udhcpc sets them
[ "$1" = bound ] || exit 0
ip address add "$ip/$mask" dev "$interface"
ip route add default via "${router%% *}"
