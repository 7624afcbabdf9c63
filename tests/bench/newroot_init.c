/* SPDX-License-Identifier: MIT */
/*
 * The init of the new root in the boot benchmark: finds in the kernel's log when /init of
 * the initramfs was started and when this program was, both by the kernel's own clock,
 * and says the difference on the console:
 *
 *   bench: at MICROSECONDS TEXT      a line of the agent or the kernel, for the profile
 *   bench: switched MICROSECONDS
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <unistd.h>

#define OWN_LINE "bench: the new root's init runs"

/* Where the console's reader sees it; the log level of the kernel does not matter. */
static FILE *console;

/* One record of /dev/kmsg: "LEVEL,SEQUENCE,MICROSECONDS,FLAGS;TEXT\n"
 * (Documentation/ABI/testing/dev-kmsg). True when it was our own, the last. */
static int take(char *record, long long *started)
{
	char *text = strchr(record, ';');
	const char *field = strchr(record, ',');
	long long at;

	if (!text || !field)
		return 0;
	*text++ = '\0';
	text[strcspn(text, "\n")] = '\0';
	field = strchr(field + 1, ',');
	at = field ? strtoll(field + 1, NULL, 10) : 0;
	if (strstr(text, "Run /init as init process"))
		*started = at;
	else if (*started >= 0 && strcmp(text, OWN_LINE) != 0)
		fprintf(console, "bench: at %lld %s\n", at - *started, text);
	if (strcmp(text, OWN_LINE) != 0)
		return 0;
	fprintf(console, "bench: switched %lld\n", at - *started);
	return 1;
}

int main(void)
{
	static char record[16384];
	long long started = -1;
	int log = open("/dev/kmsg", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	ssize_t n;

	/* Without a newline the record could go on and is not shown to readers. */
	if (log < 0 || write(log, OWN_LINE "\n", strlen(OWN_LINE "\n")) < 0)
		return 1;
	sync();
	console = fopen("/dev/console", "w");
	if (!console)
		return 1;
	while ((n = read(log, record, sizeof(record) - 1)) > 0) {
		record[n] = '\0';
		if (take(record, &started))
			break;
	}
	fclose(console);
	reboot(RB_POWER_OFF);
	return 1;
}
