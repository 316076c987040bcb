/* SPDX-License-Identifier: MIT */
/*
 * pace.c - whether a client that is waited for reads fast enough.
 *
 * Pure. Called by py/wait.c where a request waits, and by worker/conn.c where a connection does.
 */
#include "base/base.h"

#include "base/pace.h"

void pace_begin(struct pace *pace, uint64_t now_ms, size_t queued_bytes)
{
	pace->began_ms = now_ms;
	pace->queued_bytes = queued_bytes;
}

bool pace_end(struct pace *pace, uint64_t now_ms, size_t queued_bytes)
{
	if (now_ms > pace->began_ms)
		pace->waited_ms += now_ms - pace->began_ms;
	if (pace->queued_bytes > queued_bytes)
		pace->taken_bytes += pace->queued_bytes - queued_bytes;
	/* From an empty queue nobody can take more: it waits for us. */
	if (pace->taken_bytes >= PACE_BYTES || queued_bytes == 0) {
		pace->taken_bytes = 0;
		pace->waited_ms = 0;
	}
	return pace->waited_ms < PACE_MS;
}

unsigned pace_left_ms(const struct pace *pace)
{
	return pace->waited_ms < PACE_MS ? (unsigned)(PACE_MS - pace->waited_ms) : 1;
}
