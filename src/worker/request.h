/* SPDX-License-Identifier: MIT */
/*
 * request.h - read a request, up to the point where the application is called.
 *
 * The GIL is held in all calls; nothing here waits. After a call the connection may be closed.
 */
#ifndef WORKER_REQUEST_H
#define WORKER_REQUEST_H

#include "base/base.h"
#include "worker/conn.h"

/* States FRESH, IDLE, HEAD: goes on with the head, and with what follows when it is complete. */
void request_read_head(struct conn *conn);
/* State BODY: gathers the first part of the body, then calls the application. */
void request_read_body(struct conn *conn);

/*
 * An error page instead of an answer, and no more requests. `cause` goes to the log, `text` into the page. The connection may
 * be closed afterwards.
 */
void request_refuse(struct conn *conn, int status, const char *reason, struct span cause, struct span text);

#endif
