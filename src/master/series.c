/* SPDX-License-Identifier: MIT */
/*
 * series.c - what a number was a moment ago. Called by memory.c. Pure.
 */
#include "base/base.h"

#include "master/series.h"

void series_clear(struct series *series)
{
	series->fine_count = series->coarse_count = 0;
}

void series_add(struct series *series, uint64_t at_ms, uint64_t bytes)
{
	const struct series_point point = { at_ms, bytes };
	const struct series_point *last = &series->coarse[(series->coarse_count - 1) % SERIES_COARSE];

	series->fine[series->fine_count++ % SERIES_FINE] = point;
	if (series->coarse_count == 0 || at_ms - last->at_ms >= SERIES_COARSE_MS)
		series->coarse[series->coarse_count++ % SERIES_COARSE] = point;
}

uint64_t series_last(const struct series *series)
{
	return series->fine_count == 0 ? 0 : series->fine[(series->fine_count - 1) % SERIES_FINE].bytes;
}

/* The newest point at or before at_ms in a ring; NULL when all are younger. */
static const struct series_point *find(const struct series_point *ring, uint64_t size, uint64_t count, uint64_t at_ms)
{
	for (uint64_t i = 0; i < MIN(count, size); i++) {
		const struct series_point *point = &ring[(count - 1 - i) % size];

		if (point->at_ms <= at_ms)
			return point;
	}
	return NULL;
}

static const struct series_point *oldest(const struct series *series)
{
	const uint64_t count = MIN(series->coarse_count, (uint64_t)SERIES_COARSE);

	return count == 0 ? NULL : &series->coarse[(series->coarse_count - count) % SERIES_COARSE];
}

static const struct series_point *point_at(const struct series *series, uint64_t at_ms)
{
	const struct series_point *point = find(series->fine, SERIES_FINE, series->fine_count, at_ms);

	if (point == NULL)
		point = find(series->coarse, SERIES_COARSE, series->coarse_count, at_ms);
	return point != NULL ? point : oldest(series);
}

uint64_t series_at(const struct series *series, uint64_t at_ms)
{
	const struct series_point *point = point_at(series, at_ms);

	return point != NULL ? point->bytes : 0;
}

static uint64_t lowest(const struct series_point *ring, uint64_t size, uint64_t count, uint64_t from_ms, uint64_t low)
{
	for (uint64_t i = 0; i < MIN(count, size); i++) {
		const struct series_point *point = &ring[(count - 1 - i) % size];

		if (point->at_ms < from_ms)
			break;
		low = MIN(low, point->bytes);
	}
	return low;
}

uint64_t series_low(const struct series *series, uint64_t from_ms)
{
	uint64_t low = series_at(series, from_ms);

	low = lowest(series->fine, SERIES_FINE, series->fine_count, from_ms, low);
	return lowest(series->coarse, SERIES_COARSE, series->coarse_count, from_ms, low);
}

uint64_t series_high(const struct series *series, uint64_t from_ms)
{
	uint64_t high = series_at(series, from_ms);

	for (uint64_t i = 0; i < MIN(series->fine_count, (uint64_t)SERIES_FINE); i++) {
		const struct series_point *point = &series->fine[(series->fine_count - 1 - i) % SERIES_FINE];

		if (point->at_ms < from_ms)
			break;
		high = MAX(high, point->bytes);
	}
	return high;
}

int64_t series_slope(const struct series *series, uint64_t window_ms)
{
	if (series->fine_count < 2)
		return 0;

	const struct series_point *last = &series->fine[(series->fine_count - 1) % SERIES_FINE];
	const struct series_point *first = point_at(series, last->at_ms > window_ms ? last->at_ms - window_ms : 0);
	const uint64_t span_ms = last->at_ms - first->at_ms;

	if (span_ms == 0 || span_ms < window_ms / 2)
		return 0;
	return ((int64_t)last->bytes - (int64_t)first->bytes) * 1000 / (int64_t)span_ms;
}
