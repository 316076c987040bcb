/* SPDX-License-Identifier: MIT */
/*
 * test_clock.c - clocks.
 */
#include "base/base.h"

#include <criterion/criterion.h>

#include "base/clock.h"

Test(clock, never_goes_back)
{
	uint64_t before_us = clock_us();
	for (int i = 0; i < 10000; i++) {
		uint64_t now_us = clock_us();
		cr_assert_geq(now_us, before_us);
		before_us = now_us;
	}
}

Test(clock, milliseconds_and_microseconds_are_one_clock)
{
	uint64_t before_us = clock_us();
	uint64_t now_ms = clock_ms();
	uint64_t after_us = clock_us();
	cr_assert_geq(now_ms, before_us / 1000);
	cr_assert_leq(now_ms, after_us / 1000);
}

Test(clock, writes_rfc3339_in_utc)
{
	char text[32];
	(void)setenv("TZ", "America/New_York", 1);
	tzset();
	time_t before = clock_wall();
	clock_rfc3339(text, sizeof text);
	time_t after = clock_wall();
	struct tm tm = { 0 };
	const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	cr_assert_not_null(rest, "%s", text);
	cr_assert_eq(strlen(rest), strlen(".123Z"), "%s", text);
	cr_assert_eq(rest[0], '.');
	cr_assert_eq(strspn(rest + 1, "0123456789"), 3);
	cr_assert_str_eq(rest + 4, "Z");
	cr_assert_geq(timegm(&tm), before);
	cr_assert_leq(timegm(&tm), after);
}
