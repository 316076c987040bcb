/* SPDX-License-Identifier: MIT */
/*
 * recycles.c - workers that give way to a successor. Called by workers.c.
 */
#include "base/base.h"

#include "master/recycles.h"

#include "base/clock.h"
#include "base/log.h"
#include "master/master.h"

static void say(const struct recycle *recycle)
{
	struct buf text = BUF_NONE;
	char *bytes = budget_show(recycle->rss_bytes);
	const bool is_trouble = recycle->reason == REASON_MEMORY || recycle->reason == REASON_SOCKETS;

	buf_addf(&text, "Recycling worker (pid:%ld): %s, RSS %s", (long)recycle->pid, slot_reason_name(recycle->reason), bytes);
	free(bytes);
	if (reading_is_known(recycle->sockets_bytes)) {
		bytes = budget_show(recycle->sockets_bytes);
		buf_addf(&text, ", sockets %s", bytes);
		free(bytes);
	}
	if (reading_is_known(recycle->budget_bytes)) {
		bytes = budget_show(recycle->budget_bytes);
		buf_addf(&text, ", budget %s", bytes);
		free(bytes);
	}
	buf_addf(&text, ", %llu requests, age %llu s; %s", (unsigned long long)recycle->requests_total,
	         (unsigned long long)recycle->age_ms / 1000,
	         recycle->is_successor_first ? "its successor is ready" : "no room for a successor beside it, so it leaves first");
	/* tests wait for this line */
	log_line(is_trouble ? LOG_WARNING : LOG_INFO, "%s", buf_text(&text));
	buf_release(&text);
}

void recycles_note(struct master *master, const struct slot *slot, enum slot_reason reason)
{
	struct recycles *recycles = &master->recycles;
	struct recycle *recycle = &recycles->ring[recycles->total % RECYCLES_MAX];
	const struct slot_facts *facts = slot_facts_const(slot);
	struct board_reading reading;
	const uint64_t now_ms = clock_ms();

	/* A reload says for itself what it does. */
	if (!slot_reason_is_recycling(reason) || reason == REASON_RELOAD)
		return;
	board_read(&master->board, slot_index(slot), now_ms, &reading);
	memset(recycle, 0, sizeof(*recycle));
	clock_rfc3339(recycle->time, sizeof(recycle->time));
	recycle->slot = slot_index(slot);
	recycle->pid = facts->pid;
	recycle->reason = reason;
	recycle->is_successor_first = !master->pool.has_no_room;
	recycle->requests_total = reading.requests_total;
	recycle->age_ms = now_ms - facts->spawned_ms;
	memory_describe_worker(master, slot, &recycle->rss_bytes, &recycle->sockets_bytes);
	recycle->budget_bytes = READING_UNKNOWN;
	if (reason == REASON_MEMORY)
		recycle->budget_bytes = master->memory.limits.worker.soft_bytes;
	else if (reason == REASON_SOCKETS)
		recycle->budget_bytes = master->memory.limits.worker_sockets.soft_bytes;
	recycles->total++;
	say(recycle);
}
