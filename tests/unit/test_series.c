/* SPDX-License-Identifier: MIT */
/*
 * test_series.c - what a number was a moment ago.
 */
#include "base/base.h"

#include <criterion/criterion.h>

#include "master/series.h"

static struct series series;

static void setup(void)
{
	series_clear(&series);
}

TestSuite(series, .init = setup);

Test(series, nothing_is_known_of_an_empty_one)
{
	cr_assert_eq(series_last(&series), 0);
	cr_assert_eq(series_at(&series, 1000), 0);
	cr_assert_eq(series_slope(&series, 100), 0);
}

Test(series, the_last_value_at_or_before_a_time_is_found)
{
	for (uint64_t i = 0; i < 10; i++)
		series_add(&series, 1000 + i * 20, i * 100);
	cr_assert_eq(series_last(&series), 900);
	cr_assert_eq(series_at(&series, 1100), 500);
	cr_assert_eq(series_at(&series, 1119), 500);
	cr_assert_eq(series_at(&series, 99999), 900);
	/* Before all that is remembered: the oldest. */
	cr_assert_eq(series_at(&series, 10), 0);
}

Test(series, beyond_the_fine_steps_there_are_seconds)
{
	for (uint64_t i = 0; i < 3000; i++)
		series_add(&series, i * 20, i);
	/* Sixty seconds, of which the fine steps hold five. */
	cr_assert_eq(series_at(&series, 59000), 2950);
	cr_assert_eq(series_at(&series, 30000), 1500);
	cr_assert_eq(series_at(&series, 30900), 1500);
}

Test(series, the_lowest_value_since_a_time)
{
	static const uint64_t values[] = { 90, 80, 10, 40, 70 };

	for (size_t i = 0; i < ARRAY_LEN(values); i++)
		series_add(&series, 1000 + i * 20, values[i]);
	cr_assert_eq(series_low(&series, 1010), 10);
	cr_assert_eq(series_low(&series, 1065), 40);
	cr_assert_eq(series_low(&series, 99999), 70);
	cr_assert_eq(series_low(&series, 0), 10);
	cr_assert_eq(series_high(&series, 1045), 70);
	cr_assert_eq(series_high(&series, 1000), 90);
}

Test(series, slope_is_bytes_a_second_over_the_window)
{
	for (uint64_t i = 0; i <= 50; i++)
		series_add(&series, i * 20, i * 6000000);
	cr_assert_eq(series_slope(&series, 100), 300000000);
	for (uint64_t i = 51; i <= 100; i++)
		series_add(&series, i * 20, 300000000 - i);
	cr_assert_lt(series_slope(&series, 100), 0);
}

Test(series, slope_waits_for_half_a_window)
{
	series_add(&series, 1000, 0);
	series_add(&series, 1020, 50000000);
	cr_assert_eq(series_slope(&series, 100), 0, "one step says nothing of a window of five");
	series_add(&series, 1060, 50000000);
	cr_assert_gt(series_slope(&series, 100), 0);
}

Test(series, slope_over_a_minute_from_the_coarse_steps)
{
	for (uint64_t i = 0; i <= 6000; i++)
		series_add(&series, i * 20, i * 20000);
	int64_t slope = series_slope(&series, 60000);

	cr_assert(slope > 990000 && slope < 1010000, "%lld", (long long)slope);
}
