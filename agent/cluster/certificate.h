/* SPDX-License-Identifier: MIT */
/*
 * X.509 as Kubernetes wants it: issuing, reading, checking against a CA and its pin.
 * Fields and extensions are those of kubeadm (cluster.md 1.1). No clock: times come from
 * the caller, in seconds since the epoch, UTC.
 */
#ifndef PROMENADE_CLUSTER_CERTIFICATE_H
#define PROMENADE_CLUSTER_CERTIFICATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"
#include "cluster/key.h"

#define CERTIFICATE_NAME_MAX 255U

/* What a certificate shall say. Strings and lists are borrowed; NULL where there is none.
 */
struct certificate_spec {
	const char *common_name; /* UTF-8, at most CERTIFICATE_NAME_MAX bytes */
	const char *organization;
	bool ca;             /* may sign certificates */
	bool server, client; /* extended key usage; neither for a CA */
	const struct strlist *dns;
	const struct strlist *addresses; /* IPv4 or IPv6 as text */
	int64_t not_before; /* of a leaf: never before the issuer's, and 0 is the
			       issuer's, as kubeadm does: no leaf is "not yet valid" where
			       its CA is not */
	int64_t not_after;  /* cut to the issuer's */
};

/* Who signs. Of several certificates the first is meant. */
struct certificate_issuer {
	const char *certificate_pem;
	size_t certificate_len;
	const struct key *key;
};

/* Appends a certificate for the subject's key as one PEM block; issuer NULL: signed by
 * the subject itself. The serial number is random and positive. Errors: E_FORMAT (the
 * issuer is no CA or does not parse, a name or address that cannot be written), E_TRUST
 * (key and certificate of the issuer do not belong together), E_BUG, -ENOMEM. */
int certificate_issue(const struct certificate_spec *spec, const struct key *subject,
	const struct certificate_issuer *issuer, struct buf *ret_pem,
	struct err *err) MUST_USE;

/* Appends a certificate signing request as one PEM block: subject and key alone, because
 * the API server's approval refuses any SAN (cluster.md 4.4). organization may be NULL.
 * Errors: E_FORMAT, E_BUG, -ENOMEM. */
int certificate_request(const struct key *key, const char *common_name,
	const char *organization, struct buf *ret_pem, struct err *err) MUST_USE;

/* Room of a pin: "sha256:", 64 hex digits, NUL. */
#define CERTIFICATE_PIN_SIZE 72U

struct certificate_info {
	char common_name[CERTIFICATE_NAME_MAX + 1]; /* "" when there is none */
	char issuer_name[CERTIFICATE_NAME_MAX + 1]; /* the issuer's common name */
	struct strlist organizations;
	struct strlist dns;
	struct strlist addresses; /* as inet_ntop() writes them */
	bool ca;
	bool client, server; /* may be used as such; without extended usage: both */
	int64_t not_before, not_after;
	char spki_pin[CERTIFICATE_PIN_SIZE]; /* cluster.md 4.3, as kubeadm prints it */
	char serial[48];                     /* hex digits */
};

/* Reads the first certificate of pem (len bytes); name is the file, for messages. Caller
 * certificate_info_done()s. Errors: E_FORMAT, E_TOO_BIG, -ENOMEM. */
int certificate_read(const void *pem, size_t len, const char *name,
	struct certificate_info *ret, struct err *err) MUST_USE;

/* Frees the lists; takes one that is all zero. */
void certificate_info_done(struct certificate_info *info);

/* Certificates as somebody handed them over; name is for messages. Borrowed. */
struct certificate_text {
	const void *pem;
	size_t len;
	const char *name;
};

/* 0 when the first certificate of leaf is signed by a CA of authority, directly or over
 * the certificates behind it, and all of them are valid at now. Errors: E_TRUST, the text
 * says which: another CA, another CA of the same name, expired, not yet valid, not a CA,
 * weak; E_FORMAT, -ENOMEM. */
int certificate_check_chain(const struct certificate_text *leaf,
	const struct certificate_text *authority, int64_t now, struct err *err) MUST_USE;

/* 0 when the first certificate of text is a CA's and valid at now; who signed it is not
 * asked. Errors: E_TRUST, E_FORMAT, -ENOMEM. */
int certificate_check_authority(
	const struct certificate_text *text, int64_t now, struct err *err) MUST_USE;

/* 0 when any certificate of text has a public key that one of the pins ("sha256:" and hex
 * digits in either case) names, as kubeadm's --discovery-token-ca-cert-hash. An empty
 * list matches nothing. Errors: E_TRUST with the pin that the CA has, E_FORMAT, -ENOMEM.
 */
int certificate_pin_check(const struct certificate_text *text, const struct strlist *pins,
	struct err *err) MUST_USE;

/* 0 when the first certificate of text is for this key. Errors: E_TRUST, E_FORMAT,
 * -ENOMEM. */
int certificate_key_check(const struct certificate_text *text, const struct key *key,
	struct err *err) MUST_USE;

#endif
