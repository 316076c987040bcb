/* SPDX-License-Identifier: MIT */
/*
 * respond.h - a response on the wire: head, framing, the application's Content-Length kept to.
 *
 * The GIL is held in all calls; nothing here waits.
 */
#ifndef WORKER_RESPOND_H
#define WORKER_RESPOND_H

#include "base/base.h"
#include "worker/exchange.h"

/*
 * Adds a piece of the body to the output, with the head before the first one. 1; 0 when nothing that follows can be sent any
 * more, because the length is reached or the answer has no body; -1 with a Python exception.
 */
int respond_add(struct exchange *exchange, PyObject *item);
/* The body is over: adds what is missing (head, last chunk). 0, or -1 with a Python exception. */
int respond_end(struct exchange *exchange);
/* Whether the response on the wire is complete and correctly framed, once the output is empty. */
bool respond_is_whole(const struct exchange *exchange);
/* Whether only the end of the connection says where the body ends (HTTP/1.0 without Content-Length). */
bool respond_ends_by_close(const struct exchange *exchange);
/* wsgi.file_wrapper with a regular file: adds the head and sets file_*. False: iterate instead. */
bool respond_begin_file(struct exchange *exchange);
/* Sends some of the file; output is empty. 0 when some went out or all is done, -EAGAIN, other -errno. */
int respond_send_file(struct exchange *exchange);
/* Replaces everything by an error page. Only while no head was sent. */
void respond_error_page(struct exchange *exchange, int status, const char *reason, struct span text);

#endif
