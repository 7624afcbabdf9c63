/* SPDX-License-Identifier: MIT */
/*
 * What tests/ns and tests/fault put beneath the agent as PID 1, beside sys_fault.c: time
 * that passes faster, so that pauses for a person do not hold a test up.
 *
 *	BOOT_SPEED=N   CLOCK_BOOTTIME, sleeps and polls N times faster (1)
 */
#include <poll.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/compiler.h"

int __real_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now);
int __real_poll(struct pollfd *fds, nfds_t count, int timeout_ms);
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms);
unsigned int __wrap_sleep(unsigned int seconds);

static long speed(void)
{
	const char *text = getenv("BOOT_SPEED");

	return text ? strtol(text, NULL, 10) : 1;
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
	int rc = __real_clock_gettime(clock, now);
	long long ns;

	if (rc < 0 || clock != CLOCK_BOOTTIME)
		return rc;
	ns = (now->tv_sec * 1000000000LL + now->tv_nsec) * speed();
	*now = (struct timespec){.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
	return rc;
}

int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
	int scaled = timeout_ms > 0 ? (int)(timeout_ms / speed()) : timeout_ms;

	/* Never a busy loop: what asked for a wait gets one. */
	return __real_poll(fds, count, timeout_ms > 0 && scaled == 0 ? 1 : scaled);
}

unsigned int __wrap_sleep(unsigned int seconds)
{
	(void)usleep((useconds_t)(seconds * 1000000L / speed()));
	return 0;
}
