/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "cluster/api_status.h"
#include "cluster/base64.h"
#include "cluster/etcd.h"
#include "cluster/etcd_json.h"
#include "cluster/etcd_parts.h"
#include "cluster/secret.h"

/* Bytes as the gateway takes them; NULL: out of memory. */
static json_t *bytes_of(const void *bytes, size_t len)
{
	struct buf text CLEANUP(secret_done) = BUF_INIT;

	return base64_add(&text, bytes, len) == 0 ? json_string(buf_text(&text)) : NULL;
}

/* One key of a range's answer, its value appended to ret. */
static int read_value(
	const json_t *range, const char *key, struct buf *ret, struct err *err)
{
	const json_t *kv = json_array_get(json_object_get(range, "kvs"), 0);

	if (!kv)
		return err_set(err, E_NOT_FOUND, "no key '%.100s'", key);
	if (!etcd_json_bytes(kv, "value", ret))
		return err_set(err, E_FORMAT,
			"the answer's value does not parse; is this an etcd?");
	return 0;
}

int etcd_get(struct etcd *etcd, const char *key, struct buf *ret, struct err *err)
{
	json_t *answer CLEANUP(api_json_free) = NULL;
	int rc = etcd_post(etcd, NULL, "/v3/kv/range",
		json_pack("{s:o}", "key", bytes_of(key, strlen(key))), &answer, err);

	if (rc == 0)
		rc = read_value(answer, key, ret, err);
	return rc < 0 ? err_wrap(err, "read from etcd") : 0;
}

/* The first key after all that begin with prefix: its last byte that is not 0xff plus one
 * (clientv3 op.go getPrefix); "\0" is "to the end". */
static json_t *range_end(const char *prefix)
{
	struct buf end CLEANUP(buf_done) = BUF_INIT;
	size_t len = strlen(prefix);

	while (len && (unsigned char)prefix[len - 1] == 0xff)
		len--;
	if (len == 0)
		return bytes_of("", 1);
	if (buf_add(&end, prefix, len) < 0)
		return NULL;
	end.bytes[len - 1]++;
	return bytes_of(end.bytes, end.len);
}

int etcd_count(struct etcd *etcd, const char *prefix, uint64_t *ret, struct err *err)
{
	json_t *answer CLEANUP(api_json_free) = NULL;
	/* from the first key on, which is not the empty one */
	size_t len = prefix[0] ? strlen(prefix) : 1;
	int rc = etcd_post(etcd, NULL, "/v3/kv/range",
		json_pack("{s:o,s:o,s:b}", "key", bytes_of(prefix, len), "range_end",
			range_end(prefix), "count_only", 1),
		&answer, err);

	if (rc == 0 && !etcd_json_u64(answer, "count", ret))
		rc = err_set(err, E_FORMAT, "the answer has no count");
	return rc < 0 ? err_wrap(err, "count etcd's keys") : 0;
}

int etcd_put(struct etcd *etcd, const char *key, const void *value, size_t len,
	struct err *err)
{
	int rc = etcd_post(etcd, NULL, "/v3/kv/put",
		json_pack("{s:o,s:o}", "key", bytes_of(key, strlen(key)), "value",
			bytes_of(value, len)),
		NULL, err);

	return rc < 0 ? err_wrap(err, "write '%.100s' to etcd", key) : 0;
}

/* "If nobody has created it: put; either way read it." The read sees the put. */
static json_t *create_body(const char *key, const char *value)
{
	json_t *name CLEANUP(api_json_free) = bytes_of(key, strlen(key));
	json_t *read CLEANUP(api_json_free) =
		json_pack("{s:{s:O}}", "request_range", "key", name);

	return json_pack("{s:[{s:s,s:O,s:s,s:s}],s:[{s:{s:O,s:o}},O],s:[O]}", "compare",
		"target", "CREATE", "key", name, "create_revision", "0", "result",
		"EQUAL", "success", "request_put", "key", name, "value",
		bytes_of(value, strlen(value)), read, "failure", read);
}

int etcd_create(struct etcd *etcd, const char *key, const char *value,
	struct buf *ret_value, struct err *err)
{
	json_t *answer CLEANUP(api_json_free) = NULL;
	const json_t *responses, *last;
	int rc = etcd_post(
		etcd, NULL, "/v3/kv/txn", create_body(key, value), &answer, err);

	if (rc == 0) {
		responses = json_object_get(answer, "responses");
		last = json_array_get(responses, json_array_size(responses) - 1);
		rc = read_value(
			json_object_get(last, "response_range"), key, ret_value, err);
	}
	return rc < 0 ? err_wrap(err, "create '%.100s' in etcd", key) : 0;
}
