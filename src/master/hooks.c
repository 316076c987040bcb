/* SPDX-License-Identifier: MIT */
/*
 * hooks.c - server hooks as the master sees them.
 *
 * Called by rollover.c, workers.c, templates.c and master.c. Runs no hook: that is the template's work.
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

/* ---- run, or kept ---- */

struct waiting_hook {
	struct list link;
	uint32_t hook;
	char *arguments;
};

void hooks_init(struct hooks *hooks)
{
	memset(hooks, 0, sizeof(*hooks));
	list_init(&hooks->waiting);
}

static void remove_waiting(struct hooks *hooks, struct waiting_hook *waiting)
{
	list_remove(&waiting->link);
	hooks->waiting_count--;
	free(waiting->arguments);
	free(waiting);
}

void hooks_release(struct hooks *hooks)
{
	/* A zeroed one was never begun. */
	if (hooks->waiting.next == NULL)
		return;
	LIST_EACH(&hooks->waiting, it)
	remove_waiting(hooks, LIST_ENTRY(it, struct waiting_hook, link));
}

static void keep(struct hooks *hooks, uint32_t hook, const char *arguments)
{
	struct waiting_hook *waiting;

	if (hooks->waiting_count == HOOKS_WAITING_MAX) {
		hooks->dropped_total++;
		return;
	}
	waiting = xcalloc(1, sizeof(*waiting));
	waiting->hook = hook;
	waiting->arguments = xstrdup(arguments);
	list_add_tail(&hooks->waiting, &waiting->link);
	hooks->waiting_count++;
}

void hooks_run(struct master *master, uint32_t generation, uint32_t hook, const char *arguments)
{
	struct template *template = templates_ready_of(master, generation);

	if (template == NULL)
		template = templates_ready_of(master, master->pool.generation);
	/* What waits goes first: it waits for this very template, and is sent the moment that it is ready. */
	if (template != NULL)
		templates_hook(template, hook, arguments);
	else
		keep(&master->hooks, hook, arguments);
}

void hooks_on_ready(struct master *master)
{
	struct hooks *hooks = &master->hooks;
	struct template *template = templates_ready_of(master, master->pool.generation);

	if (template == NULL)
		return;
	LIST_EACH(&hooks->waiting, it)
	{
		struct waiting_hook *waiting = LIST_ENTRY(it, struct waiting_hook, link);

		templates_hook(template, waiting->hook, waiting->arguments);
		remove_waiting(hooks, waiting);
	}
	if (hooks->dropped_total > 0)
		log_warning("%llu calls of server hooks were dropped: no template was ready to run them",
		            (unsigned long long)hooks->dropped_total);
	hooks->dropped_total = 0;
}

void hooks_say_lost(const struct master *master)
{
	uint64_t lost = master->hooks.waiting_count + master->hooks.dropped_total;

	if (lost > 0)
		log_warning("%llu calls of server hooks never ran: the template had ended", (unsigned long long)lost);
}

/* ---- failures ---- */

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
