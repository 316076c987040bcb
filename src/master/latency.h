/* SPDX-License-Identifier: MIT */
/*
 * latency.h - how long requests take: what ended workers had counted, and how the last minute was.
 *
 * Pure but for the two functions at the end. Counts are by class, as on the board (board_latency_end_us()).
 */
#ifndef MASTER_LATENCY_H
#define MASTER_LATENCY_H

#include "base/base.h"
#include "shared/board.h"

struct master;

enum {
	LATENCY_STEP_MS = 10000, /* a snapshot each */
	LATENCY_SNAPSHOTS = 7,   /* so the oldest one is 60 to 70 seconds old */
};

struct latency {
	uint64_t ended[BOARD_LATENCIES]; /* of workers that ended */
	uint64_t snapshots[LATENCY_SNAPSHOTS][BOARD_LATENCIES];
	uint64_t taken_total;            /* the newest is snapshots[(taken_total - 1) % LATENCY_SNAPSHOTS] */
	uint64_t next_ms;                /* when to take the next one; 0: nothing is measured yet */
};

/* A worker ended that had counted these. */
void latency_note_end(struct latency *latency, const uint64_t counts[BOARD_LATENCIES]);
/* sums: of all workers, ended and living. */
void latency_take(struct latency *latency, const uint64_t sums[BOARD_LATENCIES], uint64_t now_ms);
/* What came on top since the oldest snapshot; all, as long as there is none that is a minute old. */
void latency_recent(const struct latency *latency, const uint64_t sums[BOARD_LATENCIES], uint64_t ret_counts[BOARD_LATENCIES]);
/* The duration that a part (0 to 1) of them stays below, within its class by rule of three. False when there are none. */
bool latency_quantile(const uint64_t counts[BOARD_LATENCIES], double part, double *ret_seconds);
uint64_t latency_total(const uint64_t counts[BOARD_LATENCIES]);

/* The sums of all workers, ended and living. */
void latency_sum(const struct master *master, uint64_t ret_sums[BOARD_LATENCIES]);
void latency_on_time(struct master *master, uint64_t now_ms);

#endif
