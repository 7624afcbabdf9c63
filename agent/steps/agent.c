/* SPDX-License-Identifier: MIT */
/*
 * The agent itself, so that `promenade status` and `promenade check` are there on the
 * node. Its bytes are those that run now; comparing 2.5 MiB at the next boot costs
 * milliseconds.
 */
#include <errno.h>
#include <fcntl.h>

#include "base/fs.h"
#include "steps/ops.h"

#define AGENT_PATH "/usr/local/sbin/promenade"
/* Above the release's limit of 2.5 MiB, so that a build with debug information installs
 * too. */
#define AGENT_BYTES_MAX (64U * 1024U * 1024U)

static int agent_compute(struct step_context *context, const struct step *step,
	struct edits *ret, struct err *err)
{
	struct buf bytes CLEANUP(buf_done) = BUF_INIT;
	int rc;
	/* Not fs_open(): exe is a magic link of the kernel, which that refuses by design.
	 */
	int fd CLEANUP(fd_close) =
		openat(context->env->run_fd, "proc/self/exe", O_RDONLY | O_CLOEXEC);

	(void)step;
	if (fd < 0)
		return err_errno(err, errno, "open the running agent (proc/self/exe)");
	rc = fs_read_fd(fd, "proc/self/exe", AGENT_BYTES_MAX, &bytes, err);
	if (rc < 0)
		return rc;
	if (edits_add_file(ret, AGENT_PATH, &bytes, 0755, "the running agent") < 0)
		return err_errno(err, ENOMEM, "install '" AGENT_PATH "'");
	return 0;
}

const struct step_ops step_agent_ops = {
	.name = "agent",
	.writes_target = true,
	.path = AGENT_PATH,
	.compute = agent_compute,
};
