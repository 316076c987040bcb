/* SPDX-License-Identifier: MIT */
/*
 * calls.h - every call of an exchange into the application and its hooks.
 *
 * The GIL is held in all calls; Python code of the application runs in each.
 */
#ifndef WORKER_CALLS_H
#define WORKER_CALLS_H

#include "base/base.h"
#include "worker/exchange.h"

/* pre_request hooks. 0, or -1 with an exception. */
int calls_pre_request(struct exchange *exchange);
/* Calls the application and opens what it returns. 0, or -1 with an exception. */
int calls_application(struct exchange *exchange);
/* The next piece of the answer: 1 and a new reference, 0 at the end, -1 with an exception. */
int calls_next(struct exchange *exchange, PyObject **ret_item);
/* close() of the iterable, once; an exception of it is logged and ends the connection. */
void calls_close(struct exchange *exchange);
/* post_request hooks; an exception of them is logged. */
void calls_post_request(struct exchange *exchange);

#endif
