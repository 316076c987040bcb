/* SPDX-License-Identifier: MIT */
/*
 * generation.c - a generation's way to its template's `go`: check the configuration, bind, send the settings.
 *
 * Called by templates.c and master.c. What a running service must survive is decided here and in rollover.c: only the first
 * generation's failure may end the program.
 */
#include "base/base.h"

#include "master/generation.h"

#include "base/clock.h"
#include "base/log.h"
#include "master/delegate.h"
#include "master/master.h"
#include "master/rollover.h"
#include "master/setup.h"
#include "master/templates.h"
#include "shared/exits.h"
#include "shared/worker_class.h"

enum {
	BIND_TRIES = 5, /* gunicorn: sock.py, five tries, a second apart */
	BIND_RETRY_MS = 1000,
};

/* ---- ends ---- */

/* Before the service is up: the sentence on stderr, as gunicorn's command line gives it. */
static void refuse_start(struct master *master, int exit_code, const struct err *err)
{
	if (err != NULL && err_is_set(err))
		cli_print_error(err, stderr);
	master_stop(master, true, exit_code, NULL);
}

/* A broken configuration or address: what that means depends on who asked. */
static void give_up(struct template *template, const struct err *err)
{
	switch (template->role) {
	case ROLE_FIRST:
		refuse_start(template->master, EXIT_CONFIG, err);
		break;
	case ROLE_CANDIDATE:
		rollover_fail(template->master, err->text);
		break;
	case ROLE_REPLACEMENT:
		/* Its end plans the next try. */
		log_error("The template could not be replaced: %s", err->text);
		templates_dismiss(template);
		break;
	}
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

/* The address stays taken: the end for a start, no reload for a running service. */
static void give_up_binding(struct template *template, const char *address, const struct err *err)
{
	struct master *master = template->master;

	if (template->role == ROLE_FIRST && address != NULL) {
		say_bind_failed(err);
		log_error("Can't connect to %s", address);
		master->is_up = false; /* gunicorn says nothing more */
		master_stop(master, true, EXIT_CONFIG, NULL);
		return;
	}
	give_up(template, err);
}

/* The old master's sockets count as those of a generation before the first. */
static int take_inherited(struct template *template, const struct strlist *binds, struct err *err)
{
	struct master *master = template->master;

	if (template->role != ROLE_FIRST || master->has_inherited)
		return 0;
	master->has_inherited = true;
	return listeners_inherit(&master->listeners, master->inherited->fds, master->inherited->count, binds, err);
}

/* True when the sockets are open; false: tried again later, or given up. */
static bool open_listeners(struct template *template)
{
	struct master *master = template->master;
	struct err err = ERR_NONE;
	char *address = NULL;
	/* gunicorn: arbiter.py start(), bind counts for nothing where systemd gave sockets. */
	const struct strlist *binds = master->activated->count > 0 ? master->activated : &template->settings.bind;
	int error = take_inherited(template, binds, &err);

	if (error == 0)
		error = listeners_open(&template->listeners, &master->listeners, binds, &template->settings, &address, &err);

	template->retry_ms = 0;
	if ((error == -EADDRINUSE || error == -EADDRNOTAVAIL) && ++template->bind_tries < BIND_TRIES) {
		say_bind_failed(&err);
		template->retry_ms = clock_ms() + BIND_RETRY_MS;
	} else if (error != 0) {
		give_up_binding(template, address, &err);
	}
	free(address);
	return error == 0;
}

/* After the service's own addresses: who can't have those must not touch the sockets and files of the one who has. */
static bool open_doors(struct master *master)
{
	struct err err = ERR_NONE;

	if (webstatus_update(master, &err) != 0) {
		log_error("%s", err.text);
		master->is_up = false;
		master_stop(master, true, EXIT_CONFIG, NULL);
		return false;
	}
	control_update(master);
	return true;
}

static void go_on(struct template *template)
{
	struct master *master = template->master;

	if (!open_listeners(template))
		return;
	if (template->role == ROLE_FIRST) {
		char *text = listeners_text(&template->listeners, &template->settings);

		/* tests wait for this line */
		log_info("Listening at: %s (%ld)", text, (long)getpid());
		log_info("Using worker: %s", worker_class_shown(&template->settings));
		free(text);
		settings_copy(&master->settings, &template->settings);
		memory_start(master);
		if (!open_doors(master))
			return;
	}
	templates_go(template, PURPOSE_SERVE);
}

void generation_on_retry(struct template *template)
{
	go_on(template);
	master_update(template->master);
}

/* ---- settings ---- */

static int build_settings(struct template *template, struct err *err)
{
	struct master *master = template->master;
	int error = cli_build_settings(master->cli, template->values_json, &template->settings, err);

	if (error != 0)
		return error;
	if (webstatus_check(&template->settings, err) != 0)
		return -EINVAL;
	if (cli_app(master->cli, &template->settings) == NULL)
		return err_set(err, -EINVAL, "No application module specified.");
	return 0;
}

/* Before anything runs the whole program can become gunicorn; a running service cannot. */
static int check_delegation(struct template *template, struct err *err)
{
	if (!delegate_is_wanted(&template->settings))
		return 0;
	if (template->role != ROLE_FIRST)
		return err_set(err, -ENOTSUP, "Worker class '%s' is gunicorn's: that takes a restart",
		               template->settings.worker_class);
	return delegate_check(&template->settings, template->values_json, err);
}

/* ---- the first generation ---- */

static void check_only(struct template *template)
{
	/* What the application prints comes after it. */
	(void)fflush(stdout);
	template->master->is_check = true;
	templates_go(template, PURPOSE_CHECK);
}

/* gunicorn: base.py run() */
static void warn_of_daemon(void)
{
	const char *address = getenv("NOTIFY_SOCKET");

	if (address != NULL && address[0] != '\0')
		(void)fputs("Warning: you shouldn't specify `daemon = True` when launching by systemd with `Type = notify`\n", stderr);
}

static void start_service(struct template *template)
{
	struct master *master = template->master;
	const struct settings *settings = &template->settings;
	struct err err = ERR_NONE;

	/* gunicorn: util.py daemonize(), a new master is where the old one is. */
	if (settings->daemon && !master->is_detached && !upgrade_is_second(master)) {
		warn_of_daemon();
		master->wants_detach = true;
		master->keeps_stdio = settings->enable_stdio_inheritance;
		master_stop(master, true, EXIT_OK, NULL);
		return;
	}
	if (setup_directory(settings, &err) != 0 || setup_log(settings, &err) != 0 ||
	    setup_pidfile(master, settings->pidfile, &err) != 0) {
		refuse_start(master, EXIT_CONFIG, &err);
		return;
	}
	master->is_up = true;
	logrelay_hold(master, settings);
	cli_log_config(settings, template->values_json);
	log_info("Starting gunwale %s", PACKAGE_VERSION);
	setup_say_warnings(settings);
	if (notify_open(&master->notify, &err) != 0)
		log_warning("%s", err.text);
	go_on(template);
}

static void show_config(struct template *template)
{
	cli_print_config(&template->settings, template->values_json, stdout);
	memory_print(&template->settings, stdout);
}

static void first_configured(struct template *template)
{
	if (template->settings.print_config)
		show_config(template);
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
	if (build_settings(template, &err) != 0 || check_delegation(template, &err) != 0) {
		give_up(template, &err);
		return;
	}
	if (delegate_is_wanted(&template->settings)) {
		master_stop(master, true, EXIT_DELEGATE, NULL);
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
	if (templates_start(master, ROLE_FIRST, 1, err) == NULL)
		return -ECHILD;
	/* gunicorn: arbiter.py start(), which takes it away after on_starting; the first template has its own copy. */
	(void)unsetenv("GUNICORN_FD");
	return 0;
}
