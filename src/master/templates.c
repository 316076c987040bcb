/* SPDX-License-Identifier: MIT */
/*
 * templates.c - the template processes: started, spoken to, dismissed.
 *
 * Called by generation.c, workers.c and master.c. Decisions are template.c's and generation.c's; this carries them out.
 */
#include "base/base.h"

#include "master/templates.h"

#include <signal.h>
#include <sys/socket.h>

#include <jansson.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "master/generation.h"
#include "master/hooks.h"
#include "master/master.h"
#include "master/rollover.h"
#include "master/workers.h"

enum { DISMISSED_MS = 10000 }; /* for the last hooks of a template */

static void free_template(struct template *template)
{
	peer_close(&template->peer);
	list_remove(&template->link);
	listeners_release(&template->listeners, upgrade_owns_sockets(template->master));
	settings_release(&template->settings);
	fd_close(&template->statsd_fd);
	template_moves_free(template->moves);
	free(template->values_json);
	free(template);
}

static void perform(struct template *template, enum template_action action);

static void step(struct template *template, enum template_event event)
{
	perform(template, template_step(template->moves, event, DISMISSED_MS, clock_ms()));
}

/* A message that the table does not allow now is the peer's fault: the link ends. */
static bool try_step(struct template *template, enum template_event event)
{
	if (!template_allows(template->moves, event)) {
		log_warning("Template (pid:%ld) sent a message out of turn", (long)template->pid);
		(void)spawn_signal(template->pid, SIGKILL);
		return false;
	}
	step(template, event);
	return true;
}

/* A candidate's is used when its generation takes over. */
static void take_statsd(struct template *template, struct message *message)
{
	struct master *master = template->master;

	if (message->fd_count == 0)
		return;
	fd_close(&template->statsd_fd);
	template->statsd_fd = message->fds[0];
	message->fds[0] = FD_NONE;
	if (master->pool.generation == 0 || master->pool.generation == template->generation)
		statsd_use(master, template);
}

static void on_message(void *owner, struct message *message)
{
	struct template *template = owner;

	switch (message->id) {
	case MESSAGE_configured:
		free(template->values_json);
		template->values_json = xstrdup(message->configured.values);
		(void)try_step(template, TEMPLATE_EVENT_CONFIGURED);
		break;
	case MESSAGE_failed:
		/* No news once it was dismissed. */
		if (!template->has_failed && try_step(template, TEMPLATE_EVENT_FAILED) && template->has_failed)
			rollover_on_failed(template, (int)message->failed.exit_code, message->failed.text);
		break;
	case MESSAGE_loaded:
		if (!template->has_logger_answer) {
			template->has_logger_answer = true;
			logrelay_update(template->master);
		}
		(void)try_step(template, TEMPLATE_EVENT_LOADED);
		break;
	case MESSAGE_logger:
		template->has_logger_answer = true;
		template->has_logger = message->logger.is_python != 0;
		template->logger_level = (enum log_level)MIN(message->logger.level, (uint32_t)LOG_CRITICAL);
		logrelay_update(template->master);
		break;
	case MESSAGE_logged:
		logrelay_done(template->master, template, message->logged.serial);
		break;
	case MESSAGE_statsd:
		take_statsd(template, message);
		break;
	case MESSAGE_forked:
		workers_on_forked(template->master, message->forked.slot, message->forked.serial, (pid_t)message->forked.pid);
		break;
	case MESSAGE_fork_failed:
		log_error("Can't fork a worker: %s", message->fork_failed.text);
		workers_on_fork_failed(template->master, message->fork_failed.slot, message->fork_failed.serial);
		break;
	case MESSAGE_hook_failed:
		hooks_on_failed(template->master, message->hook_failed.hook, message->hook_failed.exit_code,
		                message->hook_failed.text);
		if (message->hook_failed.hook == HOOK_pre_exec)
			upgrade_on_hook(template, false);
		break;
	case MESSAGE_has_threads:
		template->has_threads = true;
		break;
	case MESSAGE_pre_exec_done:
		upgrade_on_hook(template, true);
		break;
	default:
		break;
	}
	master_update(template->master);
}

/* Its end as a process says the rest. One that closed its link but lives on is of no use to anybody. */
static void on_end(void *owner, int error)
{
	struct template *template = owner;

	if (error < 0)
		log_warning("Link to template (pid:%ld) failed: %s", (long)template->pid, strerror(-error));
	peer_close(&template->peer);
	if (template_state(template->moves) != TEMPLATE_RETIRING)
		(void)spawn_signal(template->pid, SIGKILL);
}

/* JSON has nothing but UTF-8. Other arguments are refused with a sentence once the settings are built from them. */
static json_t *utf8_of(const char *text)
{
	json_t *string = json_string(text);

	return string != NULL ? string : json_string("?");
}

static char *launch_json(const struct master *master)
{
	json_t *launch = json_object();
	json_t *argv = json_array();
	json_t *names = json_array();
	const char *config = cli_config_path(master->cli);

	for (size_t i = 0; i < master->cli->argv.count; i++)
		(void)json_array_append_new(argv, utf8_of(master->cli->argv.items[i]));
	for (int i = 0; i < S_MAX; i++) {
		if (!setting_rows[i].is_flag_only)
			(void)json_array_append_new(names, json_string(setting_rows[i].name));
	}
	(void)json_object_set_new(launch, "argv", argv);
	(void)json_object_set_new(launch, "names", names);
	(void)json_object_set_new(launch, "config", config != NULL ? utf8_of(config) : json_null());
	(void)json_object_set_new(launch, "cwd", utf8_of(master->cli->launch_dir));

	char *text = json_dumps(launch, JSON_COMPACT);

	json_decref(launch);
	CHECK(text != NULL);
	return text;
}

static int send_configure(struct template *template)
{
	struct message message;

	message_init(&message, MESSAGE_configure);
	message.configure.launch = launch_json(template->master);

	int error = peer_send(template->peer, &message);

	free(message.configure.launch);
	return error;
}

struct template *templates_start(struct master *master, enum template_role role, uint32_t generation, struct err *err)
{
	struct template *template = NULL;
	int ends[2] = { FD_NONE, FD_NONE };
	int error = fd_seqpacket_pair(ends);

	if (error != 0) {
		err_set_errno(err, error, "can't make a socket pair");
		return NULL;
	}

	pid_t pid = spawn_template(&master->spawn, ends[1], master->board.fd, err);

	fd_close(&ends[1]);
	if (pid < 0) {
		fd_close(&ends[0]);
		return NULL;
	}
	template = xcalloc(1, sizeof(*template));
	template->master = master;
	template->statsd_fd = FD_NONE;
	template->moves = template_moves_new();
	template->role = role;
	template->generation = generation;
	template->pid = pid;
	list_add_tail(&master->templates, &template->link);
	template->peer = peer_new(&master->loop, ends[0], FROM_TEMPLATE, on_message, on_end, template);
	(void)template_step(template->moves, TEMPLATE_EVENT_WANTED, DISMISSED_MS, clock_ms());
	/* Where it fails the end of the link or the process is reported as any other. */
	(void)send_configure(template);
	return template;
}

struct template *templates_of(struct master *master, uint32_t generation)
{
	struct template *found = NULL;

	LIST_EACH(&master->templates, it)
	{
		struct template *template = LIST_ENTRY(it, struct template, link);

		if (template->generation == generation)
			found = template;
	}
	return found;
}

struct template *templates_ready_of(struct master *master, uint32_t generation)
{
	struct template *template = templates_of(master, generation);

	return template != NULL && template_state(template->moves) == TEMPLATE_READY ? template : NULL;
}

uint32_t templates_count(const struct master *master)
{
	uint32_t count = 0;

	LIST_EACH(&master->templates, it)
	count++;
	return count;
}

void templates_go(struct template *template, enum template_purpose purpose)
{
	struct message message;
	const char *app = cli_app(template->master->cli, &template->settings);

	template->retry_ms = 0;
	(void)template_step(template->moves, TEMPLATE_EVENT_GO, DISMISSED_MS, clock_ms());
	message_init(&message, MESSAGE_go);
	message.go.generation = template->generation;
	message.go.purpose = purpose;
	message.go.settings = settings_to_json(&template->settings, BY_MASTER | BY_TEMPLATE | BY_WORKER);
	message.go.app = xstrdup(app != NULL ? app : "");
	for (size_t i = 0; i < template->listeners.count; i++)
		message.fds[message.fd_count++] = listeners_get(&template->listeners, i)->fd;

	int error = peer_send(template->peer, &message);

	if (error != 0)
		log_error("Can't send the settings to template (pid:%ld): %s", (long)template->pid, strerror(-error));
	free(message.go.settings);
	free(message.go.app);
	if (error != 0)
		templates_dismiss(template);
}

int templates_fork(struct template *template, uint32_t slot, uint32_t serial, uint32_t request_limit, int worker_fd)
{
	struct message message;

	message_init(&message, MESSAGE_fork_worker);
	message.fork_worker.slot = slot;
	message.fork_worker.serial = serial;
	message.fork_worker.request_limit = request_limit;
	message.fds[message.fd_count++] = worker_fd;
	return peer_send(template->peer, &message);
}

void templates_hook(struct template *template, uint32_t hook, const char *arguments)
{
	struct message message;

	if (template == NULL || template_state(template->moves) != TEMPLATE_READY)
		return;
	message_init(&message, MESSAGE_run_hook);
	message.run_hook.hook = hook;
	message.run_hook.arguments = xstrdup(arguments);
	(void)peer_send(template->peer, &message);
	free(message.run_hook.arguments);
}

static void send_to_all(struct master *master, enum message_id id)
{
	struct message message;

	message_init(&message, id);
	LIST_EACH(&master->templates, it)
	(void)peer_send(LIST_ENTRY(it, struct template, link)->peer, &message);
}

void templates_reopen_logs(struct master *master)
{
	send_to_all(master, MESSAGE_reopen_logs);
}

void templates_stop_listening(struct master *master)
{
	send_to_all(master, MESSAGE_stop_listening);
}

void templates_dismiss(struct template *template)
{
	step(template, TEMPLATE_EVENT_DISMISS);
}

void templates_kill(struct template *template)
{
	if (template == NULL)
		return;
	log_error("Template (pid:%ld) does not answer", (long)template->pid);
	(void)spawn_signal(template->pid, SIGKILL);
}

/* Nobody is forked from it any more; what its hooks have started goes on. */
static void retain(struct template *template)
{
	struct message message;

	if (template->has_closed)
		return;
	template->has_closed = true;
	message_init(&message, MESSAGE_stop_listening);
	(void)peer_send(template->peer, &message);
}

void templates_dismiss_unused(struct master *master)
{
	LIST_EACH(&master->templates, it)
	{
		struct template *template = LIST_ENTRY(it, struct template, link);

		if (template->generation >= master->pool.generation || pool_live_of(&master->pool, template->generation) > 0)
			continue;
		if (template->has_threads)
			retain(template);
		else
			step(template, TEMPLATE_EVENT_DISMISS);
	}
}

static void send_dismiss(struct template *template)
{
	struct message message;

	message_init(&message, MESSAGE_dismiss);
	/* Without a link it will not hear us; end of file made it leave already, or it hangs. */
	if (peer_send(template->peer, &message) != 0)
		(void)spawn_signal(template->pid, SIGKILL);
}

static void perform(struct template *template, enum template_action action)
{
	switch (action) {
	case TEMPLATE_DO_check_settings:
		generation_on_configured(template);
		break;
	case TEMPLATE_DO_note_ready:
		rollover_on_loaded(template);
		break;
	case TEMPLATE_DO_send_dismiss:
		template->retry_ms = 0;
		send_dismiss(template);
		break;
	case TEMPLATE_DO_send_kill:
		template->retry_ms = 0;
		(void)spawn_signal(template->pid, SIGKILL);
		break;
	case TEMPLATE_DO_note_failure:
		template->has_failed = true;
		break;
	case TEMPLATE_DO_nothing:
	case TEMPLATE_DO_start:
	case TEMPLATE_DO_send_go:
	case TEMPLATE_DO_note_boot_death:
	case TEMPLATE_DO_note_death:
	case TEMPLATE_DO_note_end:
	case TEMPLATE_ACTION_MAX:
		break;
	}
}

bool templates_on_exit(struct master *master, pid_t pid, int status)
{
	LIST_EACH(&master->templates, it)
	{
		struct template *template = LIST_ENTRY(it, struct template, link);

		if (template->pid != pid)
			continue;
		/* Its last words may still be on the way, such as which lines it has logged. */
		peer_drain(template->peer);
		logrelay_template_gone(master, template);

		enum template_action action =
			template_step(template->moves, TEMPLATE_EVENT_EXITED, DISMISSED_MS, clock_ms());

		workers_on_template_gone(master, template->generation);
		rollover_on_template_gone(template, action, status);
		upgrade_on_template_gone(master);
		free_template(template);
		return true;
	}
	return false;
}

void templates_on_time(struct master *master, uint64_t now_ms)
{
	LIST_EACH(&master->templates, it)
	{
		struct template *template = LIST_ENTRY(it, struct template, link);
		uint64_t timer_ms = template_timer_ms(template->moves);

		if (timer_ms != 0 && now_ms >= timer_ms)
			step(template, TEMPLATE_EVENT_TIMER);
		else if (template->retry_ms != 0 && now_ms >= template->retry_ms)
			generation_on_retry(template);
	}
}

uint64_t templates_next_ms(const struct master *master)
{
	uint64_t next_ms = 0;

	LIST_EACH(&master->templates, it)
	{
		const struct template *template = LIST_ENTRY(it, struct template, link);
		uint64_t timer_ms = template_timer_ms(template->moves);

		if (timer_ms != 0 && (next_ms == 0 || timer_ms < next_ms))
			next_ms = timer_ms;
		if (template->retry_ms != 0 && (next_ms == 0 || template->retry_ms < next_ms))
			next_ms = template->retry_ms;
	}
	return next_ms;
}
