/* SPDX-License-Identifier: MIT */
/* Writing. Keys stand in the order in which sigs.k8s.io/yaml sorts them. */
#include "cluster/kubeconfig.h"

#include <errno.h>
#include <string.h>

#include "cluster/base64.h"
#include "cluster/secret.h"

struct writer {
	struct buf *out;
	int rc;
};

static void put(struct writer *writer, const char *text)
{
	if (writer->rc == 0)
		writer->rc = secret_add_str(writer->out, text);
}

/* Words that YAML 1.1 reads as something else than text; go-yaml quotes them. */
static bool is_word_of_yaml(const char *text)
{
	static const char *const words[] = {"", "~", "null", "Null", "NULL", "true",
		"True", "TRUE", "false", "False", "FALSE", "yes", "Yes", "YES", "no",
		"No", "NO", "on", "On", "ON", "off", "Off", "OFF", "y", "Y", "n", "N",
		".inf", ".nan"};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcmp(words[i], text) == 0)
			return true;
	return false;
}

/* What YAML 1.1 could read as a number or a date. */
static bool is_number_like(const char *text)
{
	if (strspn(text, "+-.") > 0)
		return true;
	if (strspn(text, "0123456789") == 0)
		return false;
	return (text[0] == '0' && text[1] && strchr("xXbBoO", text[1])) ||
	       text[strspn(text, "0123456789.+-_:eETtZz")] == '\0';
}

/* True for text that means itself without quotes. */
static bool is_plain(const char *text)
{
	size_t len = strlen(text);

	return !is_word_of_yaml(text) && !is_number_like(text) &&
	       text[strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				 "0123456789-._~/@:[]%=+")] == '\0' &&
	       !strchr("[]%=@", text[0]) && text[len - 1] != ':';
}

/* A name, path, URL or token. */
static void put_text(struct writer *writer, const char *text)
{
	struct buf quoted CLEANUP(secret_done) = BUF_INIT;

	if (is_plain(text)) {
		put(writer, text);
		return;
	}
	/* JSON's escapes are all escapes of YAML. */
	if (writer->rc == 0)
		writer->rc = buf_add_json(&quoted, text);
	put(writer, "\"");
	put(writer, buf_text(&quoted));
	put(writer, "\"");
}

/* "KEY: VALUE" on a line; key brings its indentation. */
static void put_field(struct writer *writer, const char *key, const char *text)
{
	put(writer, key);
	put(writer, ": ");
	put_text(writer, text);
	put(writer, "\n");
}

static void put_data(
	struct writer *writer, const char *key, const void *bytes, size_t len)
{
	put(writer, key);
	put(writer, ": ");
	if (writer->rc == 0)
		writer->rc = base64_add(writer->out, bytes, len);
	put(writer, "\n");
}

static void put_cluster(
	struct writer *writer, const struct kubeconfig_cluster *cluster, const char *name)
{
	put(writer, "apiVersion: v1\nclusters:\n- cluster:\n");
	if (cluster->ca_len)
		put_data(writer, "    certificate-authority-data", cluster->ca_pem,
			cluster->ca_len);
	put_field(writer, "    server", cluster->server);
	put_field(writer, "  name", name);
}

/* What stands between the contexts and the users. */
static void put_kind(struct writer *writer, const struct kubeconfig_cluster *cluster)
{
	put(writer, "kind: Config\n");
	if (cluster->minor < KUBECONFIG_MINOR_WITHOUT_PREFERENCES)
		put(writer, "preferences: {}\n");
}

/* kubeadm's names: cluster kubernetes, context USER@kubernetes. */
static void put_kubeadm(
	struct writer *writer, const struct kubeconfig_cluster *cluster, const char *user)
{
	struct buf context CLEANUP(buf_done) = BUF_INIT;

	if (buf_printf(&context, "%s@kubernetes", user) < 0)
		writer->rc = -ENOMEM;
	put_cluster(writer, cluster, "kubernetes");
	put(writer, "contexts:\n- context:\n    cluster: kubernetes\n");
	put_field(writer, "    user", user);
	put_field(writer, "  name", buf_text(&context));
	put_field(writer, "current-context", buf_text(&context));
	put_kind(writer, cluster);
	put(writer, "users:\n");
	put_field(writer, "- name", user);
	put(writer, "  user:\n");
}

int kubeconfig_write_user(const struct kubeconfig_cluster *cluster, const char *user,
	const struct buf *certificate_pem, const struct buf *key_pem, struct buf *ret)
{
	struct writer writer = {ret, 0};

	put_kubeadm(&writer, cluster, user);
	put_data(&writer, "    client-certificate-data", certificate_pem->bytes,
		certificate_pem->len);
	put_data(&writer, "    client-key-data", key_pem->bytes, key_pem->len);
	return writer.rc;
}

int kubeconfig_write_bootstrap(
	const struct kubeconfig_cluster *cluster, const char *token, struct buf *ret)
{
	struct writer writer = {ret, 0};

	put_kubeadm(&writer, cluster, "tls-bootstrap-token-user");
	put_field(&writer, "    token", token);
	return writer.rc;
}

int kubeconfig_write_kubelet(const struct kubeconfig_cluster *cluster, struct buf *ret)
{
	struct writer writer = {ret, 0};

	put_cluster(&writer, cluster, "default-cluster");
	put(&writer, "contexts:\n- context:\n    cluster: default-cluster\n"
		     "    namespace: default\n    user: default-auth\n"
		     "  name: default-context\ncurrent-context: default-context\n");
	put_kind(&writer, cluster);
	put(&writer, "users:\n- name: default-auth\n  user:\n");
	put_field(&writer, "    client-certificate", KUBECONFIG_KUBELET_PEM);
	put_field(&writer, "    client-key", KUBECONFIG_KUBELET_PEM);
	return writer.rc;
}

int kubeconfig_write_cluster_info(
	const struct kubeconfig_cluster *cluster, struct buf *ret)
{
	struct writer writer = {ret, 0};

	put_cluster(&writer, cluster, "");
	put(&writer, "contexts: null\ncurrent-context: \"\"\n");
	put_kind(&writer, cluster);
	put(&writer, "users: null\n");
	return writer.rc;
}
