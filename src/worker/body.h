/* SPDX-License-Identifier: MIT */
/*
 * body.h - the request body of a connection: decoded in place, gathered, handed to wsgi.input, thrown away.
 *
 * The GIL is held in all calls; nothing here waits.
 */
#ifndef WORKER_BODY_H
#define WORKER_BODY_H

#include "base/base.h"
#include "py/input.h"
#include "worker/conn.h"

/* So much is gathered before the application is called, and thrown away after it. */
enum { BODY_GATHER_BYTES = 65536 };

/* The head is complete: what lies behind it is body. */
void body_begin(struct conn *conn);
/*
 * Decodes raw bytes until there is nothing more, the body ends, or enough is decoded. HTTP_DONE, HTTP_MORE, or why it
 * is refused.
 */
enum http_result body_decode(struct conn *conn);
/* Decoded bytes that nobody has taken. */
size_t body_ready(const struct conn *conn);
/* Whether more is to come than will be thrown away after the response. */
bool body_is_long(const struct conn *conn);
/* Closes the gaps that taking and decoding left, so that the buffer stays small. */
void body_compact(struct conn *conn);
/* What is decoded is not wanted any more. */
void body_drop(struct conn *conn);
/* The next request begins where this body ended: moves the raw bytes to the front. */
void body_finish(struct conn *conn);
/* Fills in everything for input_new(); the source belongs to the request. */
void body_init_source(struct conn *conn, struct input_source *source);

#endif
