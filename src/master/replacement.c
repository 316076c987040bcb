/* SPDX-License-Identifier: MIT */
/*
 * replacement.c - another template for a generation whose own has died.
 *
 * Called by rollover.c and master.c. Decides when, templates.c starts it.
 */
#include "base/base.h"

#include "master/replacement.h"

#include "base/clock.h"
#include "base/log.h"
#include "master/master.h"
#include "master/templates.h"

enum {
	REPLACE_MAX_MS = 5000,   /* longest wait before a template is replaced again */
	REPLACE_CALM_MS = 30000, /* one that was ready for so long is replaced at once when it ends */
};

void replacement_plan(struct master *master, bool is_before_ready)
{
	uint64_t now_ms = clock_ms();
	uint64_t wait_ms;

	/* The first one at once; one that did not live long waits as if it had never been ready. */
	if (now_ms - master->replaced_ms >= REPLACE_CALM_MS && !is_before_ready)
		master->replace_tries = 0;
	wait_ms = master->replace_tries == 0 ? 0 : 100;
	for (uint32_t i = 1; i < master->replace_tries && wait_ms < REPLACE_MAX_MS; i++)
		wait_ms *= 2;
	master->replace_tries++;
	master->replace_ms = now_ms + MIN(wait_ms, (uint64_t)REPLACE_MAX_MS);
}

void replacement_on_ready(struct template *template)
{
	struct master *master = template->master;

	listeners_release(&template->listeners, false);
	if (template->generation != master->pool.generation)
		return;
	master->pool.can_fork = true;
	master->replaced_ms = clock_ms();
	hooks_on_ready(master);
	log_info("Template (pid:%ld) replaces the one that ended", (long)template->pid);
}

void replacement_on_time(struct master *master, uint64_t now_ms)
{
	struct err err = ERR_NONE;

	if (master->replace_ms == 0 || now_ms < master->replace_ms || stop_is_on(&master->stop))
		return;
	master->replace_ms = 0;
	if (templates_start(master, ROLE_REPLACEMENT, master->pool.generation, &err) == NULL) {
		log_error("%s", err.text);
		replacement_plan(master, true);
	}
}

uint64_t replacement_next_ms(const struct master *master)
{
	return stop_is_on(&master->stop) ? 0 : master->replace_ms;
}
