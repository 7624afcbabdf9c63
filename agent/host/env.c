/* SPDX-License-Identifier: MIT */
#include "host/env.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/str.h"

static uint64_t real_now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * 1000U + (uint64_t)now.tv_nsec / 1000000U;
}

static void real_sleep_ms(unsigned int ms)
{
	struct timespec left = {
		.tv_sec = ms / 1000U, .tv_nsec = (long)(ms % 1000U) * 1000000L};

	while (nanosleep(&left, &left) < 0 && errno == EINTR)
		continue;
}

int env_init(struct env *env, struct err *err)
{
	unsigned int seed;

	*env = (struct env){
		.run_fd = -1,
		.target_fd = -1,
		.sys = sys_default(),
		.now_ms = real_now_ms,
		.sleep_ms = real_sleep_ms,
	};
	/* GRND_NONBLOCK: jitter must not wait for the entropy pool (node.md 8.6). */
	if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) != (ssize_t)sizeof(seed))
		seed = (unsigned int)real_now_ms() * 2654435761U;
	env->random_seed = seed;
	env->run_fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (env->run_fd < 0)
		return err_errno(err, errno, "open '/'");
	return 0;
}

int env_set_target(struct env *env, const char *path, struct err *err)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_errno(err, errno, "open the target root '%s'", path);
	if (!str_copy(env->target_path, sizeof(env->target_path), path)) {
		fd_close(&fd);
		return err_errno(err, ENAMETOOLONG, "open the target root '%s'", path);
	}
	fd_close(&env->target_fd);
	env->target_fd = fd;
	return 0;
}

void env_done(struct env *env)
{
	fd_close(&env->run_fd);
	fd_close(&env->target_fd);
}

/* Numerical Recipes' linear congruential generator; the high bits are the good ones. */
unsigned int env_jitter(struct env *env, unsigned int limit)
{
	env->random_seed = env->random_seed * 1664525U + 1013904223U;
	return limit ? (env->random_seed >> 8) % limit : 0;
}
