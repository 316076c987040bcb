/* SPDX-License-Identifier: MIT */
/*
 * wait.h - wait for a client inside a request: without the GIL, with signs of life, with an end.
 */
#ifndef PY_WAIT_H
#define PY_WAIT_H

#include "base/base.h"
#include "base/pace.h"
#include "py/py.h"

/* Called about once a second while waiting, without the GIL. */
typedef void (*wait_beat_fn)(void *context);

/*
 * Waits until the socket is ready for `events` (POLLIN, POLLOUT), for timeout_ms at most. GIL held at entry and return,
 * released between; Python signal handlers run. The caller must look again at everything that other threads may have
 * changed. 0: ready; -1 with a Python exception: TimeoutError saying `text`, or what a signal handler raised.
 */
int py_wait(int fd, short events, unsigned timeout_ms, const char *text, wait_beat_fn beat, void *context);

/*
 * The same until the client has read some, or has been too slow, all waits of this pace together: TimeoutError. Where another thread
 * may end the request meanwhile, `pace` is the caller's own copy.
 */
int py_wait_for_reader(int fd, struct pace *pace, wait_beat_fn beat, void *context);

/*
 * From now on the wait itself is up to wait(fd, is_write, seconds), a callable that answers whether the socket became ready in
 * time. It sees to signs of life and to signals itself. Takes the reference. GIL held.
 */
void py_wait_set_take(PyObject *wait_take);

#endif
