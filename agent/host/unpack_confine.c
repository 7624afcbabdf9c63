/* SPDX-License-Identifier: MIT */
#include "host/unpack_confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Ten minutes of one core unpack about 100 GiB; a loop ends here. */
#define CPU_SECONDS 600
#define OPEN_FILES 16
/* Address space in use when /proc is not there to say; a static binary has less. */
#define ADDRESS_SPACE_GUESS (64ULL << 20)

#if defined(__x86_64__)
#define ARCH_NR AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH_NR AUDIT_ARCH_AARCH64
#else
#error "the seccomp filter knows x86_64 and aarch64"
#endif

/* Calls of the x32 ABI have this bit (asm/unistd.h __X32_SYSCALL_BIT). */
#define X32_BIT 0x40000000U

/* What reading the stream, memory, and making files and directories need. */
static const unsigned int allowed_calls[] = {
	__NR_read,
	__NR_write,
	__NR_close,
	__NR_openat2,
	__NR_mkdirat,
	__NR_syncfs,
	__NR_brk,
	__NR_munmap,
	__NR_mremap,
	__NR_madvise,
	__NR_futex,
	__NR_getrandom,
	__NR_clock_gettime,
	__NR_gettimeofday,
	__NR_rt_sigprocmask,
	__NR_rt_sigreturn,
	__NR_getpid,
	__NR_sched_yield,
	__NR_restart_syscall,
	__NR_exit,
	__NR_exit_group,
};

/* Memory may be mapped, but never made executable: args[2] is prot in both. */
static const unsigned int no_exec_calls[] = {__NR_mmap, __NR_mprotect};

#define FILTER_MAX (8 + 2 * ARRAY_LEN(allowed_calls) + 4 * ARRAY_LEN(no_exec_calls))

static void emit(struct sock_filter *code, unsigned short *count, struct sock_filter op)
{
	code[(*count)++] = op;
}

#define STMT(op, k) ((struct sock_filter)BPF_STMT((unsigned short)(op), (k)))
#define JUMP(op, k, yes, no)                                                             \
	((struct sock_filter)BPF_JUMP((unsigned short)(op), (k), (yes), (no)))
#define LOAD(offset) STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned int)(offset))
#define RETURN(action) STMT(BPF_RET | BPF_K, (action))

/* seccomp_data.args[2], its low half: both architectures are little-endian. */
#define ARG_2 (offsetof(struct seccomp_data, args) + 2 * sizeof(uint64_t))

static unsigned short build_filter(struct sock_filter *code)
{
	unsigned short n = 0;

	emit(code, &n, LOAD(offsetof(struct seccomp_data, arch)));
	emit(code, &n, JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH_NR, 1, 0));
	emit(code, &n, RETURN(SECCOMP_RET_KILL_PROCESS));
	emit(code, &n, LOAD(offsetof(struct seccomp_data, nr)));
	emit(code, &n, JUMP(BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 0, 1));
	emit(code, &n, RETURN(SECCOMP_RET_KILL_PROCESS));
	for (size_t i = 0; i < ARRAY_LEN(allowed_calls); i++) {
		emit(code, &n, JUMP(BPF_JMP | BPF_JEQ | BPF_K, allowed_calls[i], 0, 1));
		emit(code, &n, RETURN(SECCOMP_RET_ALLOW));
	}
	for (size_t i = 0; i < ARRAY_LEN(no_exec_calls); i++) {
		/* not this call: over the three that follow */
		emit(code, &n, JUMP(BPF_JMP | BPF_JEQ | BPF_K, no_exec_calls[i], 0, 3));
		emit(code, &n, LOAD(ARG_2));
		emit(code, &n, JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 1, 0));
		emit(code, &n, RETURN(SECCOMP_RET_ALLOW));
	}
	emit(code, &n, RETURN(SECCOMP_RET_KILL_PROCESS));
	return n;
}

static int confine_calls(void)
{
	struct sock_filter code[FILTER_MAX];
	struct sock_fprog program = {.filter = code};

	program.len = build_filter(code);
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

/* Address space that is mapped already: under AddressSanitizer terabytes of shadow. */
static uint64_t address_space(void)
{
	char text[64] = "";
	unsigned long long pages;
	int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;

	if (fd >= 0)
		(void)close(fd); /* read only */
	if (n <= 0 || sscanf(text, "%llu", &pages) != 1)
		return ADDRESS_SPACE_GUESS;
	return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* prlimit64 itself: the libcs disagree about the type of a resource's number. */
static int set_limit(int what, uint64_t value)
{
	const uint64_t limit[2] = {value, value}; /* struct rlimit64: soft, hard */

	return (int)syscall(SYS_prlimit64, 0, what, limit, NULL);
}

static int confine_resources(unsigned int memory_mib, uint64_t file_bytes)
{
	if (set_limit(RLIMIT_AS, address_space() + ((uint64_t)memory_mib << 20)) < 0 ||
		set_limit(RLIMIT_CPU, CPU_SECONDS) < 0 ||
		set_limit(RLIMIT_FSIZE, file_bytes) < 0 ||
		set_limit(RLIMIT_NOFILE, OPEN_FILES) < 0 || set_limit(RLIMIT_CORE, 0) < 0)
		return -1;
	return 0;
}

/* Kernels before 5.9 have no close_range. */
static int close_above(unsigned int first)
{
	struct rlimit limit;

	if (syscall(__NR_close_range, first, ~0U, 0) == 0)
		return 0;
	if (errno != ENOSYS || getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return -1;
	for (unsigned int fd = first; fd < limit.rlim_cur; fd++)
		(void)close((int)fd); /* most are not open */
	return 0;
}

static int confine_fds(int stream_fd, int staging_fd)
{
	/* out of the way of the numbers that are filled below */
	int stream = fcntl(stream_fd, F_DUPFD_CLOEXEC, 10);
	int staging = fcntl(staging_fd, F_DUPFD_CLOEXEC, 10);

	if (stream < 0 || staging < 0 || dup2(stream, UNPACK_FD_STREAM) < 0 ||
		dup2(staging, UNPACK_FD_STAGING) < 0 || dup2(stream, 2) < 0)
		return -1;
	return close_above(3);
}

/* Without the capability for chroot (not root): a user namespace of our own gives it. */
static int confine_root(void)
{
	if (fchdir(UNPACK_FD_STAGING) < 0)
		return -1;
	if (chroot(".") < 0 &&
		(errno != EPERM || unshare(CLONE_NEWUSER) < 0 || chroot(".") < 0))
		return -1;
	return chdir("/");
}

static int confine_capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0, 0, 0}};

	/* the bounding set matters only for exec, which no_new_privs and seccomp bar too
	 */
	for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		(void)prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); /* since 4.3 */
	if (syscall(__NR_capset, &header, none) < 0)
		return -1;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

int unpack_confine(int stream_fd, int staging_fd, unsigned int memory_mib,
	uint64_t file_bytes, struct err *err)
{
	const char *failed = NULL;

	(void)unshare(CLONE_NEWNET); /* not permitted everywhere; see the header */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		failed = "dumpable";
	else if (confine_fds(stream_fd, staging_fd) < 0)
		failed = "file descriptors";
	/* before the chroot: it reads /proc */
	else if (confine_resources(memory_mib, file_bytes) < 0)
		failed = "resource limits";
	else if (confine_root() < 0)
		failed = "chroot";
	else if (confine_capabilities() < 0)
		failed = "capabilities";
	else if (confine_calls() < 0)
		failed = "seccomp (is CONFIG_SECCOMP_FILTER in the kernel?)";
	if (failed)
		return err_set(err, E_UNSUPPORTED,
			"the child that unpacks cannot be confined: %s: %s", failed,
			strerror(errno));
	return 0;
}
