/* SPDX-License-Identifier: MIT */
/*
 * input.h - wsgi.input: the request body as a file, read from the connection while the application asks.
 *
 * The caller holds the GIL in all calls.
 */
#ifndef PY_INPUT_H
#define PY_INPUT_H

#include "base/base.h"
#include "base/span.h"
#include "py/py.h"
#include "py/wait.h"

enum {
	INPUT_END = 0,    /* the body is complete */
	INPUT_ERROR = -1, /* a Python exception is set */
	INPUT_WAIT = -2,  /* nothing for now: the socket must become readable first */
};

/* Where the body comes from. Nothing here may wait. */
struct input_source {
	/*
	 * Up to `size` bytes of the body; the count, or INPUT_*. Size 0 only asks: INPUT_END when complete, else
	 * INPUT_WAIT.
	 */
	ssize_t (*read)(void *context, char *into, size_t size);
	/*
	 * Bytes that are here already, borrowed until the next call: their count in ret_bytes->len (1 or more), or
	 * INPUT_*.
	 */
	ssize_t (*peek)(void *context, struct span *ret_bytes);
	void (*consume)(void *context, size_t count);
	/* How many bytes there are still to come; 0 when not known. */
	uint64_t (*expected)(void *context);
	void *context;
	int fd;
	unsigned patience_ms;      /* all waits together, in one request */
	unsigned bytes_per_second; /* a client that is faster than this gets more time */
	/* The client was too slow: tells so for good, later reads fail. The caller has set TimeoutError already. */
	void (*give_up)(void *context);
	uint64_t waited_ms;    /* that bytes have not made up for */
	uint64_t waited_bytes; /* that came since the last wait */
	wait_beat_fn beat;
	void *beat_context; /* outlives every request */
};

/* 0, or -1 with an exception. Once in a process, before input_new(). */
int input_setup(void);
/* A new object that reads from the source until input_detach(). NULL with an exception. */
PyObject *input_new(struct input_source *source);
/* The request is over: later reads raise ValueError. */
void input_detach(PyObject *input);

#endif
