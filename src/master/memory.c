/* SPDX-License-Identifier: MIT */
/*
 * memory.c - watches memory: what is in force, and when to look.
 *
 * Called by master.c each 20 to 50 ms while there is a budget, else each second. Readings are memory_read.c's, what
 * follows from them memory_act.c's. Never waits.
 */
#include "base/base.h"

#include "master/memory_internal.h"

#include "base/clock.h"
#include "base/log.h"
#include "master/master.h"
#include "master/templates.h"
#include "master/workers.h"

enum {
	BASELINE_MS = 60000, /* or so many requests: the application has warmed up */
	BASELINE_REQUESTS = 50,
	BOOT_KILLS = 3,      /* workers killed before any has served: the limit is too small for the service */
	KILL_NEWS_MS = 5000, /* so long after the kernel's count has moved a worker's end may be the reason */
};

struct memory_track *memory_track_make(struct worker_handle *handle)
{
	if (handle->memory == NULL) {
		handle->memory = xcalloc(1, sizeof(*handle->memory));
		handle->memory->baseline_bytes = READING_UNKNOWN;
		handle->memory->remedy = REMEDY_MAX;
	}
	return handle->memory;
}

const struct memory_track *memory_track_of(const struct master *master, uint32_t slot)
{
	return master->handles[slot] != NULL ? master->handles[slot]->memory : NULL;
}

void memory_forget(struct worker_handle *handle)
{
	free(handle->memory);
	handle->memory = NULL;
}

bool memory_has_process(const struct slot *slot)
{
	const enum slot_state state = slot_state(slot);

	return state == SLOT_BOOTING || state == SLOT_SERVING || state == SLOT_RETIRING || state == SLOT_ABORTING;
}

/* ---- what is in force ---- */

static bool has_said(const struct memory *memory, const char *sentence)
{
	for (size_t i = 0; i < memory->refusals.count; i++)
		if (strcmp(memory->refusals.items[i], sentence) == 0)
			return true;
	return false;
}

static bool is_any_known(const struct budget_limits *limits)
{
	return reading_is_known(limits->limit_bytes) || reading_is_known(limits->worker.soft_bytes) ||
	       reading_is_known(limits->worker.hard_bytes) || reading_is_known(limits->request_bytes) || limits->is_request_auto ||
	       reading_is_known(limits->sockets.soft_bytes) || reading_is_known(limits->worker_sockets.soft_bytes);
}

static unsigned allowed_remedies(const struct settings *settings)
{
	unsigned allowed = 0;

	for (size_t i = 0; i < settings->memory_remedies.count; i++)
		for (unsigned remedy = 0; remedy < REMEDY_MAX; remedy++)
			if (strcasecmp(settings->memory_remedies.items[i], remedy_name((enum remedy)remedy)) == 0)
				allowed |= 1U << remedy;
	return allowed;
}

static void resolve(struct master *master, bool says)
{
	struct memory *memory = &master->memory;
	struct strlist refusals;

	strlist_init(&refusals);
	budget_resolve(&master->settings, &memory->container, &memory->facts, &memory->limits, &refusals);
	memory->allowed = allowed_remedies(&master->settings);
	memory->is_watching = is_any_known(&memory->limits);
	/* Each is said once, not at each look. */
	for (size_t i = 0; i < refusals.count; i++)
		if (!has_said(memory, refusals.items[i]))
			log_error("%s", refusals.items[i]);
	strlist_release(&memory->refusals);
	memory->refusals = refusals;
	strlist_release(&memory->sentences);
	strlist_init(&memory->sentences);
	budget_describe(&master->settings, &memory->container, &memory->limits, &memory->sentences);
	if (says)
		for (size_t i = 0; i < memory->sentences.count; i++)
			log_info("Memory: %s", memory->sentences.items[i]);
}

void memory_start(struct master *master)
{
	struct memory *memory = &master->memory;

	if (memory->cgroup == NULL)
		memory->cgroup = cgroup_new("");
	memory->facts = (struct budget_facts){ READING_UNKNOWN, READING_UNKNOWN, READING_UNKNOWN, READING_UNKNOWN };
	memory->used_bytes = memory->socket_bytes = memory->agent_socket_bytes = READING_UNKNOWN;
	memory->own_rss_bytes = memory->template_rss_bytes = READING_UNKNOWN;
	cgroup_read(memory->cgroup, &memory->container);
	memory->kills_seen = memory->container.oom_kill_total;
	resolve(master, true);
	memory->next_ms = clock_ms();
}

void memory_print(const struct settings *settings, FILE *out)
{
	const struct budget_facts facts = { READING_UNKNOWN, READING_UNKNOWN, READING_UNKNOWN, READING_UNKNOWN };
	struct cgroup *cgroup = cgroup_new("");
	struct cgroup_reading container;
	struct budget_limits limits;
	struct strlist sentences;

	strlist_init(&sentences);
	cgroup_read(cgroup, &container);
	budget_resolve(settings, &container, &facts, &limits, &sentences);
	budget_describe(settings, &container, &limits, &sentences);
	for (size_t i = 0; i < sentences.count; i++)
		(void)fprintf(out, "# %s\n", sentences.items[i]);
	strlist_release(&sentences);
	cgroup_free(cgroup);
}

void memory_release(struct memory *memory)
{
	cgroup_free(memory->cgroup);
	sockdiag_free(memory->sockdiag);
	strlist_release(&memory->sentences);
	strlist_release(&memory->refusals);
	memset(memory, 0, sizeof(*memory));
}

/* Baseline and room for a successor, from a worker of this generation that is ready. True: they have changed. */
static bool learn(struct master *master, const struct slot *slot, const struct memory_track *track)
{
	struct budget_facts *facts = &master->memory.facts;
	const struct budget_facts before = *facts;
	const uint64_t shared = reading_is_known(master->memory.template_rss_bytes) ? master->memory.template_rss_bytes : 0;
	const uint64_t boot_bytes = MAX(memory_above(track->ready_rss_bytes, shared), MEMORY_LEAST_BOOT_BYTES);

	if (slot_facts_const(slot)->generation != master->pool.generation || !reading_is_known(track->baseline_bytes))
		return false;
	facts->boot_ms = slot_facts_const(slot)->ready_ms - slot_facts_const(slot)->spawned_ms;
	facts->boot_bytes = reading_is_known(facts->boot_bytes) ? MAX(facts->boot_bytes, boot_bytes) : boot_bytes;
	facts->baseline_bytes = reading_is_known(facts->baseline_bytes) ? MAX(facts->baseline_bytes, track->baseline_bytes)
	                                                                : track->baseline_bytes;
	return facts->boot_bytes != before.boot_bytes || facts->baseline_bytes != before.baseline_bytes;
}

void memory_on_generation(struct master *master)
{
	struct memory *memory = &master->memory;

	master->pool.max_recycling = (uint32_t)MAX(master->settings.max_recycling, 1L);
	master->pool.has_no_room = false;
	memory->boot_kills = 0;
	memory->facts = (struct budget_facts){ READING_UNKNOWN, READING_UNKNOWN, READING_UNKNOWN, READING_UNKNOWN };
	if (memory->cgroup == NULL)
		return;
	/* The canary was ready before its generation took over. */
	for (uint32_t i = 0; i < master->pool.slot_count; i++)
		if (memory_track_of(master, i) != NULL)
			(void)learn(master, master->pool.slots[i], memory_track_of(master, i));
	resolve(master, master->pool.generation > 1);
}

void memory_on_ready(struct master *master, struct slot *slot)
{
	struct worker_handle *handle = master->handles[slot_index(slot)];
	struct memory_track *track = memory_track_make(handle);
	uint64_t rss;

	if (master->memory.cgroup == NULL || procmem_read(&handle->procmem, &rss) != 0 || rss == 0)
		return;
	/* How it grew while it loaded says nothing of how it will. */
	series_clear(&track->rss);
	series_add(&track->rss, clock_ms(), rss);
	track->ready_rss_bytes = rss;
	track->baseline_bytes = memory_measure_of(master, track);
	if (learn(master, slot, track))
		resolve(master, false);
}

/* The application has warmed up: but what it grew by in fifty requests may be the leak itself. */
static void settle_baseline(struct master *master, const struct slot *slot, struct memory_track *track, uint64_t now_ms)
{
	const struct slot_facts *facts = slot_facts_const(slot);
	const struct board_line *line = board_line(&master->board, slot_index(slot));

	if (track->is_baseline_final || facts->ready_ms == 0 || !reading_is_known(track->baseline_bytes))
		return;
	if (now_ms - facts->ready_ms < BASELINE_MS &&
	    atomic_load_explicit(&line->requests_total, memory_order_relaxed) < BASELINE_REQUESTS)
		return;
	track->is_baseline_final = true;
	track->baseline_bytes = MIN(MAX(memory_measure_of(master, track), track->baseline_bytes), 2 * track->baseline_bytes);
}

/* All live workers serve, and are of this generation; of another master's nothing is known. */
static bool has_just_started(const struct master *master)
{
	for (uint32_t i = 0; i < master->pool.slot_count; i++) {
		const struct slot *slot = master->pool.slots[i];

		if (slot_state(slot) != SLOT_EMPTY &&
		    (slot_state(slot) != SLOT_SERVING || slot_facts_const(slot)->generation != master->pool.generation))
			return false;
	}
	return master->pool.target > 0 && (long)pool_count(&master->pool, SLOT_SERVING) == master->pool.target &&
	       !upgrade_is_second(master);
}

/* What the service uses when all its workers have just started. */
static void settle_service(struct master *master)
{
	struct memory *memory = &master->memory;

	if (reading_is_known(memory->facts.service_bytes) || !reading_is_known(memory->used_bytes) || !has_just_started(master))
		return;
	memory->facts.service_bytes = memory->used_bytes;
	resolve(master, false);
}

void memory_on_boot_kill(struct master *master)
{
	struct memory *memory = &master->memory;

	if (++memory->boot_kills < BOOT_KILLS || reading_is_known(memory->facts.service_bytes))
		return;
	/* It needs more than that to start at all. */
	memory->facts.service_bytes = MAX(memory->used_bytes, memory->limits.limit_bytes) + 1;
	resolve(master, false);
}

/* Others than our workers may have been killed: that is no news of the next one that ends. */
static void forget_old_kills(struct memory *memory, uint64_t now_ms)
{
	const uint64_t total = memory->container.oom_kill_total;

	if (total != memory->kills_total) {
		memory->kills_total = total;
		memory->kills_ms = now_ms;
	}
	if (now_ms - memory->kills_ms > KILL_NEWS_MS)
		memory->kills_seen = total;
}

static void look_slowly(struct master *master, uint64_t now_ms)
{
	struct memory *memory = &master->memory;
	const uint64_t limit_before = memory->container.limit_bytes;

	memory_read_slowly(master, now_ms);
	for (uint32_t i = 0; i < master->pool.slot_count; i++)
		if (memory_has_process(master->pool.slots[i]) && master->handles[i] != NULL)
			settle_baseline(master, master->pool.slots[i], memory_track_make(master->handles[i]), now_ms);
	settle_service(master);
	forget_old_kills(memory, now_ms);
	if (memory->container.limit_bytes != limit_before) {
		log_info("The container's memory limit has changed");
		resolve(master, true);
	}
}

void memory_on_time(struct master *master, uint64_t now_ms)
{
	struct memory *memory = &master->memory;
	bool is_busy;

	if (memory->cgroup == NULL || now_ms < memory->next_ms)
		return;
	is_busy = memory_read_workers(master, now_ms);
	memory_read_use(master, now_ms);
	if (now_ms >= memory->slow_ms)
		look_slowly(master, now_ms);
	if (reading_is_known(memory->used_bytes))
		series_add(&memory->used, now_ms, memory->used_bytes);
	if (memory->is_watching)
		memory_act(master, now_ms);
	is_busy = is_busy || memory->level != LEVEL_NONE || memory_above(memory->used_bytes, memory->limits.service.soft_bytes / 2) > 0;
	memory->next_ms = now_ms + (!memory->is_watching ? MEMORY_SLOW_MS : is_busy ? MEMORY_FAST_MS : MEMORY_CALM_MS);
}

/* ---- for others ---- */

int memory_was_kernel_kill(struct master *master)
{
	struct memory *memory = &master->memory;

	if (memory->cgroup == NULL)
		return -1;
	cgroup_read(memory->cgroup, &memory->container);
	if (!reading_is_known(memory->container.oom_kill_total) || !reading_is_known(memory->kills_seen))
		return -1;
	if (memory->container.oom_kill_total <= memory->kills_seen)
		return 0;
	/* Several may have been killed: one for each of them. */
	memory->kills_seen++;
	return 1;
}

void memory_describe_worker(struct master *master, const struct slot *slot, uint64_t *ret_rss_bytes, uint64_t *ret_sockets_bytes)
{
	const struct memory_track *track = memory_track_of(master, slot_index(slot));

	*ret_rss_bytes = *ret_sockets_bytes = READING_UNKNOWN;
	if (track == NULL)
		return;
	*ret_rss_bytes = track->rss.fine_count > 0 ? series_last(&track->rss) : READING_UNKNOWN;
	*ret_sockets_bytes = memory_sockets_of(track);
}
