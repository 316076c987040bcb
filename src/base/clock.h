/* SPDX-License-Identifier: MIT */
/*
 * clock.h - the monotonic clock, for every duration. Wall time is for logs and the Date header only.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include "base/base.h"

/* Milliseconds and microseconds of CLOCK_MONOTONIC. */
uint64_t clock_ms(void);
uint64_t clock_us(void);
/* Wall time in seconds since 1970. */
time_t clock_wall(void);
/* "2026-11-22T10:11:12.345Z" of now; size at least 32. */
void clock_rfc3339(char *into, size_t size);

#endif
