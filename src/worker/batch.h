/* SPDX-License-Identifier: MIT */
/*
 * batch.h - answers that are ready together leave together.
 *
 * A client on the same machine that sleeps is woken by the first byte sent to it, which costs the sender a fifth of a short
 * request. So while more requests wait for their turn, a small whole answer is put aside for at most half a millisecond, and
 * all that were put aside are sent in one go. Only where requests have been short lately, and only one at a time in Python:
 * class sync. Should the next request take long after all, the agent sends what waits for it.
 */
#ifndef WORKER_BATCH_H
#define WORKER_BATCH_H

#include "base/base.h"

struct batch;
struct conn;
struct exchange;
struct service;

/* NULL with errno: there is no timer. */
struct batch *batch_new(void);
/* Readable when the agent shall call batch_rescue(). */
int batch_timer_fd(const struct batch *batch);
/* Agent, no GIL: sends what has waited for too long. Whose turn it is does the rest. */
void batch_rescue(struct batch *batch);

/* The calls from here on: GIL held, batch may be NULL. */

/* An answer is in its output, with nothing of it sent. True: it is put aside, and goes on after batch_flush(). */
bool batch_hold(struct batch *batch, struct exchange *exchange);
/* A request is over that took so long; time in which the client did not read counts, too. */
void batch_note(struct batch *batch, uint64_t duration_us);
/* After each turn: sends what was put aside when it is time. */
void batch_end_turn(struct batch *batch, const struct service *service);
/* Sends everything, and queues the connections for what is left to do. */
void batch_flush(struct batch *batch);
/* The connection is about to be closed: it is none of those any more. */
void batch_forget(struct batch *batch, const struct conn *conn);

#endif
