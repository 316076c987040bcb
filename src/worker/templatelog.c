/* SPDX-License-Identifier: MIT */
/*
 * templatelog.c - what a template does for the logs.
 *
 * Called by template.c, with the GIL. The master runs no Python: where a Python logger writes the log, its lines come here.
 */
#include "base/base.h"

#include "worker/templatelog.h"

#include "py/py.h"

#include "base/fd.h"
#include "base/log.h"
#include "py/boot.h"
#include "py/module.h"
#include "py/pylog.h"
#include "shared/exits.h"

static void call_write_access(void *context, struct span text)
{
	struct template *self = context;

	if (self->access_log.fd >= 0)
		(void)outlet_write(&self->access_log, text.at, text.len);
}

static void call_send_metric(void *context, const char *text)
{
	metrics_send(&((const struct template *)context)->metrics, text);
}

/* A name that is not found is no reason not to serve; a bad one is a mistake. */
static int open_metrics(struct template *self, struct err *err)
{
	const struct settings *settings = &self->settings;
	struct err why = ERR_NONE;
	struct message message;
	int result = metrics_init(&self->metrics, settings->statsd_host, settings->statsd_prefix, settings->dogstatsd_tags, err);

	if (result != 0 || !self->metrics.is_on)
		return result;
	if (metrics_connect(&self->metrics, &why) != 0) {
		log_warning("%s", why.text);
		return 0;
	}
	message_init(&message, MESSAGE_statsd);
	message.fds[message.fd_count++] = self->metrics.fd;
	(void)template_answer(self, &message);
	return 0;
}

int templatelog_open(struct template *self, char **ret_text)
{
	const struct module_calls calls = {
		.write_access = call_write_access,
		.send_metric = call_send_metric,
		.settings = &self->settings,
		.context = self,
	};
	const struct log_watch watch = { .note = metrics_note_line, .context = &self->metrics };
	struct err err = ERR_NONE;

	*ret_text = NULL;
	module_set_calls(&calls);
	int code = boot_call_template("open_logs", ret_text, "()");
	if (code != TEMPLATE_STAYS)
		return code;
	/* A logger that is made from gunicorn's own class for statsd sends everything itself. */
	bool has_own_metrics = strcmp(*ret_text, "sends metrics") == 0;
	if (!has_own_metrics && open_metrics(self, &err) != 0) {
		free(*ret_text);
		*ret_text = xasprintf("\nError: %s", err.text);
		return EXIT_CONFIG;
	}
	if (self->metrics.is_on)
		log_set_watch(&watch);
	templatelog_update(self);
	return TEMPLATE_STAYS;
}

void templatelog_update(struct template *self)
{
	struct message message;

	pylog_update();
	if (self->has_told_logger == pylog_has_errors())
		return;
	self->has_told_logger = pylog_has_errors();
	message_init(&message, MESSAGE_logger);
	message.logger.is_python = pylog_has_errors() ? 1 : 0;
	message.logger.level = (uint32_t)pylog_level();
	(void)template_answer(self, &message);
}

int templatelog_relay(struct template *self, const struct message_log_line *line)
{
	struct message message;
	enum log_level level = line->level <= LOG_CRITICAL ? (enum log_level)line->level : LOG_ERROR;

	if (!pylog_relay(level, line->text, (long)line->pid, (double)line->wall_ms / 1000.0))
		log_plain(level, span_from_str(line->text));
	message_init(&message, MESSAGE_logged);
	message.logged.serial = line->serial;
	return template_answer(self, &message);
}
