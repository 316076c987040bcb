/* SPDX-License-Identifier: MIT */
/*
 * recycles.h - workers that were told to leave so that a successor takes their place: one log line each, and the last of them
 * kept for the status file.
 */
#ifndef MASTER_RECYCLES_H
#define MASTER_RECYCLES_H

#include "base/base.h"
#include "master/slot.h"

struct master;

enum { RECYCLES_MAX = 64 };

struct recycle {
	char time[32]; /* RFC 3339 */
	uint32_t slot;
	pid_t pid;
	enum slot_reason reason;
	bool is_successor_first; /* else there was no room: it leaves, then the successor is forked */
	uint64_t requests_total;
	uint64_t age_ms;
	uint64_t rss_bytes, sockets_bytes; /* READING_UNKNOWN where they are not known */
	uint64_t budget_bytes;             /* that it was over; READING_UNKNOWN: none */
};

struct recycles {
	struct recycle ring[RECYCLES_MAX];
	uint64_t total; /* ever; the newest is ring[(total - 1) % RECYCLES_MAX] */
};

/* The worker in that slot is about to be told to retire. Nothing is noted where no successor is meant. */
void recycles_note(struct master *master, const struct slot *slot, enum slot_reason reason);

#endif
