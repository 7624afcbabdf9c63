/* SPDX-License-Identifier: MIT */
/*
 * docker's /etc/docker/daemon.json: our keys merged into what is there. Order, unknown
 * keys and values stay; a text that is not strict JSON (comments, trailing commas, a key
 * twice) is refused, because dockerd refuses it too or reads it otherwise than it looks.
 * Pure; the only user of jansson.
 */
#ifndef PROMENADE_MODEL_DAEMON_JSON_H
#define PROMENADE_MODEL_DAEMON_JSON_H

#include <stdbool.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"

struct daemon_json_wish {
	const char *storage_driver; /* "overlay2", or "overlayfs": the containerd image
				       store */
	bool systemd_cgroup;
};

/* What of a daemon.json matters to checks; "" when absent. */
struct daemon_json_facts {
	char storage_driver[64];
	char data_root[256];
};

/* The merged text. storage-driver is set, items of storage-opts that this driver does not
 * take are removed, exec-opts gets native.cgroupdriver (systemd or cgroupfs), and
 * features.containerd-snapshotter is corrected where it contradicts the driver. When text
 * has all that already ret is the same bytes. changes gets one line per difference. text
 * may be empty or begin with a UTF-8 byte order mark, as dockerd takes it. The original's
 * indentation is kept, one element a line.
 * ret: caller buf_done()s. Errors: E_FORMAT with line and column; -ENOMEM. */
int daemon_json_merge(const struct buf *text, const struct daemon_json_wish *wish,
	struct buf *ret, struct strlist *changes, struct err *err) MUST_USE;

/* Reads the facts. Errors: as daemon_json_merge(). */
int daemon_json_read(
	const struct buf *text, struct daemon_json_facts *ret, struct err *err) MUST_USE;

/* True when the text sets this key of the top level ("storage-opts"). False for a text
 * that does not parse. */
bool daemon_json_has(const struct buf *text, const char *key) MUST_USE;

#endif
