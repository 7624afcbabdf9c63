/* SPDX-License-Identifier: MIT */
/*
 * The policy: what this image trusts. It is in the image alone (/promenade/policy); no
 *word of the kernel command line widens it (DESIGN.md, Trust). Layout:
 *
 *	ca/NAME.pem      CAs that may vouch for a server
 *	keys/NAME.pem    public keys (ECDSA P-256) that may sign a role
 *	client.pem       optional: certificate and key shown to servers that ask (mTLS)
 *	policy.conf      lines "word value", '#' comments:
 *	                 require-signature yes|no   (no)  every role must be signed
 *	                 unsigned-http yes|no       (no)  a role over plain HTTP without
 *signature unsigned-injected yes|no   (no)  a role that iPXE or the hypervisor injected,
 *without signature
 */
#ifndef PROMENADE_HOST_POLICY_H
#define PROMENADE_HOST_POLICY_H

#include <stdbool.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"
#include "host/env.h"

#define POLICY_DIR "promenade/policy"

struct policy {
	struct buf ca_pem;     /* all CAs, concatenated; empty: no HTTPS is possible */
	struct strlist keys;   /* PEM text of each signing key */
	struct buf client_pem; /* secret: never printed */
	bool require_signature;
	bool unsigned_http;
	bool unsigned_injected;
};

/* How a role came. */
enum policy_origin {
	POLICY_ORIGIN_HTTPS, /* the server's certificate was checked against ca/ */
	POLICY_ORIGIN_HTTP,
	POLICY_ORIGIN_INJECTED, /* file by iPXE, SMBIOS, fw_cfg */
	POLICY_ORIGIN_LOCAL     /* named by the person at the command line, or kept on the
				   root */
};

/* Reads the policy below env->run_fd; a missing directory is the strictest policy with no
 * CA. ret: caller policy_done()s. Errors: E_FORMAT with file and line; errno. */
int policy_load(struct env *env, struct policy *ret, struct err *err) MUST_USE;

/* Whether a role of this origin, signed by a key of the policy or not, is allowed.
 * Errors: E_TRUST, saying what the policy asks for and how to give it. */
int policy_allows(const struct policy *policy, enum policy_origin origin, bool is_signed,
	struct err *err) MUST_USE;

/* Frees all; takes a zeroed one. The client key is wiped. */
void policy_done(struct policy *policy);

#endif
