/* SPDX-License-Identifier: MIT */
/*
 * push.h - bytes of a response that leave, and what the application sends itself while it runs.
 *
 * The GIL is held in all calls; nothing here waits.
 */
#ifndef WORKER_PUSH_H
#define WORKER_PUSH_H

#include "base/base.h"
#include "worker/exchange.h"

/* The reply gets its functions; exchange->source is set. */
void push_begin(struct exchange *exchange);
/* Sends what is in the output. 0 when all went out, -EAGAIN, other -errno when the client is lost. */
int push_flush(struct exchange *exchange);
/* "100 Continue", once, if the client waits for it. 0 or -errno. */
int push_continue(struct exchange *exchange);
/* The client is too slow: closing shall throw away what waits for it in the kernel, too, which might stay for as long as it likes. */
void push_drop_queue(struct exchange *exchange);

#endif
