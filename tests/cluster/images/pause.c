/* SPDX-License-Identifier: MIT
 *
 * The sandbox's process of a pod: holds its namespaces, reaps what is left to it where a pod shares its
 * process namespace, ends on the first INT or TERM. As PID 1 it has no default signal actions.
 */
#include <signal.h>
#include <stddef.h>
#include <sys/wait.h>
#include <unistd.h>

static void on_stop(int number)
{
	(void)number;
	_exit(0);
}

static void on_child(int number)
{
	(void)number;
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

int main(void)
{
	const struct sigaction stop = {.sa_handler = on_stop};
	const struct sigaction child = {.sa_handler = on_child, .sa_flags = SA_NOCLDSTOP};

	if (sigaction(SIGINT, &stop, NULL) || sigaction(SIGTERM, &stop, NULL) ||
	    sigaction(SIGCHLD, &child, NULL))
		return 1;
	for (;;)
		pause();
}
