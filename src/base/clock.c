/* SPDX-License-Identifier: MIT */
/*
 * clock.c - reads clocks.
 *
 * Called by loops, which pass the time on; pure functions get it as a parameter and never call here.
 */
#include "base/base.h"

#include "base/clock.h"

#include "base/check.h"

uint64_t clock_us(void)
{
	struct timespec now;
	CHECK(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

uint64_t clock_ms(void)
{
	return clock_us() / 1000;
}

time_t clock_wall(void)
{
	return time(NULL);
}

void clock_rfc3339(char *into, size_t size)
{
	CHECK(size >= 32);
	struct timespec now;
	CHECK(clock_gettime(CLOCK_REALTIME, &now) == 0);
	struct tm utc;
	CHECK(gmtime_r(&now.tv_sec, &utc) != NULL);
	size_t len = strftime(into, size, "%Y-%m-%dT%H:%M:%S", &utc);
	(void)snprintf(into + len, size - len, ".%03dZ", (int)(now.tv_nsec / 1000000));
}
