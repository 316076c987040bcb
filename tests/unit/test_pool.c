/* SPDX-License-Identifier: MIT */
/*
 * test_pool.c - how many workers, which one next, who goes, when to wait. A small stand-in carries the wishes out.
 */
#include "base/base.h"

#include <criterion/criterion.h>

#include "master/pool.h"

static const struct slot_limits limits = { .graceful_ms = 30000, .abort_ms = 1000 };
static struct pool pool;

static void setup(void)
{
	pool_init(&pool);
	pool.generation = 1;
	pool.can_fork = true;
}

static void teardown(void)
{
	pool_release(&pool);
}

TestSuite(pool, .init = setup, .fini = teardown);

static void step(uint32_t index, enum slot_event event, uint64_t now_ms)
{
	(void)slot_step(pool.slots[index], event, &limits, now_ms);
}

/* Carries the wishes out as the master does; returns how many there were. */
static size_t follow(uint64_t now_ms)
{
	struct wish wishes[64];
	size_t count = pool_plan(&pool, now_ms, wishes, ARRAY_LEN(wishes));

	for (size_t i = 0; i < count; i++) {
		struct slot *slot = pool_slot(&pool, wishes[i].slot);

		if (wishes[i].kind == WISH_RETIRE) {
			slot_facts(slot)->reason = wishes[i].reason;
			step(wishes[i].slot, SLOT_EVENT_RETIRE, now_ms);
			continue;
		}
		*slot_facts(slot) = (struct slot_facts){ .serial = pool.next_serial++, .generation = pool.generation };
		slot_facts(slot)->pid = (pid_t)(1000 + slot_facts(slot)->serial);
		step(wishes[i].slot, SLOT_EVENT_WANTED, now_ms);
		step(wishes[i].slot, SLOT_EVENT_SPAWNED, now_ms);
	}
	return count;
}

static void all_ready(uint64_t now_ms)
{
	for (uint32_t i = 0; i < pool.slot_count; i++)
		if (slot_state(pool.slots[i]) == SLOT_BOOTING)
			step(i, SLOT_EVENT_READY, now_ms);
}

static void serve(long target)
{
	pool.target = target;
	(void)follow(0);
	all_ready(0);
	cr_assert_eq(follow(0), 0);
	cr_assert_eq(pool_count(&pool, SLOT_SERVING), target);
}

/* Wishes to be carried out until there are none; every worker boots at once, every retired one leaves at once. */
static void settle(uint64_t now_ms)
{
	for (int i = 0; i < 100; i++) {
		(void)follow(now_ms);
		all_ready(now_ms);
		for (uint32_t j = 0; j < pool.slot_count; j++)
			if (slot_state(pool.slots[j]) == SLOT_RETIRING)
				step(j, SLOT_EVENT_EXITED, now_ms);
	}
	cr_assert_eq(follow(now_ms), 0, "the plan settles");
}

Test(pool, starts_all_missing_workers_at_once)
{
	pool.target = 4;
	cr_assert_eq(follow(0), 4);
	cr_assert_eq(pool_count(&pool, SLOT_BOOTING), 4);
	cr_assert_eq(follow(0), 0, "asked once");
}

Test(pool, wishes_nothing_while_its_template_cannot_fork)
{
	pool.target = 4;
	pool.can_fork = false;
	cr_assert_eq(follow(0), 0);
}

Test(pool, replaces_a_dead_worker_in_the_same_slot)
{
	serve(3);
	step(1, SLOT_EVENT_EXITED, 10000);
	cr_assert_eq(follow(10000), 1);
	cr_assert_eq(slot_state(pool.slots[1]), SLOT_BOOTING);
}

Test(pool, a_successor_serves_before_the_recycled_worker_retires)
{
	serve(2);
	slot_facts(pool.slots[0])->wants_recycle = true;
	slot_facts(pool.slots[0])->recycle_reason = REASON_MAX_REQUESTS;
	cr_assert_eq(follow(1), 1);
	cr_assert_eq(slot_state(pool.slots[0]), SLOT_SERVING);
	cr_assert_eq(slot_state(pool.slots[2]), SLOT_BOOTING);
	cr_assert_eq(follow(2), 0, "waits for the successor");
	step(2, SLOT_EVENT_READY, 3);
	cr_assert_eq(follow(3), 1);
	cr_assert_eq(slot_state(pool.slots[0]), SLOT_RETIRING);
	cr_assert_eq(slot_facts(pool.slots[0])->reason, REASON_MAX_REQUESTS);
	cr_assert_eq(pool_count(&pool, SLOT_SERVING), 2);
}

Test(pool, only_max_recycling_successors_boot_at_a_time)
{
	serve(4);
	for (uint32_t i = 0; i < 4; i++)
		slot_facts(pool.slots[i])->wants_recycle = true;
	cr_assert_eq(follow(1), 1);
	pool.max_recycling = 3;
	cr_assert_eq(follow(2), 2);
	cr_assert_eq(pool_count(&pool, SLOT_BOOTING), 3);
}

Test(pool, of_several_recycled_workers_the_one_that_waits_longest_goes_first)
{
	serve(2);
	slot_facts(pool.slots[0])->wants_recycle = true;
	slot_facts(pool.slots[0])->recycle_ms = 50;
	slot_facts(pool.slots[1])->wants_recycle = true;
	slot_facts(pool.slots[1])->recycle_ms = 40;
	(void)follow(60);
	all_ready(60);
	(void)follow(60);
	cr_assert_eq(slot_state(pool.slots[1]), SLOT_RETIRING);
	cr_assert_eq(slot_state(pool.slots[0]), SLOT_SERVING);
}

Test(pool, a_new_generation_rolls_over_one_by_one_without_a_gap)
{
	serve(3);
	pool.generation = 2;
	for (uint32_t left = 3; left > 0; left--) {
		/* One successor boots, and nobody goes before it serves. */
		while (follow(10) > 0)
			;
		cr_assert_eq(pool_count(&pool, SLOT_BOOTING), 1);
		cr_assert_eq(pool_count(&pool, SLOT_SERVING), 3);
		all_ready(10);
	}
	settle(10);
	cr_assert_eq(pool_live_of(&pool, 1), 0);
	cr_assert_eq(pool_live_of(&pool, 2), 3);
}

Test(pool, candidates_of_a_reload_are_left_alone)
{
	serve(2);

	struct slot *canary = pool_find_empty(&pool);

	slot_facts(canary)->generation = 2;
	step(slot_index(canary), SLOT_EVENT_WANTED, 1);
	step(slot_index(canary), SLOT_EVENT_SPAWNED, 1);
	cr_assert_eq(follow(1), 0);
	step(slot_index(canary), SLOT_EVENT_READY, 2);
	cr_assert_eq(follow(2), 0);
}

Test(pool, ttou_retires_the_oldest)
{
	serve(3);
	pool.target = 2;
	cr_assert_eq(follow(1), 1);
	cr_assert_eq(slot_state(pool.slots[0]), SLOT_RETIRING);
	cr_assert_eq(slot_facts(pool.slots[0])->reason, REASON_SURPLUS);
	cr_assert_eq(follow(1), 0);
}

Test(pool, ttou_while_workers_boot_stops_the_youngest_of_those)
{
	pool.target = 3;
	(void)follow(0);
	step(0, SLOT_EVENT_READY, 1);
	pool.target = 1;
	cr_assert_eq(follow(2), 2);
	cr_assert_eq(slot_state(pool.slots[0]), SLOT_SERVING);
	cr_assert_eq(pool_count(&pool, SLOT_RETIRING), 2);
}

Test(pool, target_zero_retires_everybody)
{
	serve(3);
	pool.target = 0;
	settle(1);
	cr_assert_eq(pool_live(&pool), 0);
}

Test(pool, a_recycled_worker_is_not_replaced_when_fewer_are_wanted)
{
	serve(2);
	slot_facts(pool.slots[1])->wants_recycle = true;
	pool.target = 1;
	cr_assert_eq(follow(1), 1);
	cr_assert_eq(slot_state(pool.slots[1]), SLOT_RETIRING, "the one that wanted to leave anyway");
	cr_assert_eq(follow(1), 0);
}

Test(pool, the_first_young_death_is_replaced_at_once_the_next_ones_wait_twice_as_long_each)
{
	static const uint64_t waits_ms[] = { 0, 100, 200, 400, 800, 1600, 3200, 5000, 5000 };
	uint64_t now_ms = 1000;

	for (size_t i = 0; i < ARRAY_LEN(waits_ms); i++) {
		pool_note_failure(&pool, 1, now_ms - 10, now_ms);
		cr_assert_eq(MAX(pool.not_before_ms, now_ms), now_ms + waits_ms[i], "%zu", i);
		now_ms += waits_ms[i] + 10;
	}
}

Test(pool, a_postponed_fork_is_made_when_the_time_has_come)
{
	serve(1);
	step(0, SLOT_EVENT_EXITED, 100);
	pool_note_failure(&pool, 1, 90, 100);
	pool_note_failure(&pool, 1, 90, 100);
	cr_assert_eq(follow(100), 0);
	cr_assert_eq(pool_next_ms(&pool), 200);
	cr_assert_eq(follow(200), 1);
}

Test(pool, an_old_worker_that_dies_does_not_slow_its_replacement)
{
	pool_note_failure(&pool, 1, 0, POOL_YOUNG_MS);
	pool_note_failure(&pool, 1, 0, POOL_YOUNG_MS + 1);
	cr_assert_eq(pool.not_before_ms, 0);
}

Test(pool, young_deaths_long_ago_are_forgotten)
{
	for (int i = 0; i < 5; i++)
		pool_note_failure(&pool, 1, 0, 10);

	uint64_t later_ms = 10 + POOL_CALM_MS;

	pool_note_failure(&pool, 1, later_ms - 1, later_ms);
	cr_assert_leq(pool.not_before_ms, later_ms);
}

Test(pool, does_not_go_beyond_the_last_slot)
{
	struct wish wishes[8];

	for (uint32_t i = 0; i < BOARD_SLOTS; i++) {
		struct slot *slot = pool_find_empty(&pool);

		cr_assert_not_null(slot);
		slot_facts(slot)->generation = 1;
		step(slot_index(slot), SLOT_EVENT_WANTED, 1);
	}
	cr_assert_null(pool_find_empty(&pool));
	pool.target = BOARD_SLOTS + 5;
	cr_assert_eq(pool_plan(&pool, 1, wishes, ARRAY_LEN(wishes)), 0);
}

/* Random events for many rounds: never fewer serving than wanted but for deaths, never more processes than twice that. */
Test(pool, survives_random_events)
{
	unsigned seed = 12345;

	serve(4);
	for (uint64_t now_ms = 1; now_ms < 20000; now_ms++) {
		seed = seed * 1103515245u + 12345u;

		uint32_t index = (seed >> 16) % pool.slot_count;
		struct slot *slot = pool.slots[index];

		switch ((seed >> 8) % 6) {
		case 0:
			if (slot_allows(slot, SLOT_EVENT_READY))
				step(index, SLOT_EVENT_READY, now_ms);
			break;
		case 1:
			if (slot_state(slot) == SLOT_RETIRING || (seed & 64))
				if (slot_allows(slot, SLOT_EVENT_EXITED))
					step(index, SLOT_EVENT_EXITED, now_ms);
			break;
		case 2:
			if (slot_state(slot) == SLOT_SERVING)
				slot_facts(slot)->wants_recycle = true;
			break;
		case 3:
			if ((seed & 0xf0000) == 0)
				pool.generation++;
			break;
		case 4:
			pool.target = 1 + (long)((seed >> 4) % 5);
			break;
		default:
			all_ready(now_ms);
			break;
		}
		(void)follow(now_ms);
		cr_assert_leq(pool_count(&pool, SLOT_SERVING) + pool_count(&pool, SLOT_BOOTING), 11);
	}
	settle(20000);
	cr_assert_eq(pool_count(&pool, SLOT_SERVING), pool.target);
	cr_assert_eq(pool_live_of(&pool, pool.generation), pool.target);
}

Test(pool, a_candidate_that_fails_does_not_slow_the_serving_generation)
{
	for (int i = 0; i < 10; i++)
		pool_note_failure(&pool, 2, 90, 100);
	pool.target = 1;
	cr_assert_eq(follow(100), 1);
}

Test(pool, a_postponed_fork_waits_for_nothing_once_there_is_no_template)
{
	pool.target = 1;
	pool_note_failure(&pool, 1, 90, 100);
	pool_note_failure(&pool, 1, 90, 100);
	cr_assert_eq(follow(100), 0);
	cr_assert_neq(pool_next_ms(&pool), 0);
	pool.can_fork = false;
	cr_assert_eq(pool_next_ms(&pool), 0);
}

static void want_recycling(uint32_t slot, enum slot_reason reason, uint64_t gain)
{
	slot_facts(pool.slots[slot])->wants_recycle = true;
	slot_facts(pool.slots[slot])->recycle_reason = reason;
	slot_facts(pool.slots[slot])->recycle_gain = gain;
}

Test(pool, the_one_whose_end_gives_back_most_goes_first)
{
	serve(3);
	want_recycling(0, REASON_MAX_REQUESTS, 0);
	want_recycling(1, REASON_MEMORY, 50);
	want_recycling(2, REASON_MEMORY, 90);
	cr_assert_eq(follow(10), 1, "one successor at a time");
	all_ready(20);
	(void)follow(20);
	cr_assert_eq(slot_state(pool.slots[2]), SLOT_RETIRING);
	cr_assert_eq(slot_facts(pool.slots[2])->reason, REASON_MEMORY);
	cr_assert_eq(slot_state(pool.slots[0]), SLOT_SERVING);
	cr_assert_eq(slot_state(pool.slots[1]), SLOT_SERVING);
	settle(30);
	cr_assert_eq(pool_count(&pool, SLOT_SERVING), 3);
}

Test(pool, without_room_the_old_one_leaves_before_its_successor_is_forked)
{
	serve(2);
	pool.has_no_room = true;
	want_recycling(0, REASON_MEMORY, 90);
	cr_assert_eq(follow(10), 1);
	cr_assert_eq(slot_state(pool.slots[0]), SLOT_RETIRING);
	cr_assert_eq(pool_count(&pool, SLOT_BOOTING), 0);
	cr_assert_eq(follow(20), 0, "its place is not free yet");
	step(0, SLOT_EVENT_EXITED, 30);
	cr_assert_eq(follow(30), 1);
	cr_assert_eq(pool_count(&pool, SLOT_BOOTING), 1);
	all_ready(40);
	cr_assert_eq(follow(40), 0);
	cr_assert_eq(pool_count(&pool, SLOT_SERVING), 2);
}

Test(pool, without_room_only_max_recycling_leave_at_a_time)
{
	serve(4);
	pool.has_no_room = true;
	for (uint32_t i = 0; i < 4; i++)
		want_recycling(i, REASON_MAX_REQUESTS, 0);
	(void)follow(10);
	cr_assert_eq(pool_count(&pool, SLOT_RETIRING), 1);
	(void)follow(20);
	cr_assert_eq(pool_count(&pool, SLOT_RETIRING), 1);
	settle(30);
	cr_assert_eq(pool_count(&pool, SLOT_SERVING), 4);
}

Test(pool, without_room_who_crashes_is_replaced_all_the_same)
{
	serve(2);
	pool.has_no_room = true;
	step(0, SLOT_EVENT_EXITED, 10);
	cr_assert_eq(follow(10), 1);
	cr_assert_eq(pool_count(&pool, SLOT_BOOTING), 1);
}

Test(pool, room_that_appears_meanwhile_lets_the_successor_come)
{
	serve(1);
	pool.has_no_room = true;
	want_recycling(0, REASON_MEMORY, 1);
	(void)follow(10);
	cr_assert_eq(slot_state(pool.slots[0]), SLOT_RETIRING);
	pool.has_no_room = false;
	cr_assert_eq(follow(20), 1);
	cr_assert_eq(pool_count(&pool, SLOT_BOOTING), 1);
}

Test(pool, age_counts_from_ready)
{
	serve(1);
	cr_assert_eq(pool_old_ms(pool.slots[0]), 0);
	slot_facts(pool.slots[0])->ready_ms = 1000;
	slot_facts(pool.slots[0])->age_limit_ms = 60000;
	cr_assert_eq(pool_old_ms(pool.slots[0]), 61000);
	cr_assert_eq(pool_next_ms(&pool), 61000);
	want_recycling(0, REASON_MAX_AGE, 0);
	cr_assert_eq(pool_old_ms(pool.slots[0]), 0);
}
