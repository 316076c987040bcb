/* SPDX-License-Identifier: MIT */
/*
 * obituary.c - how workers ended.
 *
 * Called by workers.c. The log lines are gunicorn's (arbiter.py reap_workers()), except that it does not suspect a lack of
 * memory where the master itself sent the SIGKILL.
 */
#include "base/base.h"

#include "master/obituary.h"

#include <signal.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/sig.h"
#include "master/master.h"

enum counter_kind { TOTAL, GAUGE };

void counter_sums_add(struct counter_sums *sums, const struct board_reading *reading, bool with_gauges)
{
#define COUNTER(name, kind, unit, text)                                                                                       \
	if (kind == TOTAL || with_gauges)                                                                                     \
		sums->name += reading->name;
#include "tables/counters.def"
#undef COUNTER
}

static void say_signal(const struct obituary *obituary, bool was_ours)
{
	long pid = (long)obituary->pid;

	if (obituary->signal == SIGKILL && was_ours)
		log_error("Worker (pid:%ld) was sent SIGKILL by the master: it did not leave in time (%s)", pid,
		          slot_reason_name(obituary->reason));
	else if (obituary->signal == SIGKILL)
		log_error("Worker (pid:%ld) was sent SIGKILL! Perhaps out of memory?", pid);
	else if (obituary->signal == SIGTERM)
		log_info("Worker (pid:%ld) was sent SIGTERM!", pid);
	else
		log_warning("Worker (pid:%ld) was sent %s!", pid, sig_name(obituary->signal));
}

static void say(const struct obituary *obituary, bool was_ours)
{
	if (obituary->signal != 0)
		say_signal(obituary, was_ours);
	else if (obituary->exit_code != 0)
		log_error("Worker (pid:%ld) exited with code %d.", (long)obituary->pid, obituary->exit_code);
	if (obituary->last_words[0] != '\0')
		log_error("Worker (pid:%ld) said: %s", (long)obituary->pid, obituary->last_words);
}

/* Nobody asked for it: was it a failure, and at what stage? */
static enum slot_reason reason_of(const struct slot_facts *facts, int status, bool was_booting)
{
	if (facts->reason != REASON_NONE)
		return facts->reason;
	if (was_booting)
		return REASON_BOOT;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? REASON_OWN : REASON_CRASH;
}

const struct obituary *obituary_write(struct master *master, const struct slot *slot, int status, bool was_booting)
{
	struct obituaries *obituaries = &master->obituaries;
	struct obituary *obituary = &obituaries->ring[obituaries->total % OBITUARIES_MAX];
	const struct slot_facts *facts = slot_facts_const(slot);
	struct board_reading reading;
	uint64_t now_ms = clock_ms();

	board_read(&master->board, slot_index(slot), now_ms, &reading);
	memset(obituary, 0, sizeof(*obituary));
	clock_rfc3339(obituary->time, sizeof(obituary->time));
	obituary->slot = slot_index(slot);
	obituary->serial = facts->serial;
	obituary->generation = facts->generation;
	obituary->pid = facts->pid;
	obituary->reason = reason_of(facts, status, was_booting);
	obituary->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	obituary->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	obituary->requests_total = reading.requests_total;
	obituary->age_ms = now_ms - facts->spawned_ms;
	memcpy(obituary->last_words, reading.last_words, sizeof(obituary->last_words));
	counter_sums_add(&obituaries->sums, &reading, false);
	obituaries->by_reason[obituary->reason]++;
	obituaries->total++;
	say(obituary, facts->was_killed);
	return obituary;
}
