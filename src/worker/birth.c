/* SPDX-License-Identifier: MIT */
/*
 * birth.c - from the master's wish for a worker to a forked worker.
 *
 * Called by template.c. Must not fork itself (fork.c does) and must not run the worker's life (worker.c does).
 */
#include "base/base.h"

#include "worker/birth.h"

#include "py/py.h"

#include "base/fd.h"
#include "base/title.h"
#include "py/boot.h"
#include "py/hooks.h"
#include "worker/fork.h"
#include "worker/logs.h"
#include "worker/worker.h"

/* What the forked child needs to find its way. */
struct birth {
	struct template *template;
	struct worker *worker;
};

/* The child: everything of the template that is not the worker's goes. */
static void ATTR_NORETURN run_worker(void *context)
{
	const struct birth *birth = context;

	link_release(&birth->template->link);
	title_set(NULL, "gunwale: worker [%s]", birth->template->name);
	worker_main(birth->worker);
}

static struct worker *new_worker(struct template *self, struct message *message)
{
	struct worker *worker = xcalloc(1, sizeof(*worker));

	worker->settings = &self->settings;
	worker->board = &self->board;
	worker->slot = message->fork_worker.slot;
	worker->serial = message->fork_worker.serial;
	worker->request_limit = message->fork_worker.request_limit;
	worker->generation = self->generation;
	worker->line = board_line(&self->board, worker->slot);
	worker->listen_fds = self->listen_fds;
	worker->listen_count = self->listen_count;
	worker->access_log = logs_have_access(&self->settings) ? &self->access_log : NULL;
	worker->tls = self->tls;
	worker->metrics = &self->metrics;
	worker->wake_fd = worker->wake_write_fd = FD_NONE;
	link_init(&worker->link, message->fd_count > 0 ? message->fds[0] : FD_NONE);
	if (message->fd_count > 0)
		message->fds[0] = FD_NONE;
	worker->proxy = boot_new_worker(worker->serial, worker->request_limit);
	return worker;
}

static void free_worker(struct worker *worker)
{
	link_release(&worker->link);
	Py_XDECREF((PyObject *)worker->proxy);
	free(worker);
}

static int report_fork(struct template *self, const struct worker *worker, pid_t pid)
{
	struct message message;

	if (pid > 0) {
		message_init(&message, MESSAGE_forked);
		message.forked.slot = worker->slot;
		message.forked.serial = worker->serial;
		message.forked.pid = (uint32_t)pid;
		return template_answer(self, &message);
	}
	char *text = xasprintf("fork: %s", strerror(-pid));
	message_init(&message, MESSAGE_fork_failed);
	message.fork_failed.slot = worker->slot;
	message.fork_failed.serial = worker->serial;
	message.fork_failed.error = pid;
	message.fork_failed.text = text;
	int code = template_answer(self, &message);
	free(text);
	return code;
}

int birth_of_worker(struct template *self, struct message *message)
{
	struct worker *worker = new_worker(self, message);
	struct birth birth = { self, worker };
	char *text = NULL;
	pid_t pid = -EINVAL; /* a message without a link or with a slot that is not on the board */

	if (worker->proxy != NULL && worker->line != NULL && link_is_open(&worker->link) && self->has_settings) {
		int code = boot_call_template("pre_fork", &text, "(O)", (PyObject *)worker->proxy);

		if (code != HOOK_DONE)
			template_report_hook(self, HOOK_pre_fork, code, text);
		free(text);
		pid = fork_grandchild(self->master_pid, run_worker, &birth);
	}
	int code = report_fork(self, worker, pid);
	if (pid > 0) {
		text = NULL;
		(void)boot_call_template("note_forked", &text, "(Ol)", (PyObject *)worker->proxy, (long)pid);
		free(text);
	}
	free_worker(worker);
	return code;
}
