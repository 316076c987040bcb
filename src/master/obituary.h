/* SPDX-License-Identifier: MIT */
/*
 * obituary.h - how workers ended: one log line each, and the last of them kept for the status file.
 */
#ifndef MASTER_OBITUARY_H
#define MASTER_OBITUARY_H

#include "base/base.h"
#include "master/slot.h"

struct master;

enum { OBITUARIES_MAX = 32, OBITUARY_REQUESTS = 4 };

struct obituary {
	char time[32];           /* RFC 3339 */
	uint32_t slot, serial, generation;
	pid_t pid;
	enum slot_reason reason;
	int exit_code;           /* -1: ended by a signal */
	int signal;              /* 0: exited */
	uint64_t requests_total;
	uint64_t age_ms;
	char last_words[256];
	int kernel_kill;         /* 1: the kernel killed it for want of memory; 0: it did not; -1: not known, or no SIGKILL */
	bool was_ours;           /* the master sent the SIGKILL */
	uint64_t rss_bytes, sockets_bytes; /* last readings; READING_UNKNOWN where there are none */
	size_t request_count;    /* that were in flight */
	struct {
		char method[16], path[128];
		uint64_t age_ms;
	} requests[OBITUARY_REQUESTS];
};

/* One sum for each row of counters.def. */
struct counter_sums {
#define COUNTER(name, kind, unit, text) uint64_t name;
#include "tables/counters.def"
#undef COUNTER
};

struct board_reading;
/* Adds a worker's counters; those that only grow, and with_gauges also those of the moment. */
void counter_sums_add(struct counter_sums *sums, const struct board_reading *reading, bool with_gauges);

struct obituaries {
	struct obituary ring[OBITUARIES_MAX];
	uint64_t total;          /* ever written; the newest is ring[(total - 1) % OBITUARIES_MAX] */
	uint64_t by_reason[REASON_MAX];
	struct counter_sums sums; /* what ended workers had counted */
};

/* Logs the end of the worker in that slot as gunicorn does, and keeps it (until the ring comes round). Call before the board
   line is cleared. */
const struct obituary *obituary_write(struct master *master, const struct slot *slot, int status, bool was_booting);

#endif
