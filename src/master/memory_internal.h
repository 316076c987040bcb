/* SPDX-License-Identifier: MIT */
/*
 * memory_internal.h - between the memory*.c files. Nobody else includes it.
 */
#ifndef MASTER_MEMORY_INTERNAL_H
#define MASTER_MEMORY_INTERNAL_H

#include "base/base.h"
#include "master/memory.h"

enum {
	MEMORY_FAST_MS = 20,   /* between two looks while something grows, or the service is half full */
	MEMORY_CALM_MS = 50,
	MEMORY_SLOW_MS = 1000, /* at what costs more; and at all of it where nothing is budgeted */
	/* Growth of the moment; as long as a prediction must hold, so that one jump is none. */
	MEMORY_SLOPE_MS = REMEDY_AHEAD_HOLD_MS,
};

#define MEMORY_LEAST_BOOT_BYTES ((uint64_t)8 << 20)

/* What is known of a worker; made on first use. */
struct memory_track *memory_track_make(struct worker_handle *handle);
/* There is a process whose memory can be looked at. */
bool memory_has_process(const struct slot *slot);

/* memory_read.c */
/* What a worker uses, by the measure that is asked for. */
uint64_t memory_measure_of(const struct master *master, const struct memory_track *track);
/* Kernel memory of a worker's sockets; READING_UNKNOWN before its agent has looked. */
uint64_t memory_sockets_of(const struct memory_track *track);
/* Each look: every worker's size; says whether one of them grows. */
bool memory_read_workers(struct master *master, uint64_t now_ms);
/* Each look: what the service uses. */
void memory_read_use(struct master *master, uint64_t now_ms);
/* Each second: the container, agents, sockets, master and template. */
void memory_read_slowly(struct master *master, uint64_t now_ms);

/* memory.c: a worker is about to be killed before it was ready. */
void memory_on_boot_kill(struct master *master);

/* memory_act.c: has everything judged, and carries out what follows. */
void memory_act(struct master *master, uint64_t now_ms);

/* a - b where both are known and a is greater, else 0. */
static inline uint64_t memory_above(uint64_t a, uint64_t b)
{
	return reading_is_known(a) && reading_is_known(b) && a > b ? a - b : 0;
}

#endif
