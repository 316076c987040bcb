/* SPDX-License-Identifier: MIT */
/*
 * start_response.h - what the application says about its response, and the callable by which it says so.
 *
 * The caller holds the GIL in all calls.
 */
#ifndef PY_START_RESPONSE_H
#define PY_START_RESPONSE_H

#include "base/base.h"
#include "base/buf.h"
#include "http/http.h"
#include "py/py.h"
#include "py/wait.h"

enum { REPLY_WAIT = 1 };

struct reply {
	struct http_response response;
	struct buf status; /* "200 OK" */
	struct buf fields; /* "Name: value\r\n" lines, checked */
	bool has_started;  /* start_response() was called */
	bool is_head_sent; /* the head is on its way: it cannot be replaced any more */
	/* write(): takes the bytes. 0, or -1 with an exception. */
	int (*write)(void *context, PyObject *bytes);
	/*
	 * Sends what there is. 0, -1 with an exception, or REPLY_WAIT: again when the socket is writable. Does not wait
	 * itself.
	 */
	int (*flush)(void *context);
	/* wsgi.early_hints: sends a whole interim response now, or not at all. 0, or -1 with an exception. */
	int (*interim)(void *context, struct span bytes);
	bool takes_interim; /* the client knows interim responses */
	/* write() has waited in vain: raises TimeoutError next. */
	void (*give_up)(void *context);
	void *context;
	int fd;
	struct pace pace; /* of the client's reading */
	wait_beat_fn beat;
	void *beat_context; /* outlives every request */
};

void reply_init(struct reply *reply);    /* zeroed struct needed the first time; keeps the memory of its buffers */
void reply_release(struct reply *reply); /* frees the buffers */

/* 0, or -1 with an exception. Once in a process, before start_response_new(). */
int start_response_setup(void);
/* A callable that fills `reply` until start_response_detach(). NULL with an exception. */
PyObject *start_response_new(struct reply *reply);
/* The request is over: later calls, and write(), raise RuntimeError. */
void start_response_detach(PyObject *callable);

#endif
