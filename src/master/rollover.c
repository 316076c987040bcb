/* SPDX-License-Identifier: MIT */
/*
 * rollover.c - generations take over, fail, lose their template.
 *
 * Called by generation.c, templates.c, workers.c, signals.c and master.c. The order of a reload is reload.c's; this carries it
 * out.
 */
#include "base/base.h"

#include "master/rollover.h"

#include <sys/wait.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/sig.h"
#include "master/codewatch.h"
#include "master/master.h"
#include "master/replacement.h"
#include "master/setup.h"
#include "master/templates.h"
#include "master/workers.h"
#include "shared/exits.h"

static void carry_out(struct master *master, enum reload_do what);

void rollover_fail(struct master *master, const char *reason)
{
	char why[512];

	/* One line, whatever the reason was made of. */
	(void)snprintf(why, sizeof(why), "%s", reason);
	for (char *newline = why; (newline = strchr(newline, '\n')) != NULL;)
		*newline = ' ';
	log_error("Reload failed, generation %lu goes on serving: %s", (unsigned long)master->pool.generation, why);
	codewatch_on_broken(master);
	if (master->reload.state != RELOAD_IDLE)
		carry_out(master, reload_fail(&master->reload, why));
}

/* ---- commit: the generation becomes the pool's ---- */

static char *worker_counts(long now, long before)
{
	return before < 0 ? xasprintf("{\"new\":%ld,\"old\":null}", now)
			  : xasprintf("{\"new\":%ld,\"old\":%ld}", now, before);
}

static void run_worker_count_hook(struct master *master, long now, long before)
{
	char *arguments = worker_counts(now, before);

	hooks_run(master, master->pool.generation, HOOK_nworkers_changed, arguments);
	free(arguments);
}

void rollover_set_target(struct master *master, long target)
{
	long before = master->pool.target;

	if (target == before)
		return;
	master->pool.target = target;
	run_worker_count_hook(master, target, before);
}

static void adopt(struct master *master, struct template *template)
{
	listeners_release(&master->listeners, upgrade_owns_sockets(master));
	master->listeners = template->listeners;
	template->listeners.count = 0;
	master->pool.generation = template->generation;
	master->pool.target = template->settings.workers;
	master->pool.can_fork = true;
	master->pool.not_before_ms = 0;
	master->pool.young_deaths = 0;
	master->replace_ms = 0;
	logrelay_update(master);
	if (template->statsd_fd >= 0 || template->role == ROLE_CANDIDATE)
		statsd_use(master, template);
	atomic_store_explicit(&master->board.head->generation, template->generation, memory_order_relaxed);
}

static void commit_first(struct template *template)
{
	struct master *master = template->master;

	adopt(master, template);
	memory_on_generation(master);
	setup_title(master);
	log_debug("Arbiter booted");
	run_worker_count_hook(master, master->pool.target, -1);
	templates_hook(template, HOOK_on_starting, "{}");
	templates_hook(template, HOOK_when_ready, "{}");
}

/* gunicorn: arbiter.py reload(), before the first new worker is forked; the number is told even if it is the same. */
static void announce_candidate(struct template *template)
{
	char *arguments = worker_counts(template->settings.workers, template->master->pool.target);

	templates_hook(template, HOOK_nworkers_changed, arguments);
	templates_hook(template, HOOK_on_reload, "{}");
	free(arguments);
}

static void commit_candidate(struct master *master)
{
	struct template *template = templates_of(master, master->reload.generation);
	struct err err = ERR_NONE;
	bool has_new_sockets = !listeners_equals(&master->listeners, &template->listeners);

	setup_say_what_waits(&master->settings, &template->settings);
	/* Each for itself: what can't be done is said, the rest is done. */
	if (listeners_begin(&template->listeners, &master->listeners, &err) != 0)
		log_error("%s", err.text);
	err_clear(&err);
	adopt(master, template);
	settings_copy(&master->settings, &template->settings);
	if (setup_directory(&master->settings, &err) != 0)
		log_error("%s", err.text);
	err_clear(&err);
	if (setup_log(&master->settings, &err) != 0)
		log_error("%s", err.text);
	err_clear(&err);
	if (setup_pidfile(master, master->settings.pidfile, &err) != 0)
		log_error("%s", err.text);
	err_clear(&err);
	if (webstatus_update(master, &err) != 0)
		log_error("%s", err.text);
	control_update(master);
	setup_say_warnings(&master->settings);
	setup_title(master);
	codewatch_on_commit(master, master->pool.generation);
	if (has_new_sockets) {
		char *text = listeners_text(&master->listeners, &master->settings);

		log_info("Listening at: %s", text);
		free(text);
	}
	memory_on_generation(master);
	hooks_on_ready(master);
	log_info("Generation %lu serves", (unsigned long)master->pool.generation);
}

static void abandon_candidate(struct master *master)
{
	struct template *template = templates_of(master, master->reload.generation);
	struct slot *canary = pool_slot(&master->pool, master->reload.canary_slot);

	if (canary != NULL && slot_facts(canary)->generation == master->reload.generation)
		workers_retire(master, canary, REASON_RELOAD);
	if (template != NULL && template->generation != master->pool.generation)
		templates_dismiss(template);
}

static void fork_canary(struct master *master)
{
	struct slot *slot = pool_find_empty(&master->pool);

	if (slot == NULL) {
		rollover_fail(master, "no slot is free for its first worker");
		return;
	}
	master->reload.canary_slot = slot_index(slot);
	if (workers_spawn(master, slot, master->reload.generation) != 0)
		rollover_fail(master, "its first worker can't be forked");
}

static void start_candidate(struct master *master)
{
	struct err err = ERR_NONE;

	master->reload.begun_ms = clock_ms();
	if (templates_start(master, ROLE_CANDIDATE, master->reload.generation, &err) != NULL)
		return;
	log_error("Reload failed: %s", err.text);
	carry_out(master, reload_fail(&master->reload, err.text));
}

static void carry_out(struct master *master, enum reload_do what)
{
	switch (what) {
	case RELOAD_DO_NOTHING:
		return;
	case RELOAD_DO_START:
		start_candidate(master);
		break;
	case RELOAD_DO_CANARY:
		fork_canary(master);
		break;
	case RELOAD_DO_COMMIT:
		commit_candidate(master);
		carry_out(master, reload_next(&master->reload));
		break;
	case RELOAD_DO_ABANDON:
		abandon_candidate(master);
		if (!stop_is_on(&master->stop))
			carry_out(master, reload_next(&master->reload));
		break;
	}
	status_soon(&master->status);
}

static void begin_reload(struct master *master)
{
	notify_note_reload(&master->notify, clock_us());
	carry_out(master, reload_ask(&master->reload));
	if (reload_is_late(&master->reload, clock_ms()))
		rollover_fail(master, "it was still not ready when another one was asked for");
}

void rollover_reload(struct master *master)
{
	if (stop_is_on(&master->stop))
		return;
	log_info("Hang up: %s", master_name(master));
	if (master->pool.generation == 0)
		log_warning("A reload is ignored until the first generation serves");
	else
		begin_reload(master);
}

void rollover_on_code_change(struct master *master, const char *path)
{
	/* gunicorn: workers/base.py init_process(), where each worker says so */
	log_info("Worker reloading: %s modified", path);
	begin_reload(master);
}

void rollover_cancel_reload(struct master *master)
{
	carry_out(master, reload_cancel(&master->reload));
}

/* ---- what templates and workers report ---- */

void rollover_on_loaded(struct template *template)
{
	struct master *master = template->master;

	if (master->is_check) {
		master_stop(master, true, EXIT_OK, NULL);
		return;
	}
	if (stop_is_on(&master->stop))
		return;
	switch (template->role) {
	case ROLE_FIRST:
		commit_first(template);
		break;
	case ROLE_CANDIDATE:
		if (master->reload.state == RELOAD_TEMPLATE && template->generation == master->reload.generation) {
			announce_candidate(template);
			carry_out(master, reload_template_ready(&master->reload, template->settings.workers > 0));
		}
		break;
	case ROLE_REPLACEMENT:
		replacement_on_ready(template);
		break;
	}
}

/* The first sentence of several lines, for a status field. */
static void first_line(const char *text, char *into, size_t size)
{
	while (*text == '\n')
		text++;
	(void)snprintf(into, size, "%.*s", (int)strcspn(text, "\n"), text);
}

/* Python puts the sentence that names the error last. */
static void last_line(const char *text, char *into, size_t size)
{
	size_t end = strlen(text);
	size_t begin;

	while (end > 0 && text[end - 1] == '\n')
		end--;
	begin = end;
	while (begin > 0 && text[begin - 1] != '\n')
		begin--;
	(void)snprintf(into, size, "%.*s", (int)(end - begin), text + begin);
}

void rollover_on_failed(struct template *template, int exit_code, const char *text)
{
	struct master *master = template->master;
	char first[200];
	char last[200];
	char why[480];

	if (template->role == ROLE_FIRST) {
		(void)fputs(text, stderr);
		if (text[0] != '\0' && text[strlen(text) - 1] != '\n')
			(void)fputc('\n', stderr);
		(void)fflush(stderr);
		master_stop(master, true, exit_code, NULL);
		return;
	}
	first_line(text, first, sizeof(first));
	last_line(text, last, sizeof(last));
	(void)snprintf(why, sizeof(why), strcmp(first, last) == 0 ? "%s" : "%s: %s", first, last);
	if (template->role == ROLE_CANDIDATE)
		rollover_fail(master, why);
	else
		log_error("The template could not be replaced: %s", why);
	log_traceback("The template said:", text);
}

static void describe_end(int status, char *into, size_t size)
{
	if (WIFSIGNALED(status))
		(void)snprintf(into, size, "was sent %s", sig_name(WTERMSIG(status)));
	else
		(void)snprintf(into, size, "exited with code %d", WEXITSTATUS(status));
}

void rollover_on_template_gone(struct template *template, enum template_action action, int status)
{
	struct master *master = template->master;
	char how[64];
	char why[128];

	if (stop_is_on(&master->stop))
		return;
	describe_end(status, how, sizeof(how));
	(void)snprintf(why, sizeof(why), "its template (pid:%ld) %s", (long)template->pid, how);
	if (template->generation == master->pool.generation &&
	    (action == TEMPLATE_DO_note_death || template->role == ROLE_REPLACEMENT)) {
		/* The one that served, or its replacement: try again; the workers go on meanwhile. */
		log_error("Template (pid:%ld) %s", (long)template->pid, how);
		master->pool.can_fork = false;
		replacement_plan(master, action != TEMPLATE_DO_note_death);
	} else if (master->pool.generation == 0 && !template->has_failed) {
		log_error("Template (pid:%ld) %s before it was ready", (long)template->pid, how);
		master_stop(master, true, EXIT_CONFIG, NULL);
	} else if (template->role == ROLE_CANDIDATE && template->generation == master->reload.generation &&
		   master->reload.state != RELOAD_IDLE) {
		rollover_fail(master, why);
	}
}

void rollover_on_worker_ready(struct master *master, uint32_t slot)
{
	master->has_served = true;
	if (master->reload.state == RELOAD_CANARY && slot == master->reload.canary_slot)
		carry_out(master, reload_canary_ready(&master->reload));
}

void rollover_on_code_broken(struct master *master, uint32_t slot, const char *why)
{
	codewatch_on_broken(master);
	/* A present generation's worker shows its error page: there is nothing better to serve. */
	if (master->reload.state == RELOAD_CANARY && slot == master->reload.canary_slot)
		rollover_fail(master, why);
}

void rollover_on_worker_end(struct master *master, uint32_t slot, const struct slot_facts *facts, int status,
                            const char *last_words)
{
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
	char how[64];
	char why[400];

	if (stop_is_on(&master->stop))
		return;
	if (master->reload.state == RELOAD_CANARY && slot == master->reload.canary_slot) {
		describe_end(status, how, sizeof(how));
		if (facts->pid == 0)
			(void)snprintf(why, sizeof(why), "its first worker could not be forked");
		else
			(void)snprintf(why, sizeof(why), "its first worker (pid:%ld) %s before it was ready%s%s", (long)facts->pid, how,
			               last_words[0] != '\0' ? ": " : "", last_words);
		rollover_fail(master, why);
		return;
	}
	/* gunicorn: arbiter.py reap_workers(). Once somebody has served, a failing boot is tried again instead. */
	if (master->has_served || facts->generation > master->pool.generation)
		return;
	if (code == EXIT_WORKER_BOOT)
		master_stop(master, true, code, "Worker failed to boot.");
	else if (code == EXIT_APP_LOAD)
		master_stop(master, true, code, "App failed to load.");
}
