/* SPDX-License-Identifier: MIT */
/*
 * output.h - bytes on their way to a client.
 *
 * Small things are gathered in a buffer, one big bytes object at a time is sent from where Python has it. Order on the wire:
 * `before`, `big`, `after`. A zeroed struct is empty. The caller holds the GIL in all calls.
 */
#ifndef WORKER_OUTPUT_H
#define WORKER_OUTPUT_H

#include "base/base.h"
#include "base/buf.h"
#include "py/py.h"

struct conn;

struct output {
	struct buf before;
	size_t before_at; /* bytes sent of it */
	PyObject *big;    /* strong; NULL: none */
	struct span rest; /* of big: still to send */
	struct buf after;
	size_t after_at;
};

/* Where small bytes go: behind everything that is there. Valid until the next call. */
struct buf *output_tail(struct output *output);
/* Adds `len` bytes at the front of a bytes object: copied when small, else kept by reference. */
void output_add(struct output *output, PyObject *bytes, size_t len);
/* A second big object does not fit: flush first. */
bool output_is_full(const struct output *output);
bool output_is_empty(const struct output *output);
size_t output_pending(const struct output *output);
/*
 * Sends without waiting. 0 when all went out, -EAGAIN when the client must take some first, other -errno when it is lost.
 * *ret_sent: bytes that went out, in every case.
 */
int output_flush(struct output *output, struct conn *conn, size_t *ret_sent);
/* Forgets what is pending, keeps the memory of the buffers up to a bound. */
void output_clear(struct output *output);
void output_release(struct output *output);

#endif
