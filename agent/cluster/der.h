/* SPDX-License-Identifier: MIT */
/*
 * A writer of DER (X.690): values in the order in which they stand, lengths filled in
 * when a group is closed. It holds its own failure, so that a certificate reads as its
 * ASN.1; der_finish() tells. Pure; the reading side is mbedTLS.
 *
 * mbedTLS's own writer takes names as text, which loses what Go compares byte by byte in
 * an issuer: the string types, and an attribute that comes twice (DC=corp,DC=example).
 */
#ifndef PROMENADE_CLUSTER_DER_H
#define PROMENADE_CLUSTER_DER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/str.h"

/* X.690 8; X.680 8.6 */
#define DER_BOOLEAN 0x01U
#define DER_INTEGER 0x02U
#define DER_BIT_STRING 0x03U
#define DER_OCTET_STRING 0x04U
#define DER_NULL 0x05U
#define DER_OID 0x06U
#define DER_UTF8_STRING 0x0cU
#define DER_SEQUENCE 0x30U
#define DER_SET 0x31U
#define DER_PRINTABLE_STRING 0x13U
#define DER_UTC_TIME 0x17U
#define DER_GENERALIZED_TIME 0x18U
#define DER_CONTEXT 0x80U             /* [n], primitive: add n */
#define DER_CONTEXT_CONSTRUCTED 0xa0U /* [n], constructed: add n */

#define DER_DEPTH_MAX 12U

struct der {
	struct buf out;
	size_t open[DER_DEPTH_MAX]; /* where the contents of each open group begin */
	unsigned int depth;
	bool failed; /* no memory, or groups that do not match */
};

#define DER_INIT                                                                         \
	{                                                                                \
		BUF_INIT, {0}, 0, false                                                  \
	}

/* An object identifier in its encoded form, without tag and length. */
struct der_oid {
	uint8_t len;
	uint8_t bytes[11];
};

/* Opens a group with this tag; everything until der_close() is its contents. */
void der_open(struct der *der, uint8_t tag);

/* As der_open() of a BIT STRING without unused bits: its contents begin with a zero. */
void der_open_bits(struct der *der);

/* Closes the group that was opened last. */
void der_close(struct der *der);

/* A value of len bytes. */
void der_value(struct der *der, uint8_t tag, const void *bytes, size_t len);

/* Bytes that are DER already. */
void der_raw(struct der *der, const void *bytes, size_t len);

/* An object identifier. */
void der_oid(struct der *der, const struct der_oid *oid);

/* A time in seconds since the epoch: UTCTime before 2050, GeneralizedTime from then on
 * (RFC 5280 4.1.2.5). Times outside the years 1970 to 9999 fail. */
void der_time(struct der *der, int64_t time);

/* A name's text: PrintableString where its alphabet suffices, as Go chooses, else
 * UTF8String. */
void der_name_text(struct der *der, const char *text);

/* True when all was written and every group is closed. */
bool der_finish(const struct der *der) MUST_USE;

/* Frees; takes an empty one. */
void der_done(struct der *der);

#endif
