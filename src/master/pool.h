/* SPDX-License-Identifier: MIT */
/*
 * pool.h - all slots together: how many workers, which one next, who is outdated, when to wait.
 *
 * Pure: looks at the slots and the time, and says what it wishes. The caller (workers.c) carries the wishes out.
 */
#ifndef MASTER_POOL_H
#define MASTER_POOL_H

#include "base/base.h"
#include "master/slot.h"
#include "shared/board.h"

enum {
	POOL_YOUNG_MS = 5000,         /* a worker that fails within this time of its fork died young */
	POOL_BACKOFF_FIRST_MS = 100,  /* wait before the second young death in a row is replaced; doubles */
	POOL_BACKOFF_MAX_MS = 5000,
	POOL_CALM_MS = 30000,         /* so long without a young death, and the count begins anew */
};

struct pool {
	struct slot *slots[BOARD_SLOTS]; /* owned; NULL above slot_count */
	uint32_t slot_count;
	long target;              /* wanted workers */
	uint32_t generation;      /* new workers belong to it; younger slots are a reload's candidates and left alone */
	uint32_t max_recycling;   /* workers that may be on their way out, or successors that boot, at the same time */
	bool has_no_room;         /* for a successor beside the one it replaces: then that one leaves first */
	bool can_fork;            /* this generation's template is ready */
	uint32_t next_serial;     /* gunicorn's worker.age of the next worker */
	uint32_t young_deaths;    /* in a row */
	uint64_t young_death_ms;  /* the last one */
	uint64_t not_before_ms;   /* no fork before this time */
	bool has_postponed;       /* the last plan would have forked but for not_before_ms */
};

enum wish_kind { WISH_SPAWN, WISH_RETIRE };

struct wish {
	enum wish_kind kind;
	uint32_t slot;
	enum slot_reason reason; /* of a retirement */
};

void pool_init(struct pool *pool);
void pool_release(struct pool *pool);

/*
 * What has to be done now so that `target` fresh workers serve, without ever having fewer than that number serving where that
 * can be helped: successors first, then retirements. Returns the number of wishes (at most max). Call again after each event;
 * a plan whose wishes were carried out wishes nothing more.
 */
size_t pool_plan(struct pool *pool, uint64_t now_ms, struct wish *ret_wishes, size_t max);
/* An EMPTY slot, made if need be; NULL when all BOARD_SLOTS are taken. */
struct slot *pool_find_empty(struct pool *pool);
struct slot *pool_slot(const struct pool *pool, uint32_t index); /* NULL when there is none */
struct slot *pool_find_pid(const struct pool *pool, pid_t pid);  /* NULL when none has it */

/* Counts a worker's end: one of the pool's generation that failed young makes the next forks wait. */
void pool_note_failure(struct pool *pool, uint32_t generation, uint64_t spawned_ms, uint64_t now_ms);

/* Slots that are not EMPTY. */
uint32_t pool_live(const struct pool *pool);
/* Slots in that state. */
uint32_t pool_count(const struct pool *pool, enum slot_state state);
/* Live slots of that generation. */
uint32_t pool_live_of(const struct pool *pool, uint32_t generation);
/* When that worker reaches its age limit; 0: never, or its successor is asked for already. */
uint64_t pool_old_ms(const struct slot *slot);
/* When the pool wants to be looked at again: slot timers and the end of a postponement; 0: nothing is waiting. */
uint64_t pool_next_ms(const struct pool *pool);

#endif
