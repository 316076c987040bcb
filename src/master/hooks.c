/* SPDX-License-Identifier: MIT */
/*
 * hooks.c - what the master makes of a server hook that failed in the template.
 *
 * Called by templates.c. Runs no hook: that is the template's work.
 */
#include "base/base.h"

#include "master/hooks.h"

#include "base/log.h"
#include "master/master.h"
#include "master/templates.h"

enum {
	EXIT_START_FAILED = 1,
	EXIT_LOOP_FAILED = 255, /* gunicorn: arbiter.py run(), an exception when workers are started */
};

static const char *const names[] = {
#define HOOK(name, parameters, process, text) [HOOK_##name] = #name,
#include "tables/hooks.def"
#undef HOOK
};

static bool is_of_start(uint32_t hook)
{
	return hook == HOOK_on_starting || hook == HOOK_when_ready || hook == HOOK_nworkers_changed || hook == HOOK_pre_fork;
}

/* The file asks for the end of the server, and for this exit code. */
static void on_exit_asked(struct master *master, const char *name, int exit_code, const char *text)
{
	if (text[0] != '\0')
		log_error("%s", text);
	log_warning("The %s hook called sys.exit(%d): the server ends", name, exit_code);
	if (!stop_is_on(&master->stop))
		master_stop(master, !master->has_served, exit_code, NULL);
	else if (master->stop.exit_code == 0)
		master->stop.exit_code = exit_code;
}

void hooks_on_failed(struct master *master, uint32_t hook, int exit_code, const char *text)
{
	const char *name = hook < HOOK_MAX ? names[hook] : "unknown";
	char reason[64];
	char what[64];

	/* gunicorn runs pre_exec in the process that becomes the new master: only that one ends. */
	if (exit_code >= 0 && hook != HOOK_pre_exec) {
		on_exit_asked(master, name, exit_code, text);
		return;
	}
	(void)snprintf(what, sizeof(what), "Exception in %s hook", name);
	log_traceback(what, text);
	/* gunicorn would die of it at any time; a service that is up has more to lose than a hook. */
	if (master->has_served || !is_of_start(hook) || stop_is_on(&master->stop))
		return;
	(void)snprintf(reason, sizeof(reason), "The %s hook failed.", name);
	master_stop(master, true, hook == HOOK_pre_fork ? EXIT_LOOP_FAILED : EXIT_START_FAILED, reason);
}
