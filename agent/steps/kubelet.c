/* SPDX-License-Identifier: MIT */
/*
 * kubelet's unit and configuration, laid out as kubeadm and its packages do (same paths,
 * same forms), so that kubeadm finds a node of its own making.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "host/probe.h"
#include "steps/kubelet_parts.h"
#include "steps/ops.h"
#include "steps/unit_file.h"

#define DROPIN_DIR "kubelet.service.d"
#define PACKAGE_DROPIN "/usr/lib/systemd/system/" DROPIN_DIR "/10-kubeadm.conf"
#define PACKAGE_BINARY "/usr/bin/kubelet"
#define FLAGS_PATH "/var/lib/kubelet/kubeadm-flags.env"

/* kubernetes/release cmd/krel/templates/latest/kubelet/kubelet.service */
static const char unit_text[] = "[Unit]\n"
				"Description=kubelet: The Kubernetes Node Agent\n"
				"Documentation=https://kubernetes.io/docs/\n"
				"Wants=network-online.target\n"
				"After=network-online.target\n"
				"\n"
				"[Service]\n"
				"ExecStart=%s\n"
				"Restart=always\n"
				"StartLimitInterval=0\n"
				"RestartSec=10\n"
				"\n"
				"[Install]\n"
				"WantedBy=multi-user.target\n";

/* kubernetes/release cmd/krel/templates/latest/kubeadm/10-kubeadm.conf */
static const char dropin_text[] =
	"# Note: This dropin only works with kubeadm and kubelet v1.11+\n"
	"[Service]\n"
	"Environment=\"KUBELET_KUBECONFIG_ARGS="
	"--bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf "
	"--kubeconfig=/etc/kubernetes/kubelet.conf\"\n"
	"Environment=\"KUBELET_CONFIG_ARGS=--config=/var/lib/kubelet/config.yaml\"\n"
	"# This is a file that \"kubeadm init\" and \"kubeadm join\" generates at "
	"runtime, "
	"populating the KUBELET_KUBEADM_ARGS variable dynamically\n"
	"EnvironmentFile=-/var/lib/kubelet/kubeadm-flags.env\n"
	"# This is a file that the user can use for overrides of the kubelet args as a "
	"last "
	"resort. Preferably, the user should use\n"
	"# the .NodeRegistration.KubeletExtraArgs object in the configuration files "
	"instead. "
	"KUBELET_EXTRA_ARGS should be sourced from this file.\n"
	"EnvironmentFile=-%s\n"
	"ExecStart=\n"
	"ExecStart=%s $KUBELET_KUBECONFIG_ARGS $KUBELET_CONFIG_ARGS "
	"$KUBELET_KUBEADM_ARGS "
	"$KUBELET_EXTRA_ARGS\n";

/* What each engine means for kubelet. */
struct engine {
	const char *socket;
	const char *order; /* lines of [Unit] */
};

static const struct engine engines[] = {
	[ROLE_ENGINE_NONE] = {NULL, ""},
	[ROLE_ENGINE_CONTAINERD] = {"unix:///run/containerd/containerd.sock",
		"Wants=containerd.service\nAfter=containerd.service\n"},
	/* dockershim left kubelet in 1.24; cri-dockerd has been the way since. */
	[ROLE_ENGINE_DOCKER] = {"unix:///run/cri-dockerd.sock",
		"Wants=cri-docker.socket\nAfter=docker.service cri-docker.socket\n"},
};

/* The path where the packages of this OS family put KUBELET_EXTRA_ARGS: the person's own
 * file, read by the unit and never written here. */
static const char *extra_args_path(const struct env *env)
{
	if (!fs_exists(env->target_fd, "/etc/debian_version") &&
		fs_exists(env->target_fd, "/etc/sysconfig"))
		return "/etc/sysconfig/kubelet";
	return "/etc/default/kubelet";
}

static bool package_has_unit(const struct env *env)
{
	return fs_exists(env->target_fd, "/usr/lib/systemd/system/kubelet.service") ||
	       fs_exists(env->target_fd, "/lib/systemd/system/kubelet.service");
}

/* kubeadm's drop-in, unless a package brings it for the same binary. */
static int add_kubeadm_dropin(struct unit_set *set, const struct role_kubelet *kubelet)
{
	struct buf text CLEANUP(buf_done) = BUF_INIT;
	const struct env *env = set->env;
	int rc;

	if (fs_exists(env->target_fd, PACKAGE_DROPIN) &&
		strcmp(kubelet->binary, PACKAGE_BINARY) == 0)
		return 0;
	rc = buf_printf(&text, dropin_text, extra_args_path(env), kubelet->binary);
	if (rc == 0)
		rc = edits_add_text(set->edits,
			UNIT_DIR "/" DROPIN_DIR "/10-kubeadm.conf", buf_text(&text),
			"kubeadm's drop-in");
	return rc;
}

/* Without credentials kubelet exits at once, and Restart=always would fill the journal
 * with that for ever; kubeadm join starts it again after it has written them. */
static int add_conditions(struct unit_set *set, enum role_engine engine)
{
	struct buf text CLEANUP(buf_done) = BUF_INIT;
	int rc = buf_printf(&text,
		"# Written by promenade. A node without credentials has nothing to run: "
		"kubelet\n"
		"# would exit and be restarted for ever. Either file is enough (\"|\").\n"
		"[Unit]\n"
		"ConditionPathExists=|/etc/kubernetes/kubelet.conf\n"
		"ConditionPathExists=|/etc/kubernetes/bootstrap-kubelet.conf\n"
		"%s",
		engines[engine].order);

	if (rc == 0)
		rc = edits_add_text(set->edits,
			UNIT_DIR "/" DROPIN_DIR "/20-promenade.conf", buf_text(&text),
			"started once there are credentials, after the engine");
	return rc;
}

static int add_dns(struct buf *text, const struct role_kubelet *kubelet)
{
	int rc = 0;

	if (kubelet->cluster_dns.count)
		rc = buf_add_str(text, "clusterDNS:\n");
	for (size_t i = 0; i < kubelet->cluster_dns.count && rc == 0; i++)
		rc = buf_printf(text, "- %s\n", kubelet->cluster_dns.items[i]);
	if (rc == 0)
		rc = buf_printf(text, "clusterDomain: %s\n",
			kubelet->cluster_domain ? kubelet->cluster_domain
						: "cluster.local");
	return rc;
}

/*
 * KubeletConfiguration with the defaults of kubeadm (cmd/kubeadm/app/componentconfigs/
 * kubelet.go), keys sorted as kubeadm writes them. Only fields that every kubelet
 * since 1.20 knows: an unknown one makes it exit (strict decoding). What came later, the
 * runtime endpoint (1.27) and the taints (1.23), goes as flags, which are in all of them
 * and which is where kubeadm puts them too.
 */
static int add_config(
	struct step_context *context, struct edits *edits, const struct role_node *node)
{
	static const char path[] = "/var/lib/kubelet/config.yaml";
	struct buf text CLEANUP(buf_done) = BUF_INIT;
	int rc = buf_printf(&text,
		"apiVersion: kubelet.config.k8s.io/v1beta1\n"
		"authentication:\n"
		"  anonymous:\n"
		"    enabled: false\n"
		"  webhook:\n"
		"    cacheTTL: 0s\n"
		"    enabled: true\n"
		"  x509:\n"
		"    clientCAFile: /etc/kubernetes/pki/ca.crt\n"
		"authorization:\n"
		"  mode: Webhook\n"
		"  webhook:\n"
		"    cacheAuthorizedTTL: 0s\n"
		"    cacheUnauthorizedTTL: 0s\n"
		"cgroupDriver: %s\n",
		node->systemd_cgroup ? "systemd" : "cgroupfs");

	if (rc == 0)
		rc = add_dns(&text, &node->kubelet);
	if (rc == 0)
		rc = buf_printf(&text,
			"failSwapOn: %s\n"
			"healthzBindAddress: 127.0.0.1\n"
			"healthzPort: 10248\n"
			"kind: KubeletConfiguration\n",
			node->swap == ROLE_SWAP_DISABLED ? "true" : "false");
	/* The stub resolver of systemd-resolved is on the loopback of the host; CoreDNS
	 * would ask itself there. */
	if (rc == 0 &&
		probe_unit_enabled(context->env->target_fd, "systemd-resolved.service"))
		rc = buf_add_str(&text, "resolvConf: /run/systemd/resolve/resolv.conf\n");
	if (rc == 0)
		rc = buf_add_str(&text, "rotateCertificates: true\n"
					"staticPodPath: /etc/kubernetes/manifests\n");
	if (rc == 0)
		rc = edits_add_file(edits, path, &text, 0644, "KubeletConfiguration");
	return rc;
}

static bool map_has(const struct role_map *map, const char *key)
{
	for (size_t i = 0; i < map->count; i++)
		if (strcmp(map->items[i].key, key) == 0)
			return true;
	return false;
}

/* One flag of ours; the role's extraArgs of the same name take its place. */
static int add_flag(struct strlist *flags, const struct role_kubelet *kubelet,
	const char *name, const char *value)
{
	if (!*value || map_has(&kubelet->extra_args, name))
		return 0;
	return strlist_printf(flags, "--%s=%s", name, value);
}

static int join_labels(const struct role_map *labels, struct buf *ret)
{
	int rc = 0;

	for (size_t i = 0; i < labels->count && rc == 0; i++)
		rc = buf_printf(ret, "%s%s=%s", i ? "," : "", labels->items[i].key,
			labels->items[i].value);
	return rc;
}

static int join_taints(const struct strlist *taints, struct buf *ret)
{
	int rc = 0;

	for (size_t i = 0; i < taints->count && rc == 0; i++)
		rc = buf_printf(ret, "%s%s", i ? "," : "", taints->items[i]);
	return rc;
}

/* A value passes through an EnvironmentFile in double quotes and is then split at white
 * space by the unit; what either would take apart is refused, not escaped. */
static int add_extra_args(
	struct strlist *flags, const struct role_map *args, struct err *err)
{
	for (size_t i = 0; i < args->count; i++) {
		const struct role_pair *arg = &args->items[i];

		for (const char *p = arg->value; *p; p++)
			if ((unsigned char)*p <= ' ' || *p == 0x7f ||
				strchr("\"'\\`", *p))
				return err_set(err, E_ROLE,
					"kubelet.extraArgs '%s': white space, quotes, "
					"backslashes and control characters do not "
					"survive "
					"the unit's command line; use a kubelet "
					"configuration drop-in file instead",
					arg->key);
		if (strlist_printf(flags, "--%s=%s", arg->key, arg->value) < 0)
			return err_errno(err, ENOMEM, "kubelet flags");
	}
	return 0;
}

int kubelet_node_ip(const struct step_context *context, char *address, size_t size)
{
	static const char flag[] = "--node-ip=";
	struct buf text CLEANUP(buf_done) = BUF_INIT;
	const char *found;
	int rc;

	(void)str_copy(address, size, context->facts->lease.address);
	if (context->facts->lease.known)
		return 0;
	*address = '\0';
	rc = fs_read(context->env->target_fd, FLAGS_PATH, FS_TEXT_MAX, &text, NULL);
	found = rc == 0 ? strstr(buf_text(&text), flag) : NULL;
	if (found)
		(void)snprintf(address, size, "%.*s",
			(int)strcspn(found + strlen(flag), " \"\n"),
			found + strlen(flag));
	return rc == -ENOENT ? 0 : rc;
}

const char *kubelet_runtime_endpoint(enum role_engine engine)
{
	return engines[engine].socket;
}

/* Sorted, as kubeadm writes them. The node name is given, so that neither a DHCP server
 * nor the OS can make the node's certificate wrong. */
static int collect_flags(
	struct step_context *context, struct strlist *flags, struct err *err)
{
	const struct role_node *node = &context->role->node;
	const struct role_kubelet *kubelet = &node->kubelet;
	const char *socket = kubelet_runtime_endpoint(node->engine);
	struct buf labels CLEANUP(buf_done) = BUF_INIT,
			  taints CLEANUP(buf_done) = BUF_INIT;
	char node_ip[64];
	int rc = kubelet_node_ip(context, node_ip, sizeof(node_ip));

	if (rc < 0)
		return err_errno(err, -rc, "read '" FLAGS_PATH "'");
	rc = join_labels(&kubelet->labels, &labels);

	if (rc == 0)
		rc = join_taints(&kubelet->taints, &taints);
	if (rc == 0)
		rc = add_flag(flags, kubelet, "container-runtime-endpoint",
			socket ? socket : "");
	if (rc == 0)
		rc = add_flag(flags, kubelet, "hostname-override", context->role->name);
	if (rc == 0)
		rc = add_flag(flags, kubelet, "node-ip", node_ip);
	if (rc == 0)
		rc = add_flag(flags, kubelet, "node-labels", buf_text(&labels));
	if (rc == 0)
		rc = add_flag(flags, kubelet, "register-with-taints", buf_text(&taints));
	if (rc < 0)
		return err_errno(err, ENOMEM, "kubelet flags");
	rc = add_extra_args(flags, &kubelet->extra_args, err);
	strlist_sort(flags);
	return rc;
}

static int add_flags(struct step_context *context, struct edits *edits, struct err *err)
{
	struct strlist flags CLEANUP(strlist_done) = STRLIST_INIT;
	struct buf text CLEANUP(buf_done) = BUF_INIT;
	int rc = collect_flags(context, &flags, err);

	if (rc < 0)
		return rc;
	rc = buf_add_str(&text, "KUBELET_KUBEADM_ARGS=\"");
	for (size_t i = 0; i < flags.count && rc == 0; i++)
		rc = buf_printf(&text, "%s%s", i ? " " : "", flags.items[i]);
	if (rc == 0)
		rc = buf_add_str(&text, "\"\n");
	if (rc == 0)
		rc = edits_add_file(edits, FLAGS_PATH, &text, 0644,
			"node address, name, labels, taints, runtime endpoint");
	return rc < 0 ? err_errno(err, ENOMEM, "kubelet flags") : 0;
}

static int add_units(struct step_context *context, struct edits *edits, struct err *err)
{
	const struct role_node *node = &context->role->node;
	char text[sizeof(unit_text) + 4096];
	struct role_unit unit = {.name = (char[]){"kubelet.service"}, .content = text};
	struct unit_set set = {.env = context->env, .edits = edits};
	int rc = 0;

	(void)snprintf(text, sizeof(text), unit_text, node->kubelet.binary);
	if (!package_has_unit(context->env)) {
		set.units = &unit;
		set.unit_count = 1;
		rc = unit_add_file(&set, unit.name, text);
	}
	if (rc == 0)
		rc = add_kubeadm_dropin(&set, &node->kubelet);
	if (rc == 0)
		rc = add_conditions(&set, node->engine);
	if (rc < 0)
		return err_errno(err, -rc, "kubelet's unit");
	return unit_add_enable(&set, unit.name, err);
}

static int kubelet_compute(struct step_context *context, const struct step *step,
	struct edits *ret, struct err *err)
{
	int rc;

	(void)step;
	if (!context->role->node.kubelet.present)
		return 0;
	rc = add_units(context, ret, err);
	if (rc < 0)
		return rc;
	/* A node that joins gets its configuration from the cluster (steps/cluster.c). */
	if (context->role->cluster.action == ROLE_CLUSTER_NONE)
		rc = add_config(context, ret, &context->role->node);
	if (rc == 0)
		rc = edits_add_dir(ret, "/etc/kubernetes/manifests", "static pods");
	if (rc < 0)
		rc = err_errno(err, ENOMEM, "kubelet's configuration");
	return rc < 0 ? rc : add_flags(context, ret, err);
}

const struct step_ops step_kubelet_ops = {
	.name = "kubelet", .writes_target = true, .compute = kubelet_compute};
