/* SPDX-License-Identifier: MIT */
/*
 * status_file.c - the status document in a file.
 *
 * Called by master.c and upgrade.c. The disk is touched on libuv's thread pool only, but for the last write.
 */
#include "base/base.h"

#include "master/status.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "master/master.h"

struct write_job {
	uv_work_t work;
	struct master *master;
	char *path;
	char *text;
	int error;
};

/* The caller frees; NULL: none is wanted. Two masters must not write one file. */
static char *status_path(const struct master *master)
{
	const char *path = master->settings.status_file;

	return path != NULL ? xasprintf("%s%s", path, upgrade_suffix(master)) : NULL;
}

/* Once per trouble, not once per write: a full disk must not fill the log as well. */
static void complain(struct status *status, const char *path, int error)
{
	if (error != 0 && !status->has_complained)
		log_error("Can't write the status file '%s': %s", path, strerror(-error));
	status->has_complained = error != 0;
}

static void on_pool_thread(uv_work_t *work)
{
	struct write_job *job = work->data;

	job->error = fd_replace_file(job->path, job->text, strlen(job->text), false);
}

static void free_job(struct write_job *job)
{
	free(job->path);
	free(job->text);
	free(job);
}

static void remove_second(const struct master *master)
{
	char *second = xasprintf("%s.2", master->settings.status_file);

	(void)unlink(second);
	free(second);
}

static void on_written(uv_work_t *work, int cancelled)
{
	struct write_job *job = work->data;
	struct master *master = job->master;

	char *path = status_path(master);

	master->status.is_writing = false;
	if (cancelled == 0)
		complain(&master->status, job->path, job->error);
	/* It was begun under the old name. */
	if (path != NULL && strcmp(path, job->path) != 0 && !upgrade_is_second(master))
		remove_second(master);
	free(path);
	free_job(job);
	master_update(master);
}

void status_soon(struct status *status)
{
	uint64_t soon_ms = clock_ms() + STATUS_SOON_MS;

	if (status->next_ms == 0 || status->next_ms > soon_ms)
		status->next_ms = soon_ms;
}

void status_on_time(struct master *master, uint64_t now_ms)
{
	struct status *status = &master->status;
	const struct settings *settings = &master->settings;

	if (settings->status_file == NULL || !master->is_up || master->stop.state == STOP_DONE) {
		status->next_ms = 0;
		return;
	}
	if (status->next_ms != 0 && now_ms < status->next_ms)
		return;
	if (status->is_writing) { /* a slow disk: on_written() comes back here */
		status->next_ms = now_ms + STATUS_SOON_MS;
		return;
	}
	status->next_ms = now_ms + (uint64_t)MAX(settings->status_interval, 1) * 1000;

	struct write_job *job = xcalloc(1, sizeof(*job));

	job->work.data = job;
	job->master = master;
	job->path = status_path(master);
	status_renew(status);
	job->text = xstrdup(status_text(master, (enum status_format)settings->status_format));
	if (uv_queue_work(&master->loop, &job->work, on_pool_thread, on_written) != 0) {
		free_job(job);
		return;
	}
	status->is_writing = true;
}

void status_promote(struct master *master)
{
	if (master->settings.status_file != NULL)
		remove_second(master);
	status_soon(&master->status);
}

void status_write_last(struct master *master)
{
	char *path = status_path(master);
	const char *text;

	if (path == NULL || !master->is_up)
		goto out;
	/* A write that is under way would put an older state over this one. */
	while (master->status.is_writing && uv_run(&master->loop, UV_RUN_ONCE) != 0)
		;
	/* Nobody will look at the file of a second master that has left. */
	if (upgrade_is_second(master)) {
		(void)unlink(path);
		goto out;
	}
	status_renew(&master->status);
	text = status_text(master, (enum status_format)master->settings.status_format);
	complain(&master->status, path, fd_replace_file(path, text, strlen(text), false));
out:
	free(path);
}
