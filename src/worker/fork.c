/* SPDX-License-Identifier: MIT */
/*
 * fork.c - the only fork and exec of the worker program.
 *
 * Called by template.c. Double fork: the intermediate process leaves at once, and the kernel gives its child to the nearest
 * subreaper, the master. Must not know what the grandchild is for.
 */
#include "base/base.h"

#include "worker/fork.h"

#include "py/py.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/fd.h"

enum { REPARENT_LIMIT_MS = 2000 };

/* The kernel moves us to the master when the intermediate process is gone, which may be a moment after we run. */
static void wait_for_parent(pid_t master_pid)
{
	const struct timespec pause = { .tv_nsec = 100 * 1000 };
	uint64_t begin_ms = clock_ms();

	while (getppid() != master_pid && clock_ms() - begin_ms < REPARENT_LIMIT_MS)
		(void)nanosleep(&pause, NULL);
}

/* In the intermediate process: async-signal-safe calls only. Returns in the grandchild, alone. */
static void fork_again(int report_fd)
{
	pid_t pid = fork();

	if (pid == 0)
		return;
	int32_t report = pid > 0 ? (int32_t)pid : -errno;
	ssize_t written = write(report_fd, &report, sizeof(report));
	_exit(written == (ssize_t)sizeof(report) ? 0 : 1);
}

/* The grandchild's pid, or -errno, from the intermediate process, which is reaped. */
static pid_t read_report(int fd, pid_t intermediate)
{
	int32_t report = 0;
	ssize_t len;

	do {
		len = read(fd, &report, sizeof(report));
	} while (len < 0 && errno == EINTR);
	while (waitpid(intermediate, NULL, 0) < 0 && errno == EINTR)
		;
	/* No report: somebody killed the intermediate process, and what it may have forked tells the master by its link. */
	return len == (ssize_t)sizeof(report) ? (pid_t)report : -ECHILD;
}

pid_t fork_grandchild(pid_t master_pid, void (*run)(void *context) ATTR_NORETURN, void *context)
{
	int pipe_fds[2] = { FD_NONE, FD_NONE };
	sigset_t all, old;

	if (pipe2(pipe_fds, O_CLOEXEC) != 0)
		return -errno;
	/* A signal for the worker must wait until the worker's handlers stand. */
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	PyOS_BeforeFork();
	pid_t pid = fork();
	int error = errno;
	if (pid == 0) {
		fork_again(pipe_fds[1]);
		fd_close(&pipe_fds[0]);
		fd_close(&pipe_fds[1]);
		/* Before Python's at-fork functions: the application's may ask for os.getppid(). */
		wait_for_parent(master_pid);
		PyOS_AfterFork_Child();
		run(context);
	}
	PyOS_AfterFork_Parent();
	fd_close(&pipe_fds[1]);
	pid_t result = pid > 0 ? read_report(pipe_fds[0], pid) : (pid_t)-error;
	fd_close(&pipe_fds[0]);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	return result;
}

int fork_none_and_exec(char **argv)
{
	(void)execv(argv[0], argv);
	return -errno;
}
