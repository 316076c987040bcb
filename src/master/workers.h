/* SPDX-License-Identifier: MIT */
/*
 * workers.h - the worker processes: forked, listened to, told to leave, reported. slot.h and pool.h decide, this acts.
 */
#ifndef MASTER_WORKERS_H
#define MASTER_WORKERS_H

#include "base/base.h"
#include "master/peer.h"
#include "master/pool.h"
#include "master/procmem.h"

struct master;

/* What the master holds of a worker besides its slot. */
struct worker_handle {
	struct master *master;
	uint32_t slot;
	struct peer *peer;
	struct procmem procmem;
	struct memory_track *memory; /* owned: what memory.c knows of it; NULL before it looked */
	uint64_t spawned_total;  /* workers that this slot has had */
};

/* Frees what *handle points to, and empties it; harmless where there is none. */
void workers_free_handle(struct worker_handle **handle);

/* Forks a worker of that generation in an EMPTY slot. 0, or -errno when its template can't be reached. */
int workers_spawn(struct master *master, struct slot *slot, uint32_t generation);
/* Tells a worker to finish and leave; no effect on one that is leaving already. */
void workers_retire(struct master *master, struct slot *slot, enum slot_reason reason);
void workers_retire_all(struct master *master, enum slot_reason reason);
void workers_hurry_all(struct master *master);
void workers_kill_all(struct master *master);
/* Sends a signal to every worker whose pid is known. */
void workers_signal_all(struct master *master, int signal);
/*
 * Asks for a successor of a serving worker; with it ready, the worker retires. gain: see slot_facts. 0; -ESRCH: none serves or
 * boots there; -EALREADY: its successor is asked for already.
 */
int workers_recycle(struct master *master, struct slot *slot, enum slot_reason reason, uint64_t gain_bytes);
/* SIGKILL, for memory's sake. */
void workers_kill(struct master *master, struct slot *slot, enum slot_reason reason);
/* Hands a message to the worker's agent. 0 or -errno. */
int workers_send(struct master *master, uint32_t slot, const struct message *message);
/* No heartbeat in time. */
void workers_abort_late(struct master *master, struct slot *slot);

/* Carries out what pool_plan() wishes, until it wishes nothing more. */
void workers_follow_plan(struct master *master, uint64_t now_ms);

/* The template's word. */
void workers_on_forked(struct master *master, uint32_t slot, uint32_t serial, pid_t pid);
void workers_on_fork_failed(struct master *master, uint32_t slot, uint32_t serial);
/* The template of that generation ended: what it was asked for will not come. */
void workers_on_template_gone(struct master *master, uint32_t generation);

/* A process ended: true when it was one of ours. */
bool workers_on_exit(struct master *master, pid_t pid, int status);
/* Steps the slots whose timer ran out. */
void workers_on_time(struct master *master, uint64_t now_ms);

/* Resident set size of the worker in that slot; 0 or -errno. */
int workers_rss(const struct master *master, uint32_t slot, uint64_t *ret_rss_bytes);
/* Size of its address space; 0 or -errno. */
int workers_virtual(const struct master *master, uint32_t slot, uint64_t *ret_bytes);
/* How many workers that slot has had. */
uint64_t workers_spawned(const struct master *master, uint32_t slot);

#endif
