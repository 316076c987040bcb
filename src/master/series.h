/* SPDX-License-Identifier: MIT */
/*
 * series.h - what a number was a moment ago: a short memory in fine steps and a longer one in coarse steps.
 *
 * Pure: the time comes from outside.
 */
#ifndef MASTER_SERIES_H
#define MASTER_SERIES_H

#include "base/base.h"

enum {
	SERIES_FINE = 256,        /* every value: five seconds at 20 ms */
	SERIES_COARSE = 320,      /* one each second or more: five minutes and more */
	SERIES_COARSE_MS = 1000,
};

struct series_point {
	uint64_t at_ms;
	uint64_t bytes;
};

struct series {
	struct series_point fine[SERIES_FINE];
	struct series_point coarse[SERIES_COARSE];
	uint64_t fine_count;   /* ever added */
	uint64_t coarse_count;
};

void series_clear(struct series *series);
/* Times must not go back. */
void series_add(struct series *series, uint64_t at_ms, uint64_t bytes);
/* The newest value; 0 where there is none. */
uint64_t series_last(const struct series *series);
/* The value that was known at that time (the last one at or before it); the oldest one where the memory does not reach so far. */
uint64_t series_at(const struct series *series, uint64_t at_ms);
/* The smallest value since that time, the one known then included. */
uint64_t series_low(const struct series *series, uint64_t from_ms);
/* The greatest of the fine steps since that time, the value known then included. */
uint64_t series_high(const struct series *series, uint64_t from_ms);
/* Bytes a second between the value of window_ms ago and the newest; 0 where there is less than half a window of history. */
int64_t series_slope(const struct series *series, uint64_t window_ms);

#endif
