/* SPDX-License-Identifier: MIT */
/* A bootstrap that is under way: what the files genesis*.c share. */
#ifndef PROMENADE_CLUSTER_GENESIS_PARTS_H
#define PROMENADE_CLUSTER_GENESIS_PARTS_H

#include <jansson.h>

#include "cluster/api.h"
#include "cluster/authorities.h"
#include "cluster/genesis.h"
#include "cluster/manifests.h"
#include "cluster/params.h"
#include "cluster/temporary.h"

/* Programs out of archives; gone when the bootstrap is done. */
#define GENESIS_WORK_DIR "/var/lib/promenade/bootstrap"

/* A client certificate that never leaves memory. */
struct genesis_client {
	struct buf certificate, key; /* PEM; secret */
};

struct genesis {
	const struct genesis_config *config;
	struct genesis_claim claim;
	struct cluster_params params; /* finished */
	struct authorities authorities;
	char pin[80]; /* of the CA */
	struct genesis_client admin, etcd_admin;
	struct temporary *etcd, *api_server;
	struct api *api;
	uint64_t etcd_cluster;
};

/* The shared CAs and keys: those that an earlier attempt left on the target, if they are
 * the role's, else the credential's. Fills pin and the two clients. Errors: those of
 * delivery_get() and kubeadm_certs_read(), E_TRUST (not the CA that the role names). */
int genesis_take_authorities(struct genesis *genesis, struct err *err) MUST_USE;

/* PKI, kubeconfigs and kubelet's configuration onto the target; what is good stays.
 * Errors: those of pki_make() and fs_replace(). */
int genesis_write_files(struct genesis *genesis, struct err *err) MUST_USE;

/* The static pods. Errors: those of manifest_write() and fs_replace(). */
int genesis_write_manifests(struct genesis *genesis, struct err *err) MUST_USE;

/* Starts both servers and waits for them; fills api. Errors: E_ROLE (no program), those
 * of temporary_wait() and image_program_extract(). */
int genesis_start_servers(struct genesis *genesis, struct err *err) MUST_USE;

/* Looks at etcd's members, then stops both servers, checks that their data is free, and
 * makes it durable. Errors: E_VERIFY, those of temporary_stop(). */
int genesis_stop_servers(struct genesis *genesis, struct err *err) MUST_USE;

/* Everything that the cluster shall have, and reads it back. Errors: those of
 * api_apply(); E_VERIFY. */
int genesis_apply_objects(struct genesis *genesis, struct err *err) MUST_USE;

#endif
