/* SPDX-License-Identifier: MIT */
/* net/clock without a network: the floor, the RTC, and what happens when the kernel says
 * no. The effects table records instead of setting the host's clock; tests/net has the
 * servers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/rtc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fs.h"
#include "net/clock.h"

static struct {
	int error; /* what the calls fail with, 0: succeed */
	struct timespec set;
	unsigned int set_calls;
	unsigned long request;
	struct rtc_time rtc;
} recorded;

static int record_settime(clockid_t clock, const struct timespec *time)
{
	assert_int_equal(clock, CLOCK_REALTIME);
	recorded.set_calls++;
	if (recorded.error) {
		errno = recorded.error;
		return -1;
	}
	recorded.set = *time;
	return 0;
}

static int record_ioctl(int fd, unsigned long request, void *arg)
{
	assert_true(fd >= 0);
	if (recorded.error) {
		errno = recorded.error;
		return -1;
	}
	recorded.request = request;
	memcpy(&recorded.rtc, arg, sizeof(recorded.rtc));
	return 0;
}

struct fixture {
	struct sys_ops sys;
	struct env env;
	char folder[64];
};

static int set_up(void **state)
{
	static struct fixture f;

	memset(&recorded, 0, sizeof(recorded));
	f.sys = *sys_real();
	f.sys.clock_settime = record_settime;
	f.sys.ioctl = record_ioctl;
	assert_int_equal(env_init(&f.env, NULL), 0);
	f.env.sys = &f.sys;
	(void)strcpy(f.folder, "/tmp/promenade-clock-XXXXXX");
	assert_non_null(mkdtemp(f.folder));
	fd_close(&f.env.run_fd);
	f.env.run_fd = open(f.folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(f.env.run_fd >= 0);
	*state = &f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(fs_remove_tree(sys_real(), AT_FDCWD, f->folder, NULL), 0);
	env_done(&f->env);
	return 0;
}

static enum clock_floor_change apply_floor(struct fixture *f, int64_t floor_s)
{
	enum clock_floor_change change = CLOCK_FLOOR_KEPT;

	assert_int_equal(clock_apply_floor(&f->env, floor_s, &change, NULL), 0);
	return change;
}

static void floor_raises_lowers_or_keeps(void **state)
{
	struct fixture *f = *state;
	int64_t now = (int64_t)time(NULL);

	assert_int_equal(apply_floor(f, now - 100), CLOCK_FLOOR_KEPT);
	assert_int_equal(apply_floor(f, now - CLOCK_CREDIBLE_S + 100), CLOCK_FLOOR_KEPT);
	assert_int_equal(recorded.set_calls, 0);
	assert_int_equal(apply_floor(f, now + 100), CLOCK_FLOOR_RAISED);
	assert_int_equal(recorded.set.tv_sec, now + 100);
	assert_int_equal(
		apply_floor(f, now - CLOCK_CREDIBLE_S - 100), CLOCK_FLOOR_LOWERED);
	assert_int_equal(recorded.set.tv_sec, now - CLOCK_CREDIBLE_S - 100);
}

static void floor_that_cannot_be_set(void **state)
{
	struct fixture *f = *state;
	enum clock_floor_change change = CLOCK_FLOOR_KEPT;
	struct err err = ERR_INIT;

	recorded.error = EPERM;
	assert_int_equal(
		clock_apply_floor(&f->env, (int64_t)time(NULL) + 100, &change, &err),
		-EPERM);
	assert_int_equal(change, CLOCK_FLOOR_KEPT);
	assert_non_null(strstr(err.text, "set the system clock"));
}

static void build_floor_is_a_real_date(void **state UNUSED)
{
	assert_true(clock_build_floor() > 1600000000);
	assert_true(clock_build_floor() <= (int64_t)time(NULL) + 86400);
}

static void make_rtc(const struct fixture *f)
{
	int fd;

	assert_int_equal(mkdirat(f->env.run_fd, "dev", 0755), 0);
	fd = openat(f->env.run_fd, "dev/rtc0", O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0);
	assert_int_equal(close(fd), 0);
}

static void rtc_gets_utc(void **state)
{
	struct fixture *f = *state;
	struct tm tm = {0};
	time_t written;

	make_rtc(f);
	assert_int_equal(setenv("TZ", "Pacific/Kiritimati", 1), 0); /* UTC+14 */
	tzset();
	assert_int_equal(clock_write_rtc(&f->env, NULL), 0);
	assert_int_equal(unsetenv("TZ"), 0);
	tzset();
	assert_int_equal(recorded.request, RTC_SET_TIME);
	tm.tm_sec = recorded.rtc.tm_sec;
	tm.tm_min = recorded.rtc.tm_min;
	tm.tm_hour = recorded.rtc.tm_hour;
	tm.tm_mday = recorded.rtc.tm_mday;
	tm.tm_mon = recorded.rtc.tm_mon;
	tm.tm_year = recorded.rtc.tm_year;
	written = timegm(&tm);
	assert_in_range(written, time(NULL) - 5, time(NULL));
}

static void machine_without_an_rtc(void **state)
{
	struct fixture *f = *state;
	struct err err = ERR_INIT;

	assert_int_equal(clock_write_rtc(&f->env, &err), -ENOENT);
	assert_non_null(strstr(err.text, "/dev/rtc0"));
}

static void rtc_that_refuses(void **state)
{
	struct fixture *f = *state;
	struct err err = ERR_INIT;

	make_rtc(f);
	recorded.error = EINVAL;
	assert_int_equal(clock_write_rtc(&f->env, &err), -EINVAL);
	assert_non_null(strstr(err.text, "write the time into the RTC"));
}

static void no_server_is_configured(void **state)
{
	struct fixture *f = *state;
	struct strlist none = STRLIST_INIT;
	struct clock_result result;
	struct err err = ERR_INIT;

	assert_int_equal(clock_sync(&f->env, &none, 0, &result, &err), -E_NET);
	assert_non_null(strstr(err.text, "none is configured"));
	assert_non_null(strstr(err.text, "promenade.ntp="));
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_FIXTURE(floor_raises_lowers_or_keeps),
		WITH_FIXTURE(floor_that_cannot_be_set),
		cmocka_unit_test(build_floor_is_a_real_date),
		WITH_FIXTURE(rtc_gets_utc),
		WITH_FIXTURE(machine_without_an_rtc),
		WITH_FIXTURE(rtc_that_refuses),
		WITH_FIXTURE(no_server_is_configured),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
