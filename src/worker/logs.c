/* SPDX-License-Identifier: MIT */
/*
 * logs.c - the log files of a template and its workers: error log, access log, captured output.
 *
 * Called by template.c and worker.c. The Python loggers' own files are python/gunwale/applog.py's. Must not write lines.
 */
#include "base/base.h"

#include "worker/logs.h"

#include "base/log.h"
#include "worker/privs.h"

static bool is_file(const char *path)
{
	return path != NULL && path[0] != '\0' && strcmp(path, "-") != 0;
}

bool logs_have_access(const struct settings *settings)
{
	return settings->accesslog != NULL && settings->accesslog[0] != '\0';
}

static int open_access(const struct settings *settings, struct outlet *access_log, struct err *err)
{
	if (!logs_have_access(settings))
		return 0;
	int result = outlet_open(access_log, settings->accesslog, STDOUT_FILENO, err);
	if (result != 0)
		err_add(err, "Error");
	else if (is_file(settings->accesslog))
		privs_give_file(access_log->fd, settings->user, settings->group);
	return result;
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

int logs_open(const struct settings *settings, struct outlet *access_log, struct err *err)
{
	enum log_level level = LOG_INFO;
	const char *path = is_file(settings->errorlog) ? settings->errorlog : "-";

	if (settings->loglevel == NULL || !log_level_from_name(settings->loglevel, &level))
		level = LOG_INFO; /* gunicorn: an unknown name means info */
	log_set_json(settings->log_format == LOG_FORMAT_JSON);
	int result = log_open(path, level, err);
	if (result != 0)
		return result;
	if (is_file(path))
		privs_give_file(log_fd(), settings->user, settings->group);
	/* Before the access log: "-" then means the captured stdout, as it does in gunicorn. */
	result = capture_output(settings, err);
	return result != 0 ? result : open_access(settings, access_log, err);
}

int logs_reopen(const struct settings *settings, struct outlet *access_log, struct err *err)
{
	int result = log_reopen(err);

	if (result == 0)
		result = capture_output(settings, err);
	int access_result = access_log != NULL && logs_have_access(settings) ? outlet_reopen(access_log, err) : 0;
	return result != 0 ? result : access_result;
}
