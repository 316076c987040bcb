/* SPDX-License-Identifier: MIT */
/*
 * gather.h - pieces of a stream that come quickly leave together.
 *
 * An iterator that gives a piece each microsecond spends most of its time in the kernel when each of them is sent by itself. PEP
 * 3333 allows no delay unless another thread sends what waits while the application makes the next piece: that thread is the agent.
 * So a small piece that came quickly after some others stays in the output until there are many bytes or half a millisecond has
 * passed; and while the application is asked for the next one, the output is lent to the agent, which sends it two to four
 * milliseconds later should the application take so long.
 */
#ifndef WORKER_GATHER_H
#define WORKER_GATHER_H

#include "base/base.h"

struct exchange;
struct gather;

/* NULL with errno: there is no timer. */
struct gather *gather_new(void);
/* Readable when the agent shall call gather_rescue(). */
int gather_timer_fd(const struct gather *gather);
/* Agent, no GIL: sends what has waited for too long. */
void gather_rescue(struct gather *gather);

/* The calls from here on: GIL held. */

/* Before a piece of an iterator is sent that is in the output. True: not yet. Call it once for each piece. */
bool gather_may_wait(struct exchange *exchange, uint64_t now_us);
/* Before the iterator is asked for the next piece. False: what waits must be sent now. */
bool gather_lend(struct exchange *exchange);
/* From here on the output is the caller's alone. Whoever might touch it within or after that call says so first. */
void gather_take_back(struct exchange *exchange);

#endif
