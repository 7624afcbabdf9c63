#!/bin/sh
# SPDX-License-Identifier: MIT
# Builds the real Kubernetes that the tests run against, and prints the folder with its programs.
# usage: build.sh [newest|older]
#   newest   the newest minor that builds here   older   the one two before it
# Both bring etcd, CoreDNS and flannel. KUBE_BIN=DIR prints DIR, after a look at what is in it.
#
# Every module has its versions in MODULE/go.mod and MODULE/go.sum; what was built is kept by the hash
# of those, the flags and the toolchain, so nothing stale is ever used. The result is also reachable as
# CACHE/kube/current (or older). JOBS and NICE say how hard to work.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/promenade
top=$cache/kube
set=${1:-newest}
programs="kube-apiserver kube-controller-manager kube-scheduler kube-proxy kubelet kubeadm kubectl
etcd etcdctl etcdutl coredns flanneld flannel-cni"

die() {
	echo "kube/build.sh: $*" >&2
	exit 1
}

case $set in
newest) modules="etcd kubernetes coredns flannel flannel-cni" link=current ;;
older) modules="etcd kubernetes-older coredns flannel flannel-cni" link=older ;;
*) sed -n '4,5s/^# //p' "$0" >&2; exit 2 ;;
esac

if [ -n "${KUBE_BIN:-}" ]; then
	for program in $programs; do
		[ -x "$KUBE_BIN/$program" ] || die "KUBE_BIN: no program '$program' in '$KUBE_BIN'"
	done
	echo "$KUBE_BIN"
	exit 0
fi

# Version that a module is asked for in its go.mod.
version_of() { # FOLDER MODULE
	sed -n "s|^[[:space:]]*\(require \)\{0,1\}$2 \(v[^ ]*\).*|\2|p" "$here/$1/go.mod" | head -n 1
}

# kubeadm and the API server read their version from the linker. The date is fixed: same sources, same
# bytes.
kubernetes_flags() { # VERSION
	rest=${1#v*.}
	for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
		printf -- '-X %s.%s ' "$package" "gitVersion=$1" "$package" "gitMajor=1" \
			"$package" "gitMinor=${rest%%.*}" "$package" "gitTreeState=clean" \
			"$package" "buildDate=2024-01-01T00:00:00Z"
	done
}

linker_flags() { # FOLDER
	printf -- '-s -w '
	case $1 in
	kubernetes*) kubernetes_flags "$(version_of "$1" k8s.io/kubernetes)" ;;
	coredns) ;;
	flannel) printf -- '-X github.com/flannel-io/flannel/pkg/version.Version=%s' \
		"$(version_of "$1" github.com/flannel-io/flannel)" ;;
	esac
}

# No DWARF from the compiler either: a tenth less work, half the cache.
compiler_flags="all=-dwarf=false"

key_of() { # FOLDER
	{
		find "$here/$1" -type f | LC_ALL=C sort | xargs cat
		linker_flags "$1"
		echo "$compiler_flags"
		"$go" version
	} | sha256sum | cut -c1-12
}

# Programs whose package is not named as the program.
rename_programs() { # MODULE FOLDER
	case $1 in
	etcd) mv "$2/server" "$2/etcd" ;;
	flannel)
		mv "$2/flannel" "$2/flanneld"
		mv "$2/install_conf" "$2/install-conf"
		;;
	flannel-cni) mv "$2/flannel" "$2/flannel-cni" ;;
	esac
}

# flannel's own main without two back ends that no test uses: udp needs cgo on amd64, tencent-vpc a module
# that proxies may lack.
write_main() {
	"$go" mod download github.com/flannel-io/flannel
	source=$("$go" list -mod=readonly -m -f '{{.Dir}}' github.com/flannel-io/flannel)
	sed -e '/_ ".*backend\/udp"/d' -e '/_ ".*backend\/tencentvpc"/d' "$source/main.go" >main.go
}

packages_of() { # FOLDER
	case $1 in
	coredns) echo . ;;
	flannel) echo . github.com/flannel-io/flannel/cmd/install_conf ;;
	*) echo tool ;;
	esac
}

# One `go build` a module: its programs share their packages.
build_module() { # FOLDER
	part=$top/$1-$(key_of "$1")
	[ ! -d "$part" ] || return 0
	rm -rf "$top/$1.tmp" "$top/$1.work"
	mkdir -p "$top/$1.tmp"
	cp -r "$here/$1" "$top/$1.work"
	echo "kube/build.sh: building $1 with $("$go" version | cut -d ' ' -f 3)" >&2
	(
		cd "$top/$1.work"
		[ "$1" != flannel ] || write_main
		# shellcheck disable=SC2046 # packages are words
		nice -n "${NICE:-19}" "$go" build -p "${JOBS:-2}" -mod=readonly -trimpath \
			-buildvcs=false -gcflags="$compiler_flags" \
			-ldflags="$(linker_flags "$1")" -o "$top/$1.tmp/" $(packages_of "$1")
	) || die "$1 does not build: see above"
	rename_programs "$1" "$top/$1.tmp"
	rm -rf "$top/$1.work"
	mv "$top/$1.tmp" "$part"
}

# The set is a folder of hard links, so that one --bin-dir is enough for everybody.
publish() {
	names=
	for module in $modules; do
		names="$names $module-$(key_of "$module")"
	done
	out=$top/set-$(echo "$names" | sha256sum | cut -c1-12)
	if [ ! -d "$out" ]; then
		rm -rf "$out.tmp"
		mkdir -p "$out.tmp/bin"
		for name in $names; do
			ln "$top/$name"/* "$out.tmp/bin/"
		done
		mv "$out.tmp" "$out"
	fi
	ln -sfn "${out##*/}" "$top/$link.tmp"
	mv -T "$top/$link.tmp" "$top/$link"
	# What no set has used for a month goes.
	for name in $names; do touch "$top/$name"; done
	touch "$out"
	find "$top" -mindepth 1 -maxdepth 1 -type d -mtime +30 -exec rm -rf {} +
	echo "$out/bin"
}

mkdir -p "$top"
exec 9>"$top/lock"
flock 9
go=$("$here/toolchain.sh")
export CGO_ENABLED=0 GOFLAGS=-modcacherw GOWORK=off
export GOMODCACHE="$cache/go/mod" GOCACHE="$cache/go/build"
for module in $modules; do
	build_module "$module"
done
publish
