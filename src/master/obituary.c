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

static void say_signal(const struct obituary *obituary, const struct slot_facts *facts)
{
	long pid = (long)obituary->pid;

	if (obituary->signal == SIGKILL && facts->was_killed)
		log_error("Worker (pid:%ld) was sent SIGKILL by the master: %s (%s)", pid,
		          facts->is_memory_kill ? "it used too much memory" : "it did not leave in time",
		          slot_reason_name(obituary->reason));
	else if (obituary->signal == SIGKILL)
		log_error("Worker (pid:%ld) was sent SIGKILL! Perhaps out of memory?", pid);
	else if (obituary->signal == SIGTERM)
		log_info("Worker (pid:%ld) was sent SIGTERM!", pid);
	else
		log_warning("Worker (pid:%ld) was sent %s!", pid, sig_name(obituary->signal));
}

/* Within the last second: since its death there is less. */
static uint64_t highest_use(const struct memory *memory)
{
	const uint64_t now_ms = clock_ms();

	return memory->used.fine_count > 0 ? series_high(&memory->used, now_ms - MIN(now_ms, (uint64_t)1000)) : memory->used_bytes;
}

/* What is known of a worker that was killed for memory, by whomever: its last readings, and what it was doing. */
static void say_memory(const struct master *master, const struct obituary *obituary)
{
	struct buf text = BUF_NONE;
	char *rss = budget_show(obituary->rss_bytes), *sockets = budget_show(obituary->sockets_bytes);
	char *limit = budget_show(master->memory.container.limit_bytes), *used = budget_show(highest_use(&master->memory));

	if (obituary->kernel_kill == 1)
		buf_addf(&text, "The kernel killed worker (pid:%ld): the container has used up its memory (limit %s)", (long)obituary->pid,
		         limit);
	else
		buf_addf(&text, "Worker (pid:%ld) was killed for its use of memory", (long)obituary->pid);
	buf_addf(&text, "; last readings: RSS %s, sockets %s, service %s; requests in flight: ", rss, sockets, used);
	for (size_t i = 0; i < obituary->request_count; i++)
		buf_addf(&text, "%s%s %s (%.1f s)", i > 0 ? ", " : "", obituary->requests[i].method, obituary->requests[i].path,
		         (double)obituary->requests[i].age_ms / 1000);
	if (obituary->request_count == 0)
		buf_add_str(&text, "none");
	/* tests wait for this line */
	log_error("%s", buf_text(&text));
	buf_release(&text);
	free(rss);
	free(sockets);
	free(limit);
	free(used);
}

static void say(const struct obituary *obituary, const struct slot_facts *facts)
{
	if (obituary->signal != 0)
		say_signal(obituary, facts);
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

static void note_requests(struct obituary *obituary, const struct board_reading *reading, uint64_t now_ms)
{
	for (size_t i = 0; i < reading->request_count && obituary->request_count < OBITUARY_REQUESTS; i++) {
		const size_t at = obituary->request_count++;

		memcpy(obituary->requests[at].method, reading->requests[i].method, sizeof(obituary->requests[at].method));
		memcpy(obituary->requests[at].path, reading->requests[i].path, sizeof(obituary->requests[at].path));
		obituary->requests[at].age_ms = now_ms - reading->requests[i].started_ms;
	}
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
	obituary->was_ours = facts->was_killed;
	obituary->kernel_kill = obituary->signal == SIGKILL && !facts->was_killed ? memory_was_kernel_kill(master) : -1;
	if (obituary->kernel_kill == 1)
		obituary->reason = REASON_KERNEL_OOM;
	memory_describe_worker(master, slot, &obituary->rss_bytes, &obituary->sockets_bytes);
	note_requests(obituary, &reading, now_ms);
	counter_sums_add(&obituaries->sums, &reading, false);
	latency_note_end(&master->latency, reading.latencies);
	obituaries->by_reason[obituary->reason]++;
	obituaries->total++;
	say(obituary, facts);
	if (obituary->kernel_kill == 0)
		log_info("Worker (pid:%ld) was not killed by the kernel for want of memory: its count of such kills has not moved",
		         (long)obituary->pid);
	if (obituary->kernel_kill == 1 || facts->is_memory_kill)
		say_memory(master, obituary);
	return obituary;
}
