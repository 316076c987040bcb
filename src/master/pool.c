/* SPDX-License-Identifier: MIT */
/*
 * pool.c - all slots together.
 *
 * Pure: counts, compares, and fills a list of wishes. Called by master.c after each event. Never steps a slot, forks, kills,
 * reads a clock or logs.
 */
#include "base/base.h"

#include "master/pool.h"

#include "base/check.h"

/* What a look over all slots finds. Candidates (slots younger than the pool's generation) are not in it. */
struct census {
	long serving;       /* SERVING, fresh or not */
	long fresh_serving; /* SERVING, of this generation, did not ask for a successor */
	long fresh_booting; /* SPAWNING or BOOTING, of this generation */
	long leaving;       /* RETIRING or KILLED, and to be replaced: while there is no room they still hold their place */
};

void pool_init(struct pool *pool)
{
	memset(pool, 0, sizeof(*pool));
	pool->max_recycling = 1;
	pool->next_serial = 1;
}

void pool_release(struct pool *pool)
{
	for (uint32_t i = 0; i < pool->slot_count; i++)
		slot_free(pool->slots[i]);
	memset(pool, 0, sizeof(*pool));
}

static bool is_candidate(const struct pool *pool, const struct slot *slot)
{
	return slot_facts_const(slot)->generation > pool->generation;
}

static bool is_outdated(const struct pool *pool, const struct slot *slot)
{
	return slot_facts_const(slot)->generation < pool->generation;
}

static bool is_booting(const struct slot *slot)
{
	return slot_state(slot) == SLOT_SPAWNING || slot_state(slot) == SLOT_BOOTING;
}

static struct census take_census(const struct pool *pool)
{
	struct census census = { 0, 0, 0, 0 };

	for (uint32_t i = 0; i < pool->slot_count; i++) {
		const struct slot *slot = pool->slots[i];

		if (is_candidate(pool, slot))
			continue;
		if (slot_state(slot) == SLOT_SERVING) {
			census.serving++;
			if (!is_outdated(pool, slot) && !slot_facts_const(slot)->wants_recycle)
				census.fresh_serving++;
		} else if (is_booting(slot) && !is_outdated(pool, slot)) {
			census.fresh_booting++;
		} else if ((slot_state(slot) == SLOT_RETIRING || slot_state(slot) == SLOT_KILLED) && slot_reason_is_recycling(slot_facts_const(slot)->reason)) {
			census.leaving++;
		}
	}
	return census;
}

/* How many to fork now: all that capacity lacks, but successors only max_recycling at a time. */
static long spawns_wanted(const struct pool *pool, const struct census *census)
{
	long needed = pool->target - census->fresh_serving - census->fresh_booting;
	long lacking = pool->target - census->serving - census->fresh_booting - (pool->has_no_room ? census->leaving : 0);
	long wanted = MAX(0, MIN(needed, lacking));
	long successors = pool->has_no_room ? 0 : (long)pool->max_recycling - census->fresh_booting - wanted;

	if (needed > wanted && successors > 0)
		wanted += MIN(needed - wanted, successors);
	return MAX(0, wanted);
}

struct slot *pool_find_empty(struct pool *pool)
{
	for (uint32_t i = 0; i < pool->slot_count; i++)
		if (slot_state(pool->slots[i]) == SLOT_EMPTY)
			return pool->slots[i];
	if (pool->slot_count == BOARD_SLOTS)
		return NULL;
	pool->slots[pool->slot_count] = slot_new(pool->slot_count);
	return pool->slots[pool->slot_count++];
}

static size_t plan_spawns(struct pool *pool, const struct census *census, uint64_t now_ms, struct wish *wishes, size_t max)
{
	long wanted = spawns_wanted(pool, census);
	size_t count = 0;

	pool->has_postponed = wanted > 0 && pool->can_fork && now_ms < pool->not_before_ms;
	if (wanted == 0 || !pool->can_fork || pool->has_postponed)
		return 0;
	for (uint32_t i = 0; i < BOARD_SLOTS && count < max && wanted > 0; i++) {
		if (i == pool->slot_count) {
			pool->slots[i] = slot_new(i);
			pool->slot_count++;
		}
		if (slot_state(pool->slots[i]) != SLOT_EMPTY)
			continue;
		wishes[count++] = (struct wish){ WISH_SPAWN, i, REASON_NONE };
		wanted--;
	}
	return count;
}

/* The order in which serving workers are let go: outdated before recycled before surplus, then the one that waits longest. */
static bool goes_before(const struct pool *pool, const struct slot *a, const struct slot *b)
{
	const struct slot_facts *fa = slot_facts_const(a);
	const struct slot_facts *fb = slot_facts_const(b);

	if (is_outdated(pool, a) != is_outdated(pool, b))
		return is_outdated(pool, a);
	if (fa->wants_recycle != fb->wants_recycle)
		return fa->wants_recycle;
	if (fa->wants_recycle && fa->recycle_gain != fb->recycle_gain)
		return fa->recycle_gain > fb->recycle_gain;
	if (fa->wants_recycle && fa->recycle_ms != fb->recycle_ms)
		return fa->recycle_ms < fb->recycle_ms;
	return fa->serial < fb->serial;
}

static bool is_wished(const struct wish *wishes, size_t count, uint32_t slot)
{
	for (size_t i = 0; i < count; i++)
		if (wishes[i].kind == WISH_RETIRE && wishes[i].slot == slot)
			return true;
	return false;
}

static const struct slot *next_to_go(const struct pool *pool, const struct wish *wishes, size_t count)
{
	const struct slot *best = NULL;

	for (uint32_t i = 0; i < pool->slot_count; i++) {
		const struct slot *slot = pool->slots[i];

		if (slot_state(slot) != SLOT_SERVING || is_candidate(pool, slot) || is_wished(wishes, count, i))
			continue;
		if (best == NULL || goes_before(pool, slot, best))
			best = slot;
	}
	return best;
}

static enum slot_reason reason_to_go(const struct pool *pool, const struct slot *slot)
{
	if (is_outdated(pool, slot))
		return REASON_RELOAD;
	return slot_facts_const(slot)->wants_recycle ? slot_facts_const(slot)->recycle_reason : REASON_SURPLUS;
}

/* Without room for a successor the old one goes first; as few as would otherwise be doubled. */
static size_t plan_drains(const struct pool *pool, struct census *census, struct wish *wishes, size_t max)
{
	size_t count = 0;

	if (!pool->has_no_room || !pool->can_fork)
		return 0;
	while (count < max && census->leaving + census->fresh_booting < (long)pool->max_recycling &&
	       census->serving > census->fresh_serving && census->serving <= pool->target) {
		const struct slot *slot = next_to_go(pool, wishes, count);

		CHECK(slot != NULL);
		wishes[count++] = (struct wish){ WISH_RETIRE, slot_index(slot), reason_to_go(pool, slot) };
		census->serving--;
		census->leaving++;
	}
	return count;
}

static size_t plan_retirements(const struct pool *pool, struct census census, struct wish *wishes, size_t max)
{
	size_t count = 0;

	for (long surplus = census.serving - pool->target; surplus > 0 && count < max; surplus--) {
		const struct slot *slot = next_to_go(pool, wishes, count);

		CHECK(slot != NULL);
		wishes[count++] = (struct wish){ WISH_RETIRE, slot_index(slot), reason_to_go(pool, slot) };
		if (!is_outdated(pool, slot) && !slot_facts_const(slot)->wants_recycle)
			census.fresh_serving--;
	}
	/* Workers that still boot and are no longer wanted, the youngest first. */
	long surplus = census.fresh_serving + census.fresh_booting - pool->target;

	for (uint32_t i = pool->slot_count; i-- > 0 && count < max;) {
		const struct slot *slot = pool->slots[i];

		if (!is_booting(slot) || is_candidate(pool, slot))
			continue;
		if (is_outdated(pool, slot)) {
			wishes[count++] = (struct wish){ WISH_RETIRE, i, REASON_RELOAD };
		} else if (surplus > 0) {
			wishes[count++] = (struct wish){ WISH_RETIRE, i, REASON_SURPLUS };
			surplus--;
		}
	}
	return count;
}

size_t pool_plan(struct pool *pool, uint64_t now_ms, struct wish *ret_wishes, size_t max)
{
	struct census census = take_census(pool);
	size_t count = plan_spawns(pool, &census, now_ms, ret_wishes, max);

	count += plan_drains(pool, &census, ret_wishes + count, max - count);
	return count + plan_retirements(pool, census, ret_wishes + count, max - count);
}

struct slot *pool_slot(const struct pool *pool, uint32_t index)
{
	return index < pool->slot_count ? pool->slots[index] : NULL;
}

struct slot *pool_find_pid(const struct pool *pool, pid_t pid)
{
	for (uint32_t i = 0; i < pool->slot_count; i++)
		if (slot_state(pool->slots[i]) != SLOT_EMPTY && slot_facts_const(pool->slots[i])->pid == pid)
			return pool->slots[i];
	return NULL;
}

void pool_note_failure(struct pool *pool, uint32_t generation, uint64_t spawned_ms, uint64_t now_ms)
{
	uint64_t wait_ms = POOL_BACKOFF_FIRST_MS;

	/* What a broken candidate does is no reason for the serving generation to wait. */
	if (generation != pool->generation || now_ms - spawned_ms >= POOL_YOUNG_MS)
		return;
	if (pool->young_deaths > 0 && now_ms - pool->young_death_ms >= POOL_CALM_MS)
		pool->young_deaths = 0;
	pool->young_death_ms = now_ms;
	/* The first one is replaced at once, as gunicorn does. */
	if (pool->young_deaths++ == 0)
		return;
	for (uint32_t i = 2; i < pool->young_deaths && wait_ms < POOL_BACKOFF_MAX_MS; i++)
		wait_ms *= 2;
	pool->not_before_ms = now_ms + MIN(wait_ms, (uint64_t)POOL_BACKOFF_MAX_MS);
}

uint32_t pool_live(const struct pool *pool)
{
	uint32_t live = 0;

	for (uint32_t i = 0; i < pool->slot_count; i++)
		live += slot_state(pool->slots[i]) != SLOT_EMPTY;
	return live;
}

uint32_t pool_count(const struct pool *pool, enum slot_state state)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < pool->slot_count; i++)
		count += slot_state(pool->slots[i]) == state;
	return count;
}

uint32_t pool_live_of(const struct pool *pool, uint32_t generation)
{
	uint32_t live = 0;

	for (uint32_t i = 0; i < pool->slot_count; i++)
		live += slot_state(pool->slots[i]) != SLOT_EMPTY && slot_facts_const(pool->slots[i])->generation == generation;
	return live;
}

uint64_t pool_old_ms(const struct slot *slot)
{
	const struct slot_facts *facts = slot_facts_const(slot);

	if (facts->age_limit_ms == 0 || facts->wants_recycle || slot_state(slot) != SLOT_SERVING)
		return 0;
	return facts->ready_ms + facts->age_limit_ms;
}

uint64_t pool_next_ms(const struct pool *pool)
{
	uint64_t next_ms = pool->has_postponed && pool->can_fork ? pool->not_before_ms : 0;

	for (uint32_t i = 0; i < pool->slot_count; i++) {
		uint64_t timer_ms = slot_timer_ms(pool->slots[i]);

		if (timer_ms != 0 && (next_ms == 0 || timer_ms < next_ms))
			next_ms = timer_ms;
		timer_ms = pool_old_ms(pool->slots[i]);
		if (timer_ms != 0 && (next_ms == 0 || timer_ms < next_ms))
			next_ms = timer_ms;
	}
	return next_ms;
}
