/* SPDX-License-Identifier: MIT */
/*
 * /etc/hostname and the line of /etc/hosts that makes the own name resolve without DNS.
 *
 * /etc/machine-id is left alone: kubelet, CNI plugins and DHCP want it unique, PID 1 of
 * the OS makes one where it is empty, missing or "uninitialized", and one made here would
 * only be a second way to get it wrong (node.md 6.3).
 */
#include <errno.h>
#include <string.h>

#include "base/fs.h"
#include "steps/ops.h"

#define HOSTS "/etc/hosts"
/* Debian's address for the own name of a host without a permanent one (Debian reference,
 * 5.1.1); cloud-init and installers write it too. */
#define OWN_ADDRESS "127.0.1.1"

/* One word of a line, not terminated. */
struct word {
	const char *text;
	size_t len;
};

static bool word_is(struct word word, const char *text)
{
	return word.len == strlen(text) && memcmp(word.text, text, word.len) == 0;
}

/* The next word of a hosts file's line, up to its end or comment; len 0 at the end. */
static struct word next_word(const char **cursor)
{
	struct word word;

	*cursor += strspn(*cursor, " \t\r");
	word.text = *cursor;
	word.len = strcspn(*cursor, " \t\r\n#");
	*cursor += word.len;
	return word;
}

static bool line_has_address(const char *line, const char *address)
{
	return word_is(next_word(&line), address);
}

static bool line_has_name(const char *line, const char *name)
{
	struct word word = next_word(&line); /* the address */

	while (word.len) {
		word = next_word(&line);
		if (word.len && word_is(word, name))
			return true;
	}
	return false;
}

static const char *next_line(const char *line)
{
	line += strcspn(line, "\n");
	return *line ? line + 1 : line;
}

/* The full name first, the short one after it where it differs (hosts(5)). */
static int add_own_line(struct buf *out, const char *name)
{
	int label = (int)strcspn(name, ".");

	if (name[label])
		return buf_printf(out, OWN_ADDRESS "\t%s %.*s", name, label, name);
	return buf_printf(out, OWN_ADDRESS "\t%s", name);
}

/* Copies text with the first line of OWN_ADDRESS (its comment stays) given to name, or,
 * when there is none, with a new line at the end. */
static int rewrite(const char *text, const char *name, struct buf *out)
{
	bool written = false;
	int rc = 0;

	for (const char *line = text; *line && rc == 0; line = next_line(line)) {
		const char *rest = line;

		if (!written && line_has_address(line, OWN_ADDRESS)) {
			written = true;
			rc = add_own_line(out, name);
			rest += strcspn(line, "#\n");
			if (rc == 0 && *rest == '#')
				rc = buf_add_str(out, "\t");
		}
		if (rc == 0)
			rc = buf_add(out, rest, (size_t)(next_line(line) - rest));
	}
	if (written || rc < 0)
		return rc;
	if (out->len && out->bytes[out->len - 1] != '\n')
		rc = buf_add_str(out, "\n");
	if (rc == 0)
		rc = add_own_line(out, name);
	return rc == 0 ? buf_add_str(out, "\n") : rc;
}

/* nss-myhostname resolves the own name by itself (nss-myhostname(8)). */
static bool has_myhostname(const struct env *env)
{
	struct buf text CLEANUP(buf_done) = BUF_INIT;

	if (fs_read(env->target_fd, "/etc/nsswitch.conf", FS_TEXT_MAX, &text, NULL) < 0)
		return false;
	for (const char *line = buf_text(&text); *line; line = next_line(line))
		if (str_has_prefix(line, "hosts:") && line_has_name(line, "myhostname"))
			return true;
	return false;
}

/* True when nothing is to be done: the name is there, on whatever address a person chose,
 * or resolves without the file. */
static bool hosts_is_fine(const struct env *env, const char *text, const char *name)
{
	bool has_own = false;

	for (const char *line = text; *line; line = next_line(line)) {
		if (line_has_name(line, name))
			return true;
		has_own = has_own || line_has_address(line, OWN_ADDRESS);
	}
	return !has_own && has_myhostname(env);
}

static int add_hosts(struct step_context *context, struct edits *edits, struct err *err)
{
	struct buf text CLEANUP(buf_done) = BUF_INIT, out CLEANUP(buf_done) = BUF_INIT;
	const char *name = context->role->name;
	int rc = fs_read(context->env->target_fd, HOSTS, FS_TEXT_MAX, &text, err);

	if (rc == -ENOENT)
		rc = buf_add_str(&text, "127.0.0.1\tlocalhost\n"
					"::1\tlocalhost ip6-localhost ip6-loopback\n");
	if (rc < 0)
		return rc;
	if (hosts_is_fine(context->env, buf_text(&text), name))
		return 0;
	rc = rewrite(buf_text(&text), name, &out);
	if (rc == 0)
		rc = edits_add_file(edits, HOSTS, &out, 0644, "the own name resolves");
	return rc < 0 ? err_errno(err, -rc, "edit '" HOSTS "'") : 0;
}

/* cloud-init in the installed OS would put the name of its own metadata back at each boot
 * (its modules set_hostname and update_hostname). */
static int add_cloud_init(struct step_context *context, struct edits *edits)
{
	static const char dir[] = "/etc/cloud/cloud.cfg.d";

	if (!fs_exists(context->env->target_fd, dir))
		return 0;
	return edits_add_text(edits, "/etc/cloud/cloud.cfg.d/95-promenade.cfg",
		"# Written by promenade: the role names this machine.\n"
		"preserve_hostname: true\n"
		"manage_etc_hosts: false\n",
		"cloud-init keeps the name");
}

static int hostname_compute(struct step_context *context, const struct step *step,
	struct edits *ret, struct err *err)
{
	struct buf text CLEANUP(buf_done) = BUF_INIT;
	int rc = buf_printf(&text, "%s\n", context->role->name);

	(void)step;
	if (rc == 0)
		rc = edits_add_file(
			ret, "/etc/hostname", &text, 0644, context->role->name);
	if (rc == 0)
		rc = add_cloud_init(context, ret);
	if (rc < 0)
		return err_errno(err, -rc, "host name '%s'", context->role->name);
	return add_hosts(context, ret, err);
}

const struct step_ops step_hostname_ops = {
	.name = "hostname", .writes_target = true, .compute = hostname_compute};
