/* SPDX-License-Identifier: MIT */
/*
 * generation.c - a generation's way from a configured template to workers that serve.
 *
 * Called by templates.c, workers.c and master.c. The order of a reload is reload.c's; what a running service must survive is
 * decided here: only the first generation's failure may end the program.
 */
#include "base/base.h"

#include "master/generation.h"

#include <sys/wait.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/sig.h"
#include "base/title.h"
#include "master/master.h"
#include "master/pidfile.h"
#include "master/templates.h"
#include "master/workers.h"
#include "shared/exits.h"

enum {
	BIND_TRIES = 5,       /* gunicorn: sock.py, five tries, a second apart */
	BIND_RETRY_MS = 1000,
	REPLACE_MAX_MS = 5000, /* longest wait before a template is replaced again */
};

static void carry_out(struct master *master, enum reload_do what);

/* ---- ends ---- */

/* Before the service is up: the sentence on stderr, as gunicorn's command line gives it. */
static void refuse_start(struct master *master, int exit_code, const struct err *err)
{
	if (err != NULL && err_is_set(err))
		cli_print_error(err, stderr);
	master_stop(master, true, exit_code, NULL);
}

static void fail_reload(struct master *master, const char *why)
{
	log_error("Reload failed, generation %lu goes on serving: %s", (unsigned long)master->pool.generation, why);
	if (master->reload.state != RELOAD_IDLE)
		carry_out(master, reload_fail(&master->reload, why));
}

/* A broken configuration or address: what that means depends on who asked. */
static void give_up(struct template *template, const struct err *err)
{
	if (template->role == ROLE_FIRST)
		refuse_start(template->master, EXIT_CONFIG, err);
	else
		fail_reload(template->master, err->text);
}

/* ---- sockets ---- */

static void say_bind_failed(const struct err *err)
{
	char text[sizeof(err->text)];
	struct span rest;
	struct span line;

	/* Several lines, as gunicorn logs them. */
	memcpy(text, err->text, sizeof(text));
	rest = span_from_str(text);
	while (span_split(&rest, '\n', &line))
		log_error("%.*s", SPAN_ARG(line));
}

/* True when the sockets are open; false: tried again later, or given up. */
static bool open_listeners(struct template *template)
{
	struct master *master = template->master;
	struct err err = ERR_NONE;
	int error = listeners_open(&template->listeners, &master->listeners, &template->settings, &err);

	if (error == 0)
		return true;
	if ((error == -EADDRINUSE || error == -EADDRNOTAVAIL) && ++template->bind_tries < BIND_TRIES) {
		say_bind_failed(&err);
		template->retry_ms = clock_ms() + BIND_RETRY_MS;
		return false;
	}
	template->retry_ms = 0;
	if (error == -EADDRINUSE || error == -EADDRNOTAVAIL) {
		say_bind_failed(&err);
		if (template->role == ROLE_FIRST) {
			log_error("Can't bind %s", template->settings.bind.items[0]);
			master_stop(master, true, EXIT_CONFIG, NULL);
			return false;
		}
	}
	give_up(template, &err);
	return false;
}

static void go_on(struct template *template)
{
	struct master *master = template->master;

	if (!open_listeners(template))
		return;
	if (template->role == ROLE_FIRST) {
		char *text = listeners_text(&template->listeners);

		/* tests wait for this line */
		log_info("Listening at: %s (%ld)", text, (long)getpid());
		log_info("Using worker: %s", template->settings.worker_class);
		free(text);
		settings_copy(&master->settings, &template->settings);
	}
	templates_go(template, PURPOSE_SERVE);
}

void generation_on_retry(struct template *template)
{
	go_on(template);
	master_update(template->master);
}

/* ---- settings ---- */

static void set_title(const struct master *master)
{
	const char *name = master->settings.proc_name;

	if (name == NULL)
		name = cli_app(master->cli, &master->settings);
	title_set(NULL, "gunwale: master [%s]", name != NULL ? name : "");
}

static int open_log(const struct settings *settings, struct err *err)
{
	enum log_level level;
	struct err why = ERR_NONE;

	/* gunicorn: glogging.py setup(), an unknown level is info. */
	if (!log_level_from_name(settings->loglevel, &level))
		level = LOG_INFO;
	if (log_open(settings->errorlog, level, &why) == 0)
		return 0;
	return err_set(err, -EACCES, "Error: '%s' isn't writable [%s]", settings->errorlog, why.text);
}

static void say_warnings(const struct settings *settings)
{
	struct strlist sentences;

	strlist_init(&sentences);
	settings_list_warnings(settings, &sentences);
	for (size_t i = 0; i < sentences.count; i++)
		log_warning("%s", sentences.items[i]);
	strlist_release(&sentences);
}

/* The sync class by any of its names; the others come with a later version. */
static int check_worker_class(const char *name, struct err *err)
{
	static const char *const known[] = { "sync", "gunicorn.workers.sync.SyncWorker", "egg:gunicorn#sync" };

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (name != NULL && strcmp(name, known[i]) == 0)
			return 0;
	return err_set(err, -EINVAL, "worker_class '%s' is not available in this version; accepted: sync", name != NULL ? name : "");
}

static int build_settings(struct template *template, struct err *err)
{
	struct master *master = template->master;
	int error = cli_build_settings(master->cli, template->values_json, &template->settings, err);

	if (error != 0)
		return error;
	if (cli_app(master->cli, &template->settings) == NULL)
		return err_set(err, -EINVAL, "No application module specified.");
	return check_worker_class(template->settings.worker_class, err);
}

static int enter_directory(const struct settings *settings, struct err *err)
{
	if (settings->chdir != NULL && chdir(settings->chdir) != 0)
		return err_set(err, -errno, "can't chdir to '%s'", settings->chdir);
	return 0;
}

/* ---- the first generation ---- */

static void check_only(struct template *template)
{
	template->master->is_check = true;
	templates_go(template, PURPOSE_CHECK);
}

static void start_service(struct template *template)
{
	struct master *master = template->master;
	const struct settings *settings = &template->settings;
	struct err err = ERR_NONE;

	if (settings->daemon && !master->is_detached) {
		master->wants_detach = true;
		master_stop(master, true, EXIT_OK, NULL);
		return;
	}
	if (enter_directory(settings, &err) != 0 || open_log(settings, &err) != 0) {
		refuse_start(master, EXIT_CONFIG, &err);
		return;
	}
	if (settings->pidfile != NULL) {
		if (pidfile_create(settings->pidfile, &err) != 0) {
			refuse_start(master, EXIT_CONFIG, &err);
			return;
		}
		master->pidfile = xstrdup(settings->pidfile);
	}
	master->is_up = true;
	log_info("Starting gunwale %s", PACKAGE_VERSION);
	say_warnings(settings);
	go_on(template);
}

static void first_configured(struct template *template)
{
	if (template->settings.print_config)
		cli_print_config(&template->settings, stdout);
	if (template->settings.print_config || template->settings.check_config)
		check_only(template);
	else
		start_service(template);
}

void generation_on_configured(struct template *template)
{
	struct master *master = template->master;
	struct err err = ERR_NONE;

	if (stop_is_on(&master->stop))
		return;
	if (template->role == ROLE_REPLACEMENT) {
		/* The running generation's settings: only a reload changes them. */
		settings_copy(&template->settings, &master->settings);
		go_on(template);
		return;
	}
	if (build_settings(template, &err) != 0) {
		give_up(template, &err);
		return;
	}
	if (template->role == ROLE_FIRST)
		first_configured(template);
	else
		go_on(template);
}

int generation_start_first(struct master *master, struct err *err)
{
	master->reload.generation = 1;
	return templates_start(master, ROLE_FIRST, 1, err) != NULL ? 0 : -ECHILD;
}

/* ---- commit: the generation becomes the pool's ---- */

static void run_worker_count_hook(struct template *template, long now, long before)
{
	char *arguments = before < 0 ? xasprintf("{\"new\":%ld,\"old\":null}", now)
				     : xasprintf("{\"new\":%ld,\"old\":%ld}", now, before);

	templates_hook(template, HOOK_nworkers_changed, arguments);
	free(arguments);
}

void generation_set_target(struct master *master, long target)
{
	long before = master->pool.target;

	if (target == before)
		return;
	master->pool.target = target;
	run_worker_count_hook(templates_of(master, master->pool.generation), target, before);
}

static void adopt(struct master *master, struct template *template)
{
	listeners_release(&master->listeners, true);
	master->listeners = template->listeners;
	template->listeners.count = 0;
	master->pool.generation = template->generation;
	master->pool.target = template->settings.workers;
	master->pool.can_fork = true;
	master->pool.not_before_ms = 0;
	master->pool.young_deaths = 0;
	atomic_store_explicit(&master->board.head->generation, template->generation, memory_order_relaxed);
}

static void commit_first(struct template *template)
{
	struct master *master = template->master;

	adopt(master, template);
	set_title(master);
	run_worker_count_hook(template, master->pool.target, -1);
	templates_hook(template, HOOK_on_starting, "{}");
	templates_hook(template, HOOK_when_ready, "{}");
}

static void change_pidfile(struct master *master, const char *path)
{
	struct err err = ERR_NONE;

	if (master->pidfile != NULL && path != NULL && strcmp(master->pidfile, path) == 0)
		return;
	pidfile_remove(master->pidfile);
	free(master->pidfile);
	master->pidfile = NULL;
	if (path == NULL)
		return;
	if (pidfile_create(path, &err) == 0)
		master->pidfile = xstrdup(path);
	else
		log_error("%s", err.text);
}

static void say_what_waits(const struct settings *old, const struct settings *now)
{
	char *names = settings_changed_at_start_only(old, now);

	if (names != NULL)
		log_warning("These settings changed, and take effect only after a restart: %s", names);
	free(names);
}

static void commit_candidate(struct master *master)
{
	struct template *template = templates_of(master, master->reload.generation);
	struct err err = ERR_NONE;
	long before = master->pool.target;
	bool has_new_sockets = !listeners_equals(&master->listeners, &template->listeners);

	say_what_waits(&master->settings, &template->settings);
	adopt(master, template);
	settings_copy(&master->settings, &template->settings);
	if (enter_directory(&master->settings, &err) != 0 || open_log(&master->settings, &err) != 0)
		log_error("%s", err.text);
	change_pidfile(master, master->settings.pidfile);
	say_warnings(&master->settings);
	set_title(master);
	if (has_new_sockets) {
		char *text = listeners_text(&master->listeners);

		log_info("Listening at: %s", text);
		free(text);
	}
	if (master->pool.target != before)
		run_worker_count_hook(template, master->pool.target, before);
	templates_hook(template, HOOK_on_reload, "{}");
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
		fail_reload(master, "no slot is free for its first worker");
		return;
	}
	master->reload.canary_slot = slot_index(slot);
	if (workers_spawn(master, slot, master->reload.generation) != 0)
		fail_reload(master, "its first worker can't be forked");
}

static void start_candidate(struct master *master)
{
	struct err err = ERR_NONE;

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

void generation_reload(struct master *master)
{
	if (stop_is_on(&master->stop))
		return;
	log_info("Hang up: Master");
	if (master->pool.generation == 0) {
		log_warning("A reload is ignored until the first generation serves");
		return;
	}
	carry_out(master, reload_ask(&master->reload));
}

void generation_cancel_reload(struct master *master)
{
	carry_out(master, reload_cancel(&master->reload));
}

/* ---- what templates and workers report ---- */

void generation_on_loaded(struct template *template)
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
		if (master->reload.state == RELOAD_TEMPLATE && template->generation == master->reload.generation)
			carry_out(master, reload_template_ready(&master->reload, template->settings.workers > 0));
		break;
	case ROLE_REPLACEMENT:
		listeners_release(&template->listeners, false);
		if (template->generation == master->pool.generation) {
			master->pool.can_fork = true;
			master->replace_tries = 0;
			log_info("Template (pid:%ld) replaces the one that ended", (long)template->pid);
		}
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

void generation_on_failed(struct template *template, int exit_code, const char *text)
{
	struct master *master = template->master;
	char first[200];
	char last[200];
	char why[480];

	if (template->role == ROLE_FIRST) {
		(void)fputs(text, stderr);
		(void)fflush(stderr);
		master_stop(master, true, exit_code, NULL);
		return;
	}
	first_line(text, first, sizeof(first));
	last_line(text, last, sizeof(last));
	(void)snprintf(why, sizeof(why), strcmp(first, last) == 0 ? "%s" : "%s: %s", first, last);
	if (template->role == ROLE_CANDIDATE)
		fail_reload(master, why);
	else
		log_error("The template could not be replaced: %s", why);
	log_raw(text, strlen(text));
}

static void plan_replacement(struct master *master)
{
	uint64_t wait_ms = master->replace_tries == 0 ? 0 : 100;

	for (uint32_t i = 1; i < master->replace_tries && wait_ms < REPLACE_MAX_MS; i++)
		wait_ms *= 2;
	master->replace_tries++;
	master->replace_ms = clock_ms() + MIN(wait_ms, (uint64_t)REPLACE_MAX_MS);
}

static void describe_end(int status, char *into, size_t size)
{
	if (WIFSIGNALED(status))
		(void)snprintf(into, size, "was sent %s", sig_name(WTERMSIG(status)));
	else
		(void)snprintf(into, size, "exited with code %d", WEXITSTATUS(status));
}

void generation_on_template_gone(struct template *template, enum template_action action, int status)
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
		plan_replacement(master);
	} else if (template->role == ROLE_FIRST && !template->has_failed) {
		log_error("Template (pid:%ld) %s before it was ready", (long)template->pid, how);
		master_stop(master, true, EXIT_CONFIG, NULL);
	} else if (template->role == ROLE_CANDIDATE && template->generation == master->reload.generation &&
		   master->reload.state != RELOAD_IDLE) {
		fail_reload(master, why);
	}
}

void generation_on_time(struct master *master, uint64_t now_ms)
{
	struct err err = ERR_NONE;

	if (master->replace_ms == 0 || now_ms < master->replace_ms || stop_is_on(&master->stop))
		return;
	master->replace_ms = 0;
	if (templates_start(master, ROLE_REPLACEMENT, master->pool.generation, &err) == NULL) {
		log_error("%s", err.text);
		plan_replacement(master);
	}
}

uint64_t generation_next_ms(const struct master *master)
{
	return stop_is_on(&master->stop) ? 0 : master->replace_ms;
}

void generation_on_worker_ready(struct master *master, uint32_t slot)
{
	master->has_served = true;
	if (master->reload.state == RELOAD_CANARY && slot == master->reload.canary_slot)
		carry_out(master, reload_canary_ready(&master->reload));
}

void generation_on_worker_end(struct master *master, uint32_t slot, const struct slot_facts *facts, int status)
{
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
	char how[64];
	char why[160];

	if (stop_is_on(&master->stop))
		return;
	if (master->reload.state == RELOAD_CANARY && slot == master->reload.canary_slot) {
		describe_end(status, how, sizeof(how));
		(void)snprintf(why, sizeof(why), "its first worker (pid:%ld) %s before it was ready", (long)facts->pid, how);
		fail_reload(master, why);
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
