/* SPDX-License-Identifier: MIT */
/* steps/root*, host/mount, host/borrow on real file systems: images on loop devices in a
 * mount namespace of the test's own. The loop device's counter says what was written.
 * Needs root; without it the test says so and is skipped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/proc.h"
#include "host/mount.h"
#include "steps/ops.h"
#include "steps/root.h"
#include "steps/root_parts.h"

#define VOLUMES 4

struct world {
	char dir[64];
	char target[96];
	char outside[96];
	struct env env;
	struct facts facts;
	struct fact_disk disk;
	struct fact_partition parts[VOLUMES];
	struct role role;
	struct step step;
	struct step_context context;
	struct buf log;
};

static char *tool(const char *const *argv)
{
	struct proc_spec spec = {.argv = argv, .timeout_ms = 120000};
	struct proc_result result = {0};
	struct err err = ERR_INIT;

	if (proc_run(sys_real(), &spec, &result, &err) < 0)
		fail_msg("%s", err.text);
	if (result.status != 0)
		fail_msg("%s: status %d: %s", argv[0], result.status,
			buf_text(&result.output));
	return buf_steal(&result.output);
}

#define TOOL(...) free(tool((const char *const[]){__VA_ARGS__, NULL}))

static void image_path(struct world *w, int i, char *path, size_t size)
{
	(void)snprintf(path, size, "%s/image%d", w->dir, i);
}

/* Puts image i on a loop device and into the facts. */
static void attach(struct world *w, int i, const char *type, const char *label)
{
	struct fact_partition *part = &w->parts[i];
	char path[128];
	char *device CLEANUP(str_free) = NULL;

	image_path(w, i, path, sizeof(path));
	device = tool((const char *const[]){"/sbin/losetup", "-f", "--show", path, NULL});
	device[strcspn(device, "\n")] = '\0';
	(void)str_copy(part->path, sizeof(part->path), device);
	(void)str_copy(part->type, sizeof(part->type), type);
	(void)str_copy(part->label, sizeof(part->label), label);
	part->number = (unsigned int)i + 1;
	if (w->disk.partition_count < (size_t)i + 1)
		w->disk.partition_count = (size_t)i + 1;
}

static void detach(struct world *w, int i)
{
	if (w->parts[i].path[0])
		TOOL("/sbin/losetup", "-d", w->parts[i].path);
	w->parts[i].path[0] = '\0';
}

static void make_volume(struct world *w, int i, const char *type, const char *label)
{
	char path[128];
	int fd;

	image_path(w, i, path, sizeof(path));
	fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	/* XFS wants 300 MiB, btrfs 109 MiB; sparse. */
	assert_int_equal(ftruncate(fd, (off_t)(type[0] == 'e' ? 64 : 320) << 20), 0);
	close(fd);
	if (type[0] == 'e')
		TOOL("/sbin/mke2fs", "-q", "-t", type, "-E", "lazy_itable_init=0", path);
	else if (strcmp(type, "xfs") == 0)
		TOOL("/sbin/mkfs.xfs", "-q", path);
	else
		TOOL("/sbin/mkfs.btrfs", "-q", path);
	attach(w, i, type, label);
}

/* Mounts volume i read-write outside the target, to fill it. */
static void open_volume(struct world *w, int i, const char *data)
{
	struct fact_partition *part = &w->parts[i];

	if (mount(part->path, w->outside, part->type, 0, data) < 0)
		fail_msg("mount %s: %s", part->path, strerror(errno));
}

static void put(struct world *w, const char *path, const char *text)
{
	struct fs_content content = {text, strlen(text), 0644};
	struct err err = ERR_INIT;
	int fd CLEANUP(fd_close) = open(w->outside, O_RDONLY | O_DIRECTORY);

	if (fs_replace(sys_real(), fd, path, &content, &err) < 0)
		fail_msg("%s", err.text);
}

static void close_volume(struct world *w)
{
	assert_int_equal(umount2(w->outside, 0), 0);
}

static void fill_root(struct world *w, int i, const char *fstab)
{
	open_volume(w, i, NULL);
	put(w, "etc/os-release", "ID=debian\n");
	put(w, "etc/fstab", fstab);
	put(w, "var/beneath", "hidden when /var is mounted\n");
	close_volume(w);
}

static unsigned long long sectors_written(struct world *w, int i)
{
	unsigned long long sectors = 0;
	char path[96], line[256];

	(void)snprintf(path, sizeof(path), "sys/block/%s/stat",
		strrchr(w->parts[i].path, '/') + 1);
	assert_int_equal(fs_read_line(w->env.run_fd, path, line, sizeof(line)), 0);
	assert_int_equal(sscanf(line, "%*u %*u %*u %*u %*u %*u %llu", &sectors), 1);
	return sectors;
}

static int apply(struct world *w, struct err *err)
{
	return step_root_ops.apply(&w->context, &w->step, err);
}

static void must_apply(struct world *w)
{
	struct err err = ERR_INIT;

	if (apply(w, &err) < 0)
		fail_msg("%s", err.text);
}

static enum step_state check(struct world *w)
{
	struct step_report report = {.state = STEP_DONE};
	struct err err = ERR_INIT;
	enum step_state state;

	assert_int_equal(step_root_ops.check(&w->context, &w->step, &report, &err), 0);
	state = report.state;
	step_report_done(&report);
	return state;
}

static size_t mounts(struct world *w, const char *path)
{
	struct mount_points points = {NULL, 0};
	struct err err = ERR_INIT;
	size_t count;

	assert_int_equal(mount_points_beneath(&w->env, path, &points, &err), 0);
	count = points.count;
	mount_points_done(&points);
	return count;
}

static bool is_writable(struct world *w, const char *suffix)
{
	struct mount_points points = {NULL, 0};
	struct err err = ERR_INIT;
	char path[256];
	bool writable;

	(void)snprintf(path, sizeof(path), "%s%s", w->target, suffix);
	assert_int_equal(mount_points_beneath(&w->env, path, &points, &err), 0);
	assert_true(points.count > 0);
	assert_string_equal(points.items[0].path, path);
	writable = points.items[0].writable;
	mount_points_done(&points);
	return writable;
}

static void keep_line(void *context, enum log_level level, const char *line)
{
	struct world *w = context;

	(void)level;
	assert_int_equal(buf_printf(&w->log, "%s\n", line), 0);
}

static void log_has(struct world *w, const char *part)
{
	if (!strstr(buf_text(&w->log), part))
		fail_msg("no '%s' in the log:\n%s", part, buf_text(&w->log));
}

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct log_sink sink = {.write_line = keep_line, .context = w};
	struct err err = ERR_INIT;

	(void)snprintf(w->dir, sizeof(w->dir), "/tmp/test_root.XXXXXX");
	if (!mkdtemp(w->dir) || env_init(&w->env, &err) < 0)
		return -1;
	(void)snprintf(w->target, sizeof(w->target), "%s/target", w->dir);
	(void)snprintf(w->outside, sizeof(w->outside), "%s/outside", w->dir);
	if (mkdir(w->target, 0755) < 0 || mkdir(w->outside, 0755) < 0)
		return -1;
	(void)str_copy(w->env.target_path, sizeof(w->env.target_path), w->target);
	w->env.initramfs = true;
	w->disk.partitions = w->parts;
	w->facts.disks = &w->disk;
	w->facts.disk_count = 1;
	w->role.os.fsck = true;
	w->step = (struct step){.kind = STEP_KIND_ROOT, .root = &w->parts[0]};
	w->context = (struct step_context){
		.env = &w->env, .facts = &w->facts, .role = &w->role};
	log_reset();
	log_add_sink(&sink);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;
	struct err err = ERR_INIT;
	int tmp CLEANUP(fd_close) = open("/tmp", O_RDONLY | O_DIRECTORY);

	log_reset();
	IGNORE_RESULT(root_unmount(&w->env, &err));
	while (umount2(w->outside, MNT_DETACH) == 0)
		continue;
	for (int i = 0; i < VOLUMES; i++)
		detach(w, i);
	env_done(&w->env);
	IGNORE_RESULT(fs_remove_tree(sys_real(), tmp, w->dir + 5, NULL));
	buf_done(&w->log);
	free(w);
	return 0;
}

/* The path of a prepared machine's second boot: the search, the mount, the hand-over. */
static void no_write_on(struct world *w, const char *type)
{
	unsigned long long before[2];
	struct root_prepared prepared = {.found = false};
	struct err err = ERR_INIT;

	make_volume(w, 0, type, "root");
	make_volume(w, 1, type, "var");
	fill_root(w, 0,
		"LABEL=root / auto defaults 0 1\nLABEL=var /var auto defaults 0 2\n");
	open_volume(w, 0, NULL);
	put(w, "etc/promenade/role.yaml", "kind: Role\n");
	put(w, "etc/promenade/serial", "7\n");
	close_volume(w);
	sync();
	for (int i = 0; i < 2; i++)
		before[i] = sectors_written(w, i);
	if (root_find_prepared(&w->env, &w->facts, &prepared, &err) < 0)
		fail_msg("%s", err.text);
	assert_true(prepared.found);
	assert_string_equal(prepared.device, w->parts[0].path);
	assert_string_equal(buf_text(&prepared.role), "kind: Role\n");
	assert_int_equal(prepared.serial, 7);
	root_prepared_done(&prepared);
	assert_int_equal(mounts(w, "/" ROOT_SEARCH_DIR), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(sectors_written(w, i) - before[i], 0);
	assert_int_equal(check(w), STEP_TODO);
	must_apply(w);
	assert_int_equal(check(w), STEP_DONE);
	assert_int_equal(mounts(w, w->target), 2);
	assert_false(is_writable(w, "") || is_writable(w, "/var"));
	assert_false(fs_exists(w->env.target_fd, "var/beneath"));
	assert_int_equal(root_make_read_only(&w->env, &err), 0);
	assert_int_equal(mounts(w, w->target), 1);
	sync();
	/* XFS clears stale blocks of its log at every mount, a read-only one too, unless
	 * the device itself is read-only (fs/xfs/xfs_log_recover.c xlog_find_tail). */
	for (int i = 0; i < 2 && strcmp(type, "xfs") != 0; i++)
		assert_int_equal(sectors_written(w, i) - before[i], 0);
}

static void test_no_write_ext4(void **state)
{
	no_write_on(*state, "ext4");
}

static void test_no_write_xfs(void **state)
{
	no_write_on(*state, "xfs");
}

static void test_no_write_btrfs(void **state)
{
	no_write_on(*state, "btrfs");
}

static void test_writable_and_back(void **state)
{
	struct world *w = *state;
	struct err err = ERR_INIT;
	struct fs_content content = {"x", 1, 0644};

	for (int i = 0; i < 4; i++)
		make_volume(
			w, i, "ext4", (const char *[]){"root", "var", "usr", "ro"}[i]);
	fill_root(w, 0,
		"LABEL=root / ext4 errors=remount-ro 0 1\nLABEL=var /var ext4 nosuid 0 "
		"2\n"
		"LABEL=usr /usr ext4 defaults 0 2\nLABEL=ro /srv ext4 ro 0 2\n");
	must_apply(w); /* makes the mount points /usr and /srv */
	assert_int_equal(mounts(w, w->target), 4);
	assert_false(is_writable(w, ""));
	assert_int_equal(root_make_writable(&w->env, &err), 0);
	assert_true(w->env.target_writable);
	assert_true(
		is_writable(w, "") && is_writable(w, "/var") && is_writable(w, "/usr"));
	assert_false(is_writable(w, "/srv"));
	assert_int_equal(
		fs_replace(w->env.sys, w->env.target_fd, "/var/x", &content, &err), 0);
	assert_int_equal(root_make_read_only(&w->env, &err), 0);
	assert_false(w->env.target_writable);
	assert_int_equal(mounts(w, w->target), 2); /* / and /usr */
	assert_false(is_writable(w, "") || is_writable(w, "/usr"));
	open_volume(w, 1, NULL);
	assert_int_equal(access(strcat(w->outside, "/x"), F_OK), 0);
	*strrchr(w->outside, '/') = '\0';
}

/* systemd-remount-fs would leave it read-only for good. */
static void test_root_not_in_fstab(void **state)
{
	struct world *w = *state;
	struct err err = ERR_INIT;

	make_volume(w, 0, "ext4", "root");
	fill_root(w, 0, "# empty\n");
	must_apply(w);
	assert_int_equal(root_make_read_only(&w->env, &err), 0);
	assert_true(is_writable(w, ""));
	assert_int_equal(root_unmount(&w->env, &err), 0);
	assert_int_equal(mounts(w, w->target), 0);
	assert_int_equal(w->env.target_fd, -1);
}

static void refuses(struct world *w, const char *fstab, const char *part)
{
	struct err err = ERR_INIT;

	fill_root(w, 0, fstab);
	assert_int_equal(apply(w, &err), -E_ROOT);
	if (!strstr(err.text, part))
		fail_msg("no '%s' in: %s", part, err.text);
	assert_int_equal(mounts(w, w->target), 0);
	assert_int_equal(check(w), STEP_TODO);
}

static void test_fstab_refusals(void **state)
{
	struct world *w = *state;

	make_volume(w, 0, "ext4", "root");
	refuses(w, "\nLABEL=gone /opt ext4 defaults 0 2\n", "fstab line 2: '/opt'");
	refuses(w, "/dev/mapper/vg-var /var ext4 defaults 0 2\n", "LVM or LUKS");
	refuses(w, "PARTLABEL=var /var ext4 defaults 0 2\n", "use UUID=");
	refuses(w, "LABEL=root /var zfs defaults 0 2\n", "not one of ext2-4");
	make_volume(w, 1, "ext4", "twin");
	make_volume(w, 2, "ext4", "twin");
	refuses(w, "LABEL=twin /var ext4 defaults 0 2\n", "both");
	(void)str_copy(w->parts[1].type, sizeof(w->parts[1].type), "LVM2_member");
	refuses(w, "UUID=0-1 /var ext4 defaults 0 2\n", "this machine has LVM");
}

static void test_fstab_skips(void **state)
{
	struct world *w = *state;

	make_volume(w, 0, "ext4", "root");
	make_volume(w, 1, "ext4", "data");
	fill_root(w, 0,
		"LABEL=root / ext4 defaults 0 1\nUUID=1 none swap sw 0 0\n"
		"LABEL=gone /opt ext4 nofail 0 2\nUUID=AB-CD /boot/efi vfat umask=0077 0 "
		"1\n"
		"LABEL=gone /mnt/usb ext4 noauto 0 2\ntmpfs /tmp tmpfs nosuid 0 0\n"
		"nas:/home /home nfs defaults 0 0\nLABEL=gone /d ext4 _netdev 0 2\n"
		"/var/lib/a /srv/a none bind 0 0\n"
		"LABEL=gone /data ext4 defaults 0 2\nLABEL=data /data ext4 defaults 0 "
		"2\n");
	must_apply(w);
	assert_int_equal(mounts(w, w->target), 2); /* of two /data the later */
	log_has(w, "fstab line 3: '/opt' not mounted: no disk has it, ignoring");
	log_has(w, "fstab line 4: '/boot/efi'");
	assert_null(strstr(buf_text(&w->log), "usb"));
}

/* A mount point that is a link stays in the installed OS. */
static void test_mount_point_link(void **state)
{
	struct world *w = *state;
	char path[256];

	make_volume(w, 0, "ext4", "root");
	make_volume(w, 1, "ext4", "data");
	fill_root(w, 0, "LABEL=data /data ext4 defaults 0 2\n");
	open_volume(w, 0, NULL);
	(void)snprintf(path, sizeof(path), "%s/data", w->outside);
	assert_int_equal(symlink("/../../../var", path), 0);
	close_volume(w);
	must_apply(w);
	assert_false(is_writable(w, "/var"));
	assert_int_equal(mounts(w, w->target), 2);
}

static void test_btrfs_subvolume(void **state)
{
	struct world *w = *state;
	struct mount_points points = {NULL, 0};
	char path[256];
	struct err err = ERR_INIT;

	make_volume(w, 0, "btrfs", "root");
	open_volume(w, 0, NULL);
	(void)snprintf(path, sizeof(path), "%s/@rootfs", w->outside);
	TOOL("/bin/btrfs", "subvolume", "create", path);
	put(w, "@rootfs/etc/os-release", "ID=debian\n");
	put(w, "@rootfs/etc/fstab",
		"LABEL=root / btrfs defaults,subvol=@rootfs,noatime 0 0\n");
	put(w, "@rootfs/etc/promenade/role.yaml", "in subvolume\n");
	close_volume(w);
	must_apply(w);
	assert_true(fs_exists(w->env.target_fd, "etc/os-release"));
	assert_int_equal(mount_points_beneath(&w->env, w->target, &points, &err), 0);
	assert_int_equal(points.count, 1);
	assert_true(points.items[0].flags & MS_NOATIME);
	mount_points_done(&points);
	struct root_prepared prepared = {.found = false};

	assert_int_equal(root_unmount(&w->env, &err), 0);
	assert_int_equal(root_find_prepared(&w->env, &w->facts, &prepared, &err), 0);
	assert_string_equal(buf_text(&prepared.role), "in subvolume\n");
	root_prepared_done(&prepared);
}

/* Options that no remount can set are there from the start; bad ones do not stop. */
static void test_root_options(void **state)
{
	struct world *w = *state;
	struct buf text = BUF_INIT;
	struct err err = ERR_INIT;

	make_volume(w, 0, "ext4", "root");
	fill_root(w, 0, "LABEL=root / ext4 data=journal 0 1\n");
	must_apply(w);
	assert_int_equal(
		fs_read(w->env.run_fd, "proc/self/mountinfo", FS_TEXT_MAX, &text, &err),
		0);
	assert_non_null(strstr(buf_text(&text), "data=journal"));
	buf_done(&text);
	assert_int_equal(root_unmount(&w->env, &err), 0);
	fill_root(w, 0, "LABEL=root / ext4 nonsense=1 0 1\n");
	must_apply(w);
	log_has(w, "do not mount");
	assert_int_equal(check(w), STEP_DONE);
}

/* Copies the image of a mounted file system: what a power cut leaves. */
static void cut_power(struct world *w, int i, const char *type, const char *label)
{
	char path[128], copy[140];

	image_path(w, i, path, sizeof(path));
	(void)snprintf(copy, sizeof(copy), "%s.cut", path);
	open_volume(w, i, NULL);
	put(w, "stray", "written before the cut\n");
	sync();
	TOOL("/bin/cp", "--sparse=always", path, copy);
	close_volume(w);
	detach(w, i);
	assert_int_equal(rename(copy, path), 0);
	attach(w, i, type, label);
}

/* The installed OS brings e2fsck: the one of this machine with its libraries. */
static void install_e2fsck(struct world *w)
{
	char *list CLEANUP(str_free) = NULL;
	char *save = NULL;

	open_volume(w, 0, NULL);
	list = tool((const char *const[]){"/usr/bin/ldd", "/sbin/e2fsck", NULL});
	TOOL("/bin/cp", "--parents", "-L", "/sbin/e2fsck", w->outside);
	for (char *line = strtok_r(list, "\n", &save); line;
		line = strtok_r(NULL, "\n", &save)) {
		char *path = strchr(line, '/');

		if (!path)
			continue;
		path[strcspn(path, " ")] = '\0';
		TOOL("/bin/cp", "--parents", "-L", path, w->outside);
	}
	close_volume(w);
}

static void test_fsck(void **state)
{
	struct world *w = *state;

	make_volume(w, 0, "ext4", "root");
	make_volume(w, 1, "ext4", "var");
	fill_root(w, 0,
		"LABEL=root / ext4 errors=remount-ro 0 1\nLABEL=var /var ext4 rw 0 2\n");
	install_e2fsck(w);
	cut_power(w, 0, "ext4", "root");
	cut_power(w, 1, "ext4", "var");
	assert_true(root_needs_check(&w->env, &w->parts[0]));
	assert_true(root_needs_check(&w->env, &w->parts[1]));
	must_apply(w);
	log_has(w, "e2fsck -p '");
	log_has(w, "exit status 0");
	log_has(w, w->parts[1].path);
	assert_false(root_needs_check(&w->env, &w->parts[0]));
	assert_false(root_needs_check(&w->env, &w->parts[1]));
	assert_true(fs_exists(w->env.target_fd, "stray"));
	assert_false(fs_exists(w->env.run_fd, ROOT_KIT_DIR));
	assert_int_equal(mounts(w, w->target), 2);
}

/* Without a checker the kernel's journal replay is all there is, and that is said. */
static void test_fsck_without_tool(void **state)
{
	struct world *w = *state;

	make_volume(w, 0, "ext4", "root");
	fill_root(w, 0, "LABEL=root / ext4 defaults 0 1\n");
	cut_power(w, 0, "ext4", "root");
	must_apply(w);
	log_has(w, "no file-system check");
	assert_true(fs_exists(w->env.target_fd, "stray"));
}

static void test_fsck_off(void **state)
{
	struct world *w = *state;

	make_volume(w, 0, "ext4", "root");
	fill_root(w, 0, "LABEL=root / ext4 defaults 0 1\n");
	cut_power(w, 0, "ext4", "root");
	w->role.os.fsck = false;
	must_apply(w);
	assert_null(strstr(buf_text(&w->log), "fsck"));
}

static void test_fsck_damage(void **state)
{
	struct world *w = *state;
	char path[128];
	struct err err = ERR_INIT;

	make_volume(w, 0, "ext4", "root");
	make_volume(w, 1, "ext4", "var");
	fill_root(w, 0, "LABEL=root / ext4 defaults 0 1\nLABEL=var /var ext4 rw 0 2\n");
	install_e2fsck(w);
	detach(w, 1);
	image_path(w, 1, path, sizeof(path));
	TOOL("/sbin/debugfs", "-w", "-R", "clri <2>", path);
	TOOL("/sbin/debugfs", "-w", "-R", "ssv state 2", path);
	attach(w, 1, "ext4", "var");
	assert_int_equal(apply(w, &err), -E_ROOT);
	if (!strstr(err.text, "cannot mend it (exit status 4"))
		fail_msg("%s", err.text);
	assert_int_equal(mounts(w, w->target), 0);
	assert_false(fs_exists(w->env.run_fd, ROOT_KIT_DIR));
}

/* The search replays no journal, passes over what does not mount, and refuses twins. */
static void test_search(void **state)
{
	struct world *w = *state;
	struct root_prepared prepared = {.found = false};
	struct err err = ERR_INIT;
	unsigned long long before;

	make_volume(w, 0, "ext4", "a");
	make_volume(w, 1, "xfs", "b");
	open_volume(w, 1, NULL);
	put(w, "etc/promenade/role.yaml", "on b\n");
	close_volume(w);
	cut_power(w, 0, "ext4", "a");
	cut_power(w, 1, "xfs", "b");
	make_volume(w, 2, "ext4", "c");
	(void)str_copy(w->parts[2].type, sizeof(w->parts[2].type), "xfs");
	before = sectors_written(w, 0) + sectors_written(w, 1);
	if (root_find_prepared(&w->env, &w->facts, &prepared, &err) < 0)
		fail_msg("%s", err.text);
	assert_string_equal(prepared.device, w->parts[1].path);
	assert_int_equal(prepared.serial, 0);
	root_prepared_done(&prepared);
	assert_int_equal(sectors_written(w, 0) + sectors_written(w, 1), before);
	assert_true(root_needs_check(&w->env, &w->parts[0]));
	open_volume(w, 0, NULL);
	put(w, "etc/promenade/role.yaml", "on a too\n");
	close_volume(w);
	assert_int_equal(
		root_find_prepared(&w->env, &w->facts, &prepared, &err), -E_ROOT);
	assert_non_null(strstr(err.text, w->parts[0].path));
	assert_non_null(strstr(err.text, w->parts[1].path));
}

/* `promenade plan` reaches no disk. */
static void test_refusing_table(void **state)
{
	struct world *w = *state;
	struct err err = ERR_INIT;

	make_volume(w, 0, "ext4", "root");
	fill_root(w, 0, "LABEL=root / ext4 defaults 0 1\n");
	w->env.sys = sys_refusing();
	assert_int_equal(apply(w, &err), -EROFS);
	assert_int_equal(mounts(w, w->target), 0);
	w->env.sys = sys_real();
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_no_write_ext4),
		TEST(test_no_write_xfs),
		TEST(test_no_write_btrfs),
		TEST(test_writable_and_back),
		TEST(test_root_not_in_fstab),
		TEST(test_fstab_refusals),
		TEST(test_fstab_skips),
		TEST(test_mount_point_link),
		TEST(test_btrfs_subvolume),
		TEST(test_root_options),
		TEST(test_fsck),
		TEST(test_fsck_without_tool),
		TEST(test_fsck_off),
		TEST(test_fsck_damage),
		TEST(test_search),
		TEST(test_refusing_table),
	};

	if (geteuid() != 0) {
		print_message("needs root for mount(2)\n[  SKIPPED ] 16 test(s).\n");
		return 0;
	}
	if (unshare(CLONE_NEWNS) < 0 ||
		mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
