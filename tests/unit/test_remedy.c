/* SPDX-License-Identifier: MIT */
/*
 * test_remedy.c - recorded courses of memory, and what is done about them.
 *
 * A small stage plays a service of four workers in steps of 20 ms: each test says what every worker uses at each moment; orders
 * are noted, and may change the course.
 */
#include "base/base.h"

#include <criterion/criterion.h>

#include "master/remedy.h"
#include "master/series.h"

#define MB ((uint64_t)1 << 20)
#define ALL 0xffffffffu

enum { WORKERS = 4, STEP_MS = 20, NOTES = 512 };

struct note {
	uint64_t at_ms;
	struct remedy_order order;
};

static struct stage {
	struct budget_limits limits;
	struct series rss[WORKERS], used;
	struct remedy_track tracks[WORKERS], service;
	uint64_t baseline[WORKERS];
	uint64_t bytes[WORKERS];
	uint64_t sockets[WORKERS], upstream[WORKERS], connections[WORKERS];
	bool is_v2;
	uint32_t requests[WORKERS];
	uint64_t request_growth[WORKERS];
	uint64_t oldest_ms[WORKERS];
	bool is_leaving[WORKERS], has_left_service[WORKERS];
	bool is_deaf;         /* no request is ever found */
	bool is_request_over[WORKERS];
	unsigned allowed;
	uint64_t now_ms;
	struct note notes[NOTES];
	size_t note_count;
} stage;

static void setup(void)
{
	memset(&stage, 0, sizeof(stage));
	stage.limits = (struct budget_limits){
		.limit_bytes = 256 * MB,
		.service = { 150 * MB, 235 * MB, BUDGET_CONTAINER },
		.worker = { 80 * MB, READING_UNKNOWN, BUDGET_CONTAINER },
		.request_bytes = READING_UNKNOWN,
		.sockets = { 38 * MB, 63 * MB, BUDGET_CONTAINER },
		.worker_sockets = { 38 * MB, 63 * MB, BUDGET_CONTAINER },
	};
	stage.allowed = ALL;
	stage.now_ms = 100000;
	for (size_t i = 0; i < WORKERS; i++)
		stage.baseline[i] = stage.bytes[i] = 20 * MB;
}

TestSuite(remedy, .init = setup);

/* An explicit budget of each worker, in MB. */
static void give_each(uint64_t soft_mb)
{
	stage.limits.limit_bytes = READING_UNKNOWN;
	stage.limits.service = (struct budget_pair){ READING_UNKNOWN, READING_UNKNOWN, BUDGET_OFF };
	stage.limits.worker = (struct budget_pair){ soft_mb * MB, soft_mb * MB * 3 / 2, BUDGET_SETTING };
}

static uint64_t above(uint64_t bytes, uint64_t limit)
{
	return limit != READING_UNKNOWN && bytes > limit ? bytes - limit : 0;
}

static size_t play_step(void)
{
	for (size_t i = 0; i < WORKERS; i++)
		stage.tracks[i].was_heard = !stage.is_deaf;

	struct remedy_worker workers[WORKERS];
	struct remedy_order orders[16];
	uint64_t used = 10 * MB, sockets = 0;
	int64_t slope = 0;

	stage.now_ms += STEP_MS;
	for (size_t i = 0; i < WORKERS; i++) {
		series_add(&stage.rss[i], stage.now_ms, stage.bytes[i]);
		used += stage.bytes[i];
		sockets += stage.sockets[i];
		slope += MAX(series_slope(&stage.rss[i], 60), (int64_t)0);
		workers[i] = (struct remedy_worker){
			.slot = (uint32_t)i,
			.is_serving = !stage.has_left_service[i],
			.is_leaving = stage.is_leaving[i],
			.requests = stage.requests[i],
			.oldest_ms = stage.oldest_ms[i],
			.request_growth_bytes = stage.request_growth[i],
			.bytes = stage.bytes[i],
			.excess_bytes = above(stage.bytes[i], stage.baseline[i]),
			.slope = series_slope(&stage.rss[i], 60),
			.memory = budget_level(&stage.limits.worker, stage.bytes[i]),
			.is_share = stage.limits.worker.source == BUDGET_CONTAINER,
			.is_request_over = stage.is_request_over[i],
			.sockets = budget_level(&stage.limits.worker_sockets, stage.sockets[i]),
			.socket_bytes = stage.sockets[i],
			.socket_over_bytes = above(stage.sockets[i], stage.limits.worker_sockets.soft_bytes),
			.upstream_bytes = stage.upstream[i],
			.connections = stage.connections[i],
			.track = &stage.tracks[i],
		};
	}
	if (stage.is_v2)
		used += sockets;
	series_add(&stage.used, stage.now_ms, used);

	struct remedy_service service = {
		.memory = budget_service_level(&stage.limits, used, slope),
		.is_filling = budget_time_to(used, stage.limits.service.hard_bytes, series_slope(&stage.used, 60000)) < 300000,
		.is_filling_fast = budget_time_to(used, stage.limits.service.hard_bytes, series_slope(&stage.used, 10000)) < 60000,
		.is_urgent = budget_time_to(used, stage.limits.service.hard_bytes, series_slope(&stage.used, 1000)) < 10000,
		.is_predicted = budget_level(&stage.limits.service, used) != LEVEL_HARD,
		.time_to_limit_ms = budget_time_to(used, stage.limits.limit_bytes, slope),
		.is_nearly_full = stage.limits.limit_bytes != READING_UNKNOWN && used > stage.limits.limit_bytes / 100 * 97,
		.over_bytes = above(used, stage.limits.service.soft_bytes),
		.worth_bytes = stage.limits.limit_bytes != READING_UNKNOWN ? 13 * MB : READING_UNKNOWN,
		.sockets = budget_level(&stage.limits.sockets, sockets),
		.socket_over_bytes = above(sockets, stage.limits.sockets.soft_bytes),
		.are_sockets_inside = stage.is_v2,
		.are_sockets_most = stage.is_v2 && sockets > used / 2,
		.socket_bytes = sockets,
		.track = &stage.service,
	};
	size_t count = remedy_plan(&service, workers, WORKERS, stage.allowed, stage.now_ms, orders, ARRAY_LEN(orders));

	for (size_t i = 0; i < count; i++) {
		cr_assert_lt(stage.note_count, NOTES, "a flood of orders");
		stage.notes[stage.note_count++] = (struct note){ stage.now_ms - 100000, orders[i] };
		if (orders[i].remedy == REMEDY_recycle)
			stage.is_leaving[orders[i].slot] = true;
	}
	return count;
}

static size_t count_of(enum remedy remedy)
{
	size_t count = 0;

	for (size_t i = 0; i < stage.note_count; i++)
		count += stage.notes[i].order.remedy == remedy;
	return count;
}

static const struct note *first_of(enum remedy remedy)
{
	for (size_t i = 0; i < stage.note_count; i++)
		if (stage.notes[i].order.remedy == remedy)
			return &stage.notes[i];
	return NULL;
}

/* A new worker in its place. */
static void replace(size_t worker)
{
	stage.is_leaving[worker] = false;
	stage.bytes[worker] = stage.baseline[worker];
	memset(&stage.tracks[worker], 0, sizeof(stage.tracks[worker]));
	series_clear(&stage.rss[worker]);
}

Test(remedy, a_quiet_service_is_left_alone)
{
	for (int i = 0; i < 60000 / STEP_MS; i++)
		play_step();
	cr_assert_eq(stage.note_count, 0);
}

Test(remedy, a_slow_leak_is_trimmed_collected_and_then_replaced)
{
	give_each(80);
	for (int i = 0; i < 300000 / STEP_MS && !stage.is_leaving[2]; i++) {
		stage.bytes[2] = 20 * MB + (uint64_t)i * STEP_MS * MB / 1000; /* a MB a second */
		play_step();
	}
	cr_assert_eq(stage.note_count, 3);
	cr_assert_eq(stage.notes[0].order.remedy, REMEDY_trim);
	cr_assert_eq(stage.notes[1].order.remedy, REMEDY_collect);
	cr_assert_eq(stage.notes[2].order.remedy, REMEDY_recycle);
	for (int i = 0; i < 3; i++)
		cr_assert_eq(stage.notes[i].order.slot, 2);
	/* It crossed after 60 seconds, and must stay there for five. */
	cr_assert(stage.notes[0].at_ms >= 65000 && stage.notes[0].at_ms < 65200, "%llu", (unsigned long long)stage.notes[0].at_ms);
	cr_assert_geq(stage.notes[2].at_ms, stage.notes[1].at_ms + 3000);
}

Test(remedy, a_trim_that_helps_is_enough)
{
	give_each(80);
	stage.bytes[1] = 300 * MB / 4 + 20 * MB;
	for (int i = 0; i < 60000 / STEP_MS; i++)
		if (play_step() > 0 && stage.notes[stage.note_count - 1].order.remedy == REMEDY_trim)
			stage.bytes[1] = 30 * MB;
	cr_assert_eq(stage.note_count, 1);
}

Test(remedy, a_sawtooth_below_the_hold_is_never_touched)
{
	give_each(80);
	for (int i = 0; i < 120000 / STEP_MS; i++) {
		/* Four seconds above, two below. */
		stage.bytes[0] = i * STEP_MS % 6000 < 4000 ? 95 * MB : 40 * MB;
		play_step();
	}
	cr_assert_eq(stage.note_count, 0);
}

Test(remedy, a_spike_that_goes_by_itself_is_never_touched)
{
	stage.bytes[0] = 20 * MB;
	for (int i = 0; i < 20000 / STEP_MS; i++) {
		stage.bytes[0] = i >= 250 && i < 260 ? 80 * MB : 20 * MB; /* 60 MB for 200 ms */
		play_step();
	}
	cr_assert_eq(stage.note_count, 0);
}

Test(remedy, a_fast_runaway_loses_its_request_before_the_limit)
{
	uint64_t used = 0;

	stage.requests[3] = 1;
	for (int i = 0; i < 2000 / STEP_MS; i++) {
		stage.bytes[3] += 300 * MB * STEP_MS / 1000;
		stage.request_growth[3] = stage.bytes[3] - 20 * MB;
		if (play_step() > 0)
			break;
	}
	for (size_t i = 0; i < WORKERS; i++)
		used += stage.bytes[i];
	cr_assert_eq(stage.note_count, 1);
	cr_assert_eq(stage.notes[0].order.remedy, REMEDY_abort);
	cr_assert_eq(stage.notes[0].order.slot, 3);
	cr_assert_not(stage.notes[0].order.insists);
	cr_assert_lt(used, 200 * MB);
}

Test(remedy, who_does_not_heed_is_killed_before_the_limit)
{
	uint64_t used = 0;

	stage.requests[3] = 1;
	for (int i = 0; i < 2000 / STEP_MS; i++) {
		stage.bytes[3] += 300 * MB * STEP_MS / 1000;
		stage.request_growth[3] = stage.bytes[3] - 20 * MB;
		play_step();
		if (first_of(REMEDY_kill) != NULL)
			break;
	}
	for (size_t i = 0; i < WORKERS; i++)
		used += stage.bytes[i];
	cr_assert_not_null(first_of(REMEDY_kill));
	cr_assert_eq(first_of(REMEDY_kill)->order.slot, 3);
	cr_assert_lt(used + 10 * MB, 256 * MB);
	cr_assert_eq(stage.notes[0].order.remedy, REMEDY_abort, "the request is asked first");
}

Test(remedy, who_has_answered_all_goes_before_who_serves)
{
	stage.requests[0] = stage.requests[3] = 1;
	stage.bytes[0] = 80 * MB; /* on its way out, with a request yet */
	stage.bytes[1] = 60 * MB; /* on its way out */
	stage.bytes[2] = 20 * MB;
	stage.bytes[3] = 40 * MB;
	stage.is_leaving[0] = stage.has_left_service[0] = true;
	stage.is_leaving[1] = stage.has_left_service[1] = true;
	for (int i = 0; i < 2000 / STEP_MS && first_of(REMEDY_kill) == NULL; i++) {
		stage.bytes[3] += 100 * MB * STEP_MS / 1000;
		play_step();
	}
	cr_assert_not_null(first_of(REMEDY_kill));
	cr_assert_eq(first_of(REMEDY_kill)->order.slot, 1);
}

Test(remedy, a_leak_of_many_small_requests_is_replaced_in_time_and_none_of_them_is_ended)
{
	size_t replaced = 0;

	stage.requests[3] = 1;
	for (int i = 0; i < 20000 / STEP_MS; i++) {
		stage.bytes[3] += 40 * MB * STEP_MS / 1000;
		play_step();
		/* A successor takes half a second. */
		if (stage.is_leaving[3] && i % 25 == 0) {
			replace(3);
			replaced++;
		}
	}
	cr_assert_geq(replaced, 3);
	cr_assert_eq(count_of(REMEDY_abort) + count_of(REMEDY_kill), 0);
}

Test(remedy, a_swallowed_memory_error_is_followed_by_one_that_is_not)
{
	give_each(80);
	stage.requests[0] = 1;
	stage.request_growth[0] = 100 * MB;
	stage.bytes[0] = 125 * MB; /* above the hard budget, and stays there */
	for (int i = 0; i < 3000 / STEP_MS && first_of(REMEDY_kill) == NULL; i++)
		play_step();
	cr_assert_eq(stage.notes[0].order.remedy, REMEDY_abort);
	cr_assert_not(stage.notes[0].order.insists);
	cr_assert_eq(count_of(REMEDY_abort), 2);
	for (size_t i = 0; i < stage.note_count; i++)
		if (stage.notes[i].order.remedy == REMEDY_abort && i > 0)
			cr_assert(stage.notes[i].order.insists);
	cr_assert_not_null(first_of(REMEDY_kill));
	cr_assert_geq(first_of(REMEDY_kill)->at_ms, stage.notes[0].at_ms + 1000);
}

Test(remedy, who_is_never_found_is_killed_after_three_times)
{
	give_each(80);
	stage.is_deaf = true;
	stage.requests[0] = 1;
	stage.request_growth[0] = 100 * MB;
	stage.bytes[0] = 125 * MB;
	for (int i = 0; i < 5000 / STEP_MS && first_of(REMEDY_kill) == NULL; i++)
		play_step();
	cr_assert_eq(count_of(REMEDY_abort), 3);
	cr_assert_not_null(first_of(REMEDY_kill));
	for (size_t i = 0; i < stage.note_count; i++)
		cr_assert_not(stage.notes[i].order.insists, "nothing was swallowed");
}

Test(remedy, the_next_request_does_not_pay_for_the_one_before)
{
	give_each(80);
	stage.requests[0] = 1;
	for (int request = 0; request < 5; request++) {
		size_t before = stage.note_count;

		/* Each heeds the first word, and the next one begins at once. */
		stage.oldest_ms[0] = stage.now_ms;
		stage.request_growth[0] = 100 * MB;
		stage.bytes[0] = 125 * MB;
		while (stage.note_count == before)
			play_step();
		cr_assert_eq(stage.notes[before].order.remedy, REMEDY_abort);
		cr_assert_not(stage.notes[before].order.insists);
		stage.bytes[0] = 30 * MB;
		play_step();
	}
	cr_assert_eq(count_of(REMEDY_kill), 0);
}

Test(remedy, above_the_hard_budget_without_a_request_it_is_replaced_at_once)
{
	give_each(80);
	stage.bytes[0] = 125 * MB;
	play_step();
	cr_assert_not_null(first_of(REMEDY_recycle));
	cr_assert_eq(count_of(REMEDY_kill), 0);
}

Test(remedy, all_over_at_once_each_goes_its_way_and_none_is_killed)
{
	give_each(80);
	for (size_t i = 0; i < WORKERS; i++)
		stage.bytes[i] = 90 * MB;
	for (int i = 0; i < 15000 / STEP_MS; i++)
		play_step();
	cr_assert_eq(count_of(REMEDY_trim), WORKERS);
	cr_assert_eq(count_of(REMEDY_recycle), WORKERS, "the pool's gate lets them go one after the other");
	cr_assert_eq(count_of(REMEDY_kill) + count_of(REMEDY_abort), 0);
}

Test(remedy, of_derived_budgets_the_fattest_goes_and_only_while_memory_gets_short)
{
	for (int i = 0; i < 120000 / STEP_MS && stage.note_count < 20; i++) {
		stage.bytes[1] = 20 * MB + (uint64_t)i * STEP_MS * MB / 1000;
		stage.bytes[2] = 20 * MB + (uint64_t)i * STEP_MS * MB / 4000;
		play_step();
		if (stage.is_leaving[1])
			break;
	}
	cr_assert(stage.is_leaving[1]);
	cr_assert_not(stage.is_leaving[2]);
	cr_assert_eq(count_of(REMEDY_recycle), 1);
}

Test(remedy, a_cache_that_fills_and_plateaus_is_not_replaced)
{
	for (int i = 0; i < 400000 / STEP_MS; i++) {
		/* All workers to 36 MB: the service ends at 154, above its soft budget. */
		for (size_t worker = 0; worker < WORKERS; worker++)
			stage.bytes[worker] = MIN(36 * MB, 20 * MB + (uint64_t)i * STEP_MS * MB / 10000);
		play_step();
	}
	cr_assert_eq(count_of(REMEDY_recycle), 0);
	cr_assert_eq(count_of(REMEDY_kill) + count_of(REMEDY_abort), 0);
	/* The mild ones are tried once a minute. */
	cr_assert_leq(stage.note_count, 60);
}

Test(remedy, a_leak_of_one_of_many_is_replaced_again_and_again_and_nothing_else)
{
	size_t replaced = 0;

	for (int i = 0; i < 900000 / STEP_MS; i++) {
		stage.bytes[0] += MB * STEP_MS / 1000;
		play_step();
		stage.note_count = stage.note_count > 400 ? 0 : stage.note_count;
		if (stage.is_leaving[0]) {
			replace(0);
			replaced++;
		}
		for (size_t worker = 1; worker < WORKERS; worker++)
			cr_assert_not(stage.is_leaving[worker]);
	}
	cr_assert(replaced >= 5 && replaced <= 30, "%zu", replaced);
}

Test(remedy, a_lying_reading_does_not_kill)
{
	/* One worker reads as enormous for one moment. */
	for (int i = 0; i < 10000 / STEP_MS; i++) {
		stage.bytes[0] = i == 300 ? 100 * MB : 20 * MB;
		play_step();
	}
	cr_assert_eq(count_of(REMEDY_kill), 0);
	cr_assert_eq(count_of(REMEDY_recycle), 0);
}

Test(remedy, a_request_that_is_over_is_ended_and_its_worker_never_killed_for_it)
{
	stage.requests[1] = 1;
	stage.request_growth[1] = 100 * MB;
	stage.is_request_over[1] = true;
	for (int i = 0; i < 5000 / STEP_MS; i++)
		play_step();
	cr_assert_eq(stage.notes[0].order.remedy, REMEDY_abort);
	cr_assert_eq(count_of(REMEDY_kill), 0);
}

Test(remedy, sockets_are_clamped_defused_and_shed)
{
	stage.sockets[0] = 45 * MB;
	stage.upstream[0] = 10 * MB;
	for (int i = 0; i < 4000 / STEP_MS; i++)
		play_step();
	cr_assert_eq(stage.notes[0].order.remedy, REMEDY_clamp);
	cr_assert_not_null(first_of(REMEDY_defuse));
	cr_assert_eq(count_of(REMEDY_shed) + count_of(REMEDY_recycle), 0, "slow clients would only come again");
	stage.sockets[0] = 70 * MB;
	for (int i = 0; i < 100 / STEP_MS; i++)
		play_step();
	cr_assert_not_null(first_of(REMEDY_shed));
	cr_assert_eq(first_of(REMEDY_shed)->order.amount, 32 * MB);
}

Test(remedy, sockets_that_fill_the_container_are_shed_and_nobody_is_killed)
{
	stage.is_v2 = true;
	stage.connections[0] = 60;
	stage.connections[1] = 20;
	stage.limits.sockets = stage.limits.worker_sockets = (struct budget_pair){ READING_UNKNOWN, READING_UNKNOWN, BUDGET_OFF };
	for (int i = 0; i < 3000 / STEP_MS && first_of(REMEDY_shed) == NULL; i++) {
		stage.sockets[0] += 75 * MB * STEP_MS / 1000;
		play_step();
	}
	cr_assert_not_null(first_of(REMEDY_shed));
	cr_assert_eq(count_of(REMEDY_shed), 2, "each worker its part");
	for (size_t i = 0; i < stage.note_count; i++)
		if (stage.notes[i].order.remedy == REMEDY_shed)
			cr_assert(stage.notes[i].order.slot == 0 ? stage.notes[i].order.amount > first_of(REMEDY_shed)->order.amount / 2
			                                         : stage.notes[i].order.amount < first_of(REMEDY_shed)->order.amount / 2);
	stage.sockets[0] = 160 * MB; /* and it does not help at once */
	for (int i = 0; i < 2000 / STEP_MS; i++)
		play_step();
	cr_assert_eq(count_of(REMEDY_kill) + count_of(REMEDY_abort) + count_of(REMEDY_recycle), 0);
}

Test(remedy, forgotten_upstream_sockets_that_cannot_be_emptied_cost_the_worker_its_place)
{
	stage.sockets[0] = 45 * MB;
	stage.upstream[0] = 44 * MB;
	for (int i = 0; i < 8000 / STEP_MS && !stage.is_leaving[0]; i++)
		play_step();
	cr_assert(stage.is_leaving[0]);
	cr_assert_eq(first_of(REMEDY_recycle)->order.cause, CAUSE_SOCKETS_SOFT);
}

Test(remedy, what_is_not_allowed_is_not_ordered)
{
	give_each(80);
	stage.allowed = 1U << REMEDY_recycle;
	stage.bytes[0] = 90 * MB;
	for (int i = 0; i < 20000 / STEP_MS; i++)
		play_step();
	cr_assert_eq(stage.note_count, 1);
	cr_assert_eq(stage.notes[0].order.remedy, REMEDY_recycle);
	setup();
	give_each(80);
	stage.allowed = 0;
	stage.bytes[0] = 900 * MB;
	stage.requests[0] = 1;
	for (int i = 0; i < 20000 / STEP_MS; i++)
		play_step();
	cr_assert_eq(stage.note_count, 0);
}
