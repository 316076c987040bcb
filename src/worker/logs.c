/* SPDX-License-Identifier: MIT */
/*
 * logs.c - the log files of a template and its workers: error log, access log, captured output.
 *
 * Called by template.c and worker.c. The Python loggers' own files are python/gunwale/applog.py's. Must not write lines.
 */
#include "base/base.h"

#include "worker/logs.h"

#include <fcntl.h>

#include "base/fd.h"
#include "base/log.h"
#include "worker/privs.h"

static bool is_file(const char *path)
{
	return path != NULL && path[0] != '\0' && strcmp(path, "-") != 0;
}

static int open_access(const struct settings *settings, int *ret_fd, struct err *err)
{
	const char *path = settings->accesslog;

	*ret_fd = FD_NONE;
	if (path == NULL || path[0] == '\0')
		return 0;
	if (!is_file(path)) {
		*ret_fd = STDOUT_FILENO;
		return 0;
	}
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
	if (fd < 0)
		return err_set_errno(err, -errno, "Error: '%s' isn't writable", path);
	privs_give_file(fd, settings->user, settings->group);
	*ret_fd = fd;
	return 0;
}

/* gunicorn: glogging.py setup(); what the application prints follows the error log, also after it was reopened. */
static int capture_output(const struct settings *settings, struct err *err)
{
	if (!settings->capture_output || !is_file(settings->errorlog))
		return 0;
	if (dup2(log_fd(), STDOUT_FILENO) < 0 || dup2(log_fd(), STDERR_FILENO) < 0)
		return err_set_errno(err, -errno, "cannot send output to %s", settings->errorlog);
	return 0;
}

int logs_open(const struct settings *settings, int *ret_access_fd, struct err *err)
{
	enum log_level level = LOG_INFO;
	const char *path = is_file(settings->errorlog) ? settings->errorlog : "-";

	*ret_access_fd = FD_NONE;
	if (settings->loglevel == NULL || !log_level_from_name(settings->loglevel, &level))
		level = LOG_INFO; /* gunicorn: an unknown name means info */
	int result = log_open(path, level, err);
	if (result != 0)
		return result;
	if (is_file(path))
		privs_give_file(log_fd(), settings->user, settings->group);
	result = open_access(settings, ret_access_fd, err);
	return result != 0 ? result : capture_output(settings, err);
}

int logs_reopen(const struct settings *settings, int *access_fd, struct err *err)
{
	int fd = FD_NONE;
	int result = log_reopen(err);

	if (result == 0)
		result = capture_output(settings, err);
	int access_result = open_access(settings, &fd, err);
	if (access_result != 0)
		return result != 0 ? result : access_result;
	if (*access_fd > STDERR_FILENO)
		fd_close(access_fd);
	*access_fd = fd;
	return result;
}
