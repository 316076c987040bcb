/* SPDX-License-Identifier: MIT */
/*
 * failure.h - an exception left the application: who is told what.
 *
 * The GIL is held in all calls; nothing here waits.
 */
#ifndef WORKER_FAILURE_H
#define WORKER_FAILURE_H

#include "base/base.h"
#include "worker/exchange.h"

/* Logs and counts the current exception, which is gone afterwards. */
void failure_log(struct exchange *exchange);
/*
 * Takes the current exception: logs it unless it is the client's doing, and ends the exchange by an error page or, when some
 * of the response has left, by cutting it.
 */
void failure_answer(struct exchange *exchange);
/* The application has served the client by itself: ends the exchange, and the connection, without a word. */
void failure_hang_up(struct exchange *exchange);

#endif
