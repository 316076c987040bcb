/* SPDX-License-Identifier: MIT */
/*
 * readings.h - how a number that could not be read looks in all readings of memory.
 */
#ifndef MASTER_READINGS_H
#define MASTER_READINGS_H

#include "base/base.h"

/* Not 0: what is not known is null in the status file, and no decision is made of it. */
#define READING_UNKNOWN UINT64_MAX

static inline bool reading_is_known(uint64_t value)
{
	return value != READING_UNKNOWN;
}

/* Sum of two where both are known, else what is known of them. */
static inline uint64_t reading_add(uint64_t a, uint64_t b)
{
	if (!reading_is_known(a) || !reading_is_known(b))
		return reading_is_known(a) ? a : b;
	return a + b;
}

#endif
