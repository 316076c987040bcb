/* SPDX-License-Identifier: MIT */
/*
 * watch.c - heartbeats: who was silent for longer than the timeout.
 *
 * Called by master.c. Reads the board, which workers write: its numbers are checked, never believed.
 */
#include "base/base.h"

#include "master/watch.h"

#include "master/master.h"
#include "master/workers.h"

bool watch_is_late(const struct slot *slot, const struct board_reading *reading, uint64_t timeout_ms, uint64_t now_ms)
{
	if (timeout_ms == 0 || slot_state(slot) != SLOT_SERVING)
		return false;

	/* A worker that never beat since it became ready counts from then. */
	uint64_t last_ms = MAX(reading->beat_ms, slot_since_ms(slot));

	return now_ms > last_ms && now_ms - last_ms > timeout_ms;
}

void watch_on_time(struct master *master, uint64_t now_ms)
{
	uint64_t timeout_ms = (uint64_t)master->settings.timeout * 1000;

	if (now_ms < master->watch_ms)
		return;
	master->watch_ms = now_ms + WATCH_PERIOD_MS;
	for (uint32_t i = 0; timeout_ms > 0 && i < master->pool.slot_count; i++) {
		struct slot *slot = master->pool.slots[i];
		struct board_reading reading;

		if (slot_state(slot) != SLOT_SERVING)
			continue;
		board_read(&master->board, i, now_ms, &reading);
		if (watch_is_late(slot, &reading, timeout_ms, now_ms))
			workers_abort_late(master, slot);
	}
}
