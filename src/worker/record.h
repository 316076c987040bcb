/* SPDX-License-Identifier: MIT */
/*
 * record.h - what is left of a response when it is over: a line of the access log, counters.
 */
#ifndef WORKER_RECORD_H
#define WORKER_RECORD_H

#include "base/base.h"
#include "worker/exchange.h"

/* Once for each request, before its objects are released; `now_us` is when it was over. GIL held; never waits. */
void record_response(struct exchange *exchange, uint64_t now_us);
/* A request that was refused although its head was read whole, before it is answered. GIL held; never waits. */
void record_refusal(struct conn *conn, int status, const char *reason);

#endif
