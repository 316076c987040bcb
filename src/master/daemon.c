/* SPDX-License-Identifier: MIT */
/*
 * daemon.c - leave the terminal.
 *
 * Called by main.c between two runs of the master, when no child is left.
 */
#include "base/base.h"

#include "master/daemon.h"

#include <fcntl.h>
#include <sys/stat.h>

static int fork_and_leave(struct err *err)
{
	pid_t pid = fork();

	if (pid < 0)
		return err_set_errno(err, -errno, "can't fork to become a daemon");
	if (pid > 0)
		_exit(0);
	return 0;
}

int daemon_detach(bool keeps_stdio, struct err *err)
{
	int error = fork_and_leave(err);

	if (error != 0)
		return error;
	if (setsid() < 0)
		return err_set_errno(err, -errno, "can't start a session");
	error = fork_and_leave(err);
	if (error != 0)
		return error;
	(void)umask(022);

	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null_fd < 0)
		return err_set_errno(err, -errno, "can't open /dev/null");
	/* gunicorn: util.py daemonize(), what is kept is kept unless it is a terminal. */
	for (int fd = 0; fd <= 2; fd++)
		if ((fd == 0 || !keeps_stdio || isatty(fd)) && dup2(null_fd, fd) < 0)
			return err_set_errno(err, -errno, "can't redirect fd %d", fd);
	if (null_fd > 2)
		(void)close(null_fd);
	return 0;
}
