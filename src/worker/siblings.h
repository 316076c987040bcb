/* SPDX-License-Identifier: MIT */
/*
 * siblings.h - the other workers that accept from the same listeners.
 */
#ifndef WORKER_SIBLINGS_H
#define WORKER_SIBLINGS_H

#include "base/base.h"
#include "worker/service.h"

/*
 * Before a client is let in: a sibling that has fewer, and was woken for one of those that knock, gets the processor for a moment.
 * Then the client may be gone. Takes some microseconds when this worker has more clients than another one, else nothing.
 */
void siblings_first(const struct service *service);

/* A connection is over that served one request at most. */
void siblings_note_brief(struct service *service);

#endif
