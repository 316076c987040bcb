/* SPDX-License-Identifier: MIT */
/*
 * test_latency.c - how long requests took: the last minute, percentiles.
 */
#include "base/base.h"

#include <criterion/criterion.h>

#include "master/latency.h"

static struct latency latency;
static uint64_t sums[BOARD_LATENCIES];
static uint64_t recent[BOARD_LATENCIES];

static void setup(void)
{
	memset(&latency, 0, sizeof(latency));
	memset(sums, 0, sizeof(sums));
}

TestSuite(latency, .init = setup);

static void serve(uint64_t duration_us, uint64_t count)
{
	sums[board_latency_class(duration_us)] += count;
}

static double quantile(double part)
{
	double value = -1;

	latency_recent(&latency, sums, recent);
	cr_assert(latency_quantile(recent, part, &value));
	return value;
}

Test(latency, without_requests_there_is_no_percentile)
{
	double value;

	latency_recent(&latency, sums, recent);
	cr_assert_not(latency_quantile(recent, 0.5, &value));
	latency_take(&latency, sums, 1000);
	latency_recent(&latency, sums, recent);
	cr_assert_not(latency_quantile(recent, 0.99, &value));
	cr_assert_eq(latency_total(recent), 0);
}

Test(latency, percentiles_are_within_their_class)
{
	serve(1000, 90);
	serve(100000, 9);
	serve(3000000, 1);
	cr_assert(quantile(0.5) > 0.00089 && quantile(0.5) <= 0.00103, "%f", quantile(0.5));
	cr_assert(quantile(0.95) > 0.098 && quantile(0.95) < 0.115, "%f", quantile(0.95));
	cr_assert(quantile(0.995) > 2.6 && quantile(0.995) < 3.2, "%f", quantile(0.995));
	cr_assert(quantile(0.5) <= quantile(0.9) && quantile(0.9) <= quantile(0.95));
}

Test(latency, what_is_older_than_a_minute_does_not_count)
{
	uint64_t now_ms = 1000;

	serve(5000000, 1000);
	for (int i = 0; i < LATENCY_SNAPSHOTS; i++, now_ms += LATENCY_STEP_MS) {
		latency_take(&latency, sums, now_ms);
		cr_assert_eq(latency.next_ms, now_ms + LATENCY_STEP_MS);
	}
	serve(1000, 10);
	cr_assert(quantile(0.99) < 0.0011);
	cr_assert_eq(latency_total(recent), 10);
	/* And those become old as well. */
	for (int i = 0; i < LATENCY_SNAPSHOTS; i++, now_ms += LATENCY_STEP_MS)
		latency_take(&latency, sums, now_ms);
	latency_recent(&latency, sums, recent);
	cr_assert_eq(latency_total(recent), 0);
}

Test(latency, all_counts_before_the_first_minute_is_over)
{
	latency_take(&latency, sums, 1000);
	serve(1000, 3);
	latency_take(&latency, sums, 11000);
	serve(1000, 4);
	latency_recent(&latency, sums, recent);
	cr_assert_eq(latency_total(recent), 7);
}

Test(latency, ended_workers_stay_in_the_sum)
{
	uint64_t counts[BOARD_LATENCIES] = { [3] = 5, [BOARD_LATENCIES - 1] = 1 };

	latency_note_end(&latency, counts);
	latency_note_end(&latency, counts);
	cr_assert_eq(latency.ended[3], 10);
	cr_assert_eq(latency_total(latency.ended), 12);
}

Test(latency, a_worker_that_counts_backwards_does_no_harm)
{
	serve(1000, 10);
	for (int i = 0; i < LATENCY_SNAPSHOTS; i++)
		latency_take(&latency, sums, 1000);
	memset(sums, 0, sizeof(sums));
	latency_recent(&latency, sums, recent);
	cr_assert_eq(latency_total(recent), 0);
}

Test(latency, the_last_class_has_no_end_but_a_value)
{
	serve(UINT64_MAX / 2, 1);
	cr_assert(quantile(0.99) > 400, "%f", quantile(0.99));
}
