#!/bin/sh
# SPDX-License-Identifier: MIT
# Signs boot images for iPXE's imgverify (secure.ipxe): writes FILE.sig beside each FILE.
#
#   sign.sh ca DIR           makes DIR/ca.{crt,key} and DIR/signer.{crt,key}; keeps what is there
#   sign.sh sign DIR FILE... signs with DIR/signer.key
#   sign.sh verify DIR FILE... checks FILE.sig against DIR/ca.crt, as iPXE will
#
# The build of iPXE takes TRUST=DIR/ca.crt. Keep DIR away from the boot server: it needs the .sig
# files only. RSA and SHA-256, because iPXE's CMS code before December 2025 knows no ECDSA.
set -eu

SIGNER_CN=promenade-boot

usage() {
	sed -n 's/^# \{0,1\}//; 3,11p' "$0" >&2
	exit 2
}

make_ca() {
	dir=$1
	mkdir -p "$dir"
	umask 077
	if [ ! -e "$dir/ca.key" ]; then
		openssl req -x509 -newkey rsa:3072 -nodes -sha256 -days 3650 \
			-subj "/CN=promenade-boot-ca" \
			-addext "basicConstraints=critical,CA:true" \
			-addext "keyUsage=critical,keyCertSign,cRLSign" \
			-keyout "$dir/ca.key" -out "$dir/ca.crt" 2>/dev/null
	fi
	if [ ! -e "$dir/signer.key" ]; then
		openssl req -newkey rsa:3072 -nodes -sha256 -subj "/CN=$SIGNER_CN" \
			-keyout "$dir/signer.key" -out "$dir/signer.csr" 2>/dev/null
		printf '%s\n' "basicConstraints=CA:false" "keyUsage=critical,digitalSignature" \
			"extendedKeyUsage=codeSigning" > "$dir/signer.ext"
		openssl x509 -req -in "$dir/signer.csr" -CA "$dir/ca.crt" -CAkey "$dir/ca.key" \
			-CAcreateserial -sha256 -days 1825 -extfile "$dir/signer.ext" \
			-out "$dir/signer.crt" 2>/dev/null
		rm -f "$dir/signer.csr" "$dir/signer.ext"
	fi
}

sign() {
	dir=$1
	shift
	for file; do
		# -binary -noattr: iPXE verifies a detached signature over the bytes themselves.
		openssl cms -sign -binary -noattr -md sha256 -in "$file" \
			-signer "$dir/signer.crt" -inkey "$dir/signer.key" \
			-certfile "$dir/ca.crt" -outform DER -out "$file.sig.tmp"
		mv "$file.sig.tmp" "$file.sig"
		echo "signed $file"
	done
}

verify() {
	dir=$1
	shift
	for file; do
		openssl cms -verify -binary -inform DER -in "$file.sig" -content "$file" \
			-CAfile "$dir/ca.crt" -purpose any -out /dev/null 2>/dev/null || {
			echo "sign.sh: '$file.sig' does not match '$file': sign it again" >&2
			exit 1
		}
		echo "good $file"
	done
}

[ $# -ge 2 ] || usage
action=$1
shift
case $action in
ca) make_ca "$1" ;;
sign | verify)
	[ $# -ge 2 ] || usage
	"$action" "$@"
	;;
*) usage ;;
esac
