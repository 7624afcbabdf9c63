/* SPDX-License-Identifier: MIT */
/*
 * A credential file: certificates and a key in PEM. What was sorted is sorted the same
 * way again, and a key that is taken can be written and read.
 *
 * Links: cluster/base64 cluster/certificate_read cluster/key cluster/pem cluster/secret
 * Links: base/err base/str
 * Flags: -isystem build/host/sysroot/include -Lbuild/host/sysroot/lib
 * Flags: -lmbedx509 -lmbedcrypto
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/certificate.h"
#include "cluster/key.h"
#include "cluster/pem.h"
#include "cluster/secret.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void demand(bool holds)
{
	if (!holds)
		abort();
}

static void check_key(const struct buf *pem)
{
	struct key *key CLEANUP(key_free) = NULL, *again CLEANUP(key_free) = NULL;
	struct buf text CLEANUP(secret_done) = BUF_INIT;

	if (key_parse(pem->bytes, pem->len, "fuzz", &key, NULL) < 0)
		return;
	demand(key_pem(key, &text, NULL) == 0);
	demand(key_parse(text.bytes, text.len, "again", &again, NULL) == 0);
	demand(key_equal(key, again));
}

static void check_again(const struct buf *kind)
{
	struct pem_bundle again CLEANUP(pem_bundle_done) = PEM_BUNDLE_INIT;

	if (!kind->len)
		return;
	demand(pem_split(kind->bytes, kind->len, "again", &again, NULL) == 0);
	demand(again.certificates.len + again.authorities.len + again.key.len ==
		kind->len);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct pem_bundle bundle CLEANUP(pem_bundle_done) = PEM_BUNDLE_INIT;
	struct err err = ERR_INIT;
	int rc = pem_split(bytes, len, "fuzz", &bundle, &err);
	struct certificate_text leaf, authority;

	if (rc < 0) {
		demand(err.code == rc && (rc == -E_FORMAT || rc == -E_TOO_BIG));
		return 0;
	}
	check_again(&bundle.certificates);
	check_again(&bundle.authorities);
	check_again(&bundle.key);
	if (bundle.key.len)
		check_key(&bundle.key);
	leaf = (struct certificate_text){
		bundle.certificates.bytes, bundle.certificates.len, "leaf"};
	authority = (struct certificate_text){
		bundle.authorities.bytes, bundle.authorities.len, "ca"};
	rc = certificate_check_chain(&leaf, &authority, 1767225600, &err);
	demand(rc == 0 || rc == -E_TRUST || rc == -E_FORMAT);
	return 0;
}
