/* SPDX-License-Identifier: MIT */
/*
 * template.c - the process that holds the interpreter, warm, and forks workers from it.
 *
 * Runs after main.c started Python: one loop over the master's messages, each a short step. Must not decide anything about
 * workers: when to fork how many is the master's business.
 */
#include "base/base.h"

#include "worker/template.h"

#include "py/py.h"

#include "base/fd.h"
#include "base/log.h"
#include "base/title.h"
#include "py/boot.h"
#include "py/hooks.h"
#include "py/pyerr.h"
#include "shared/exits.h"
#include "shared/worker_class.h"
#include "worker/birth.h"
#include "worker/logs.h"
#include "worker/templatelog.h"
#include "worker/tls.h"

enum purpose { PURPOSE_SERVE, PURPOSE_CHECK }; /* of the message `go` */

int template_init(struct template *self, int link_fd, int board_fd)
{
	memset(self, 0, sizeof(*self));
	self->access_log = (struct outlet)OUTLET_CLOSED;
	self->metrics.fd = FD_NONE;
	self->master_pid = getppid();
	link_init(&self->link, link_fd);
	return board_attach(&self->board, board_fd);
}

int template_answer(struct template *self, const struct message *message)
{
	int result = link_send(&self->link, message);

	if (result != 0 && result != -EPIPE)
		log_error("Cannot send '%s' to the master: %s", message_name(message->id), strerror(-result));
	return result == 0 ? TEMPLATE_STAYS : EXIT_CONFIG;
}

void template_fail(struct template *self, int exit_code, const char *text)
{
	struct message message;
	/* A traceback of the deepest recursion must not be too long for the link. */
	size_t len = MIN(strlen(text), (size_t)MESSAGE_TEXT_MAX - 1);
	char *cut = xstrndup(text, len);

	message_init(&message, MESSAGE_failed);
	message.failed.exit_code = (uint32_t)exit_code;
	message.failed.text = cut;
	(void)template_answer(self, &message);
	free(cut);
}

static int configure(struct template *self, const struct message *message)
{
	struct message reply;
	char *text = NULL;
	int code = boot_call_template("configure", &text, "(s)", message->configure.launch);

	/* sys.exit(0) in the configuration file ends gunicorn as well, with 0. */
	if (code != TEMPLATE_STAYS) {
		template_fail(self, code, text);
		free(text);
		return code;
	}
	message_init(&reply, MESSAGE_configured);
	reply.configured.values = text;
	code = template_answer(self, &reply);
	if (code != TEMPLATE_STAYS)
		template_fail(self, EXIT_CONFIG, "\nError: the configuration file's values are too long");
	free(text);
	return code;
}

static void close_listeners(struct template *self)
{
	for (size_t i = 0; i < self->listen_count; i++)
		fd_close(&self->listen_fds[i]);
	free(self->listen_fds);
	self->listen_fds = NULL;
	self->listen_count = 0;
}

static void take_listeners(struct template *self, struct message *message)
{
	close_listeners(self);
	self->listen_count = message->fd_count;
	self->listen_fds = xcalloc(message->fd_count + 1, sizeof(*self->listen_fds));
	for (size_t i = 0; i < message->fd_count; i++) {
		self->listen_fds[i] = message->fds[i];
		message->fds[i] = FD_NONE;
	}
}

static bool is_set(const char *text)
{
	return text != NULL && text[0] != '\0';
}

static int take_settings(struct template *self, const struct message_go *go, struct err *err)
{
	int result = settings_init(&self->settings, false, err);

	if (result != 0)
		return result;
	self->has_settings = true;
	self->generation = go->generation;
	result = settings_from_json(&self->settings, go->settings, SOURCE_FILE, err);
	free(self->name);
	self->name = xstrdup(is_set(self->settings.proc_name) ? self->settings.proc_name : go->app);
	return result;
}

/* A comma-separated list of the listening fds, for the Python side. */
static char *list_listeners(const struct template *self)
{
	struct buf text = BUF_NONE;

	for (size_t i = 0; i < self->listen_count; i++)
		buf_addf(&text, "%s%d", i > 0 ? "," : "", self->listen_fds[i]);
	return buf_detach(&text);
}

/*
 * Here the key can be read, and paths count from the right directory. A check often runs where the files are not: gunicorn does
 * not look for them then.
 */
static int prepare_tls(struct template *self, bool is_check, char **ret_text)
{
	struct err err = ERR_NONE;

	tls_context_free(self->tls);
	self->tls = NULL;
	if (!tls_is_wanted(&self->settings))
		return TEMPLATE_STAYS;
	self->tls = tls_context_new(&self->settings, &err);
	if (self->tls != NULL)
		return TEMPLATE_STAYS;
	if (is_check) {
		(void)fprintf(stderr, "Warning: %s\n", err.text);
		return TEMPLATE_STAYS;
	}
	free(*ret_text);
	*ret_text = xasprintf("\nError: %s", err.text);
	return EXIT_CONFIG;
}

/* Environment, directory, sys.path and loggers; then the log files, whose paths count from that directory. */
static int prepare(struct template *self, const struct message_go *go, char **ret_text)
{
	struct err err = ERR_NONE;
	char *listeners = list_listeners(self);
	int code = boot_call_template("prepare", ret_text, "(ssis)", go->settings, go->app, (int)go->purpose, listeners);

	free(listeners);
	if (code == TEMPLATE_STAYS)
		code = prepare_tls(self, go->purpose == PURPOSE_CHECK, ret_text);
	if (code != TEMPLATE_STAYS || go->purpose == PURPOSE_CHECK)
		return code;
	if (logs_open(&self->settings, &self->access_log, &err) != 0) {
		free(*ret_text);
		*ret_text = xasprintf("\nError: %s", err.text);
		return EXIT_CONFIG;
	}
	title_set(NULL, "gunwale: template [%s]", self->name);
	free(*ret_text);
	return templatelog_open(self, ret_text);
}

static int go(struct template *self, struct message *message)
{
	struct message reply;
	struct err err = ERR_NONE;
	char *text = NULL;
	int code = EXIT_CONFIG;

	take_listeners(self, message);
	if (take_settings(self, &message->go, &err) != 0) {
		text = xasprintf("\nError: %s", err.text);
		goto out;
	}
	code = prepare(self, &message->go, &text);
	if (code == TEMPLATE_STAYS && strcmp(worker_class_loop(&self->settings), "gevent") == 0) {
		free(text);
		text = NULL;
		code = boot_call_template("prepare_gevent", &text, "(i)", (int)message->go.purpose);
	}
	if (code != TEMPLATE_STAYS)
		goto out;
	free(text);
	text = NULL;
	code = boot_call_template("load", &text, "(i)", (int)message->go.purpose);
	if (code == TEMPLATE_STAYS && message->go.purpose != PURPOSE_CHECK)
		templatelog_update(self);
out:
	if (code != TEMPLATE_STAYS) {
		template_fail(self, code, text);
	} else {
		message_init(&reply, MESSAGE_loaded);
		code = template_answer(self, &reply);
	}
	free(text);
	return code;
}

void template_report_hook(struct template *self, uint32_t hook, int code, char *text)
{
	struct message message;

	message_init(&message, MESSAGE_hook_failed);
	message.hook_failed.hook = hook;
	message.hook_failed.exit_code = code == HOOK_RAISED ? -1 : code;
	message.hook_failed.text = text;
	if (strlen(text) >= MESSAGE_TEXT_MAX)
		text[MESSAGE_TEXT_MAX - 1] = '\0';
	(void)template_answer(self, &message);
}

static int tell_of_threads(struct template *self)
{
	struct message message;
	char *text = NULL;
	int code = TEMPLATE_STAYS;

	if (boot_call_template("list_hook_threads", &text, "()") == TEMPLATE_STAYS && text != NULL && text[0] != '\0') {
		message_init(&message, MESSAGE_has_threads);
		code = template_answer(self, &message);
	}
	free(text);
	return code;
}

static int run_hook(struct template *self, const struct message *order)
{
	uint32_t hook = order->run_hook.hook;

	if (!hook_is_of_template(hook)) {
		log_error("The master asked for a hook that is not the template's: %u", (unsigned)hook);
		return TEMPLATE_STAYS;
	}
	char *text = NULL;
	int result = hook_run(hook, order->run_hook.arguments, &text);
	int code = TEMPLATE_STAYS;
	if (result != HOOK_DONE) {
		template_report_hook(self, hook, result, text);
	} else if (hook == HOOK_pre_exec) {
		struct message message;

		message_init(&message, MESSAGE_pre_exec_done);
		code = template_answer(self, &message);
	} else if (hook == HOOK_on_starting || hook == HOOK_when_ready) {
		code = tell_of_threads(self);
	}
	free(text);
	return code;
}

static int reopen_logs(struct template *self)
{
	struct err err = ERR_NONE;
	char *text = NULL;

	if (!self->has_settings)
		return TEMPLATE_STAYS;
	if (logs_reopen(&self->settings, &self->access_log, &err) != 0)
		log_error("Log files were not opened again: %s", err.text);
	if (boot_call_template("reopen_logs", &text, "()") != TEMPLATE_STAYS)
		log_error("Log files were not opened again: %s", text);
	free(text);
	templatelog_update(self);
	return TEMPLATE_STAYS;
}

static int dismiss(void)
{
	char *text = NULL;

	(void)boot_call_template("leave", &text, "()");
	free(text);
	return EXIT_OK;
}

static int step(struct template *self, struct message *message)
{
	switch (message->id) {
	case MESSAGE_configure:
		return configure(self, message);
	case MESSAGE_go:
		return go(self, message);
	case MESSAGE_fork_worker:
		return birth_of_worker(self, message);
	case MESSAGE_run_hook:
		return run_hook(self, message);
	case MESSAGE_reopen_logs:
		return reopen_logs(self);
	case MESSAGE_log_line:
		return templatelog_relay(self, &message->log_line);
	case MESSAGE_stop_listening:
		close_listeners(self);
		return TEMPLATE_STAYS;
	case MESSAGE_dismiss:
		return dismiss();
	default:
		log_error("Unexpected message '%s' from the master", message_name(message->id));
		return TEMPLATE_STAYS;
	}
}

int template_run(struct template *self)
{
	struct message message;
	int code = TEMPLATE_STAYS, result;

	title_set(NULL, "gunwale: template");
	while (code == TEMPLATE_STAYS) {
		/* Threads that a preloaded application started go on meanwhile. */
		PyThreadState *state = PyEval_SaveThread();
		result = link_receive(&self->link, TO_TEMPLATE, &message);
		PyEval_RestoreThread(state);
		/* An application may have its own handlers here; ours do nothing. */
		if (PyErr_CheckSignals() != 0)
			pyerr_log(LOG_ERROR, "A signal handler of the application failed");
		if (result == -EINTR || result == -EAGAIN)
			continue;
		if (result == 0)
			return EXIT_OK; /* the master is gone */
		if (result < 0) {
			log_error("Broken link to the master: %s", strerror(-result));
			return EXIT_CONFIG;
		}
		code = step(self, &message);
		message_release(&message);
	}
	return code;
}
