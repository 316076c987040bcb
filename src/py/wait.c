/* SPDX-License-Identifier: MIT */
/*
 * wait.c - wait for a client inside a request.
 *
 * Called by input.c, by write(), and by worker/exchange.c. Must not touch any connection: while it waits, the request may end in
 * another thread.
 */
#include "base/base.h"

#include "py/wait.h"

#include <poll.h>

#include "base/clock.h"
#include "base/fd.h"
#include "py/py.h"

enum { BEAT_MS = 1000 };

/* Of worker class gevent, where only the greenlet waits; NULL: the thread does. */
static PyObject *waiter;

void py_wait_set_take(PyObject *wait_take)
{
	Py_XSETREF(waiter, wait_take);
}

static int wait_by_waiter(int fd, short events, unsigned timeout_ms, const char *text)
{
	PyObject *answer =
		PyObject_CallFunction(waiter, "iid", fd, (events & POLLOUT) != 0 ? 1 : 0, (double)timeout_ms / 1000);
	const int result = answer != NULL ? PyObject_IsTrue(answer) : -1;

	Py_XDECREF(answer);
	if (result == 0)
		PyErr_SetString(PyExc_TimeoutError, text);
	return result > 0 ? 0 : -1;
}

int py_wait(int fd, short events, unsigned timeout_ms, const char *text, wait_beat_fn beat, void *context)
{
	const uint64_t deadline_ms = clock_ms() + timeout_ms;

	if (waiter != NULL)
		return wait_by_waiter(fd, events, timeout_ms, text);
	for (;;) {
		struct pollfd item = { .fd = fd, .events = events };
		const uint64_t now_ms = clock_ms();
		int count, code;

		if (now_ms >= deadline_ms) {
			PyErr_SetString(PyExc_TimeoutError, text);
			return -1;
		}
		Py_BEGIN_ALLOW_THREADS
		if (beat != NULL)
			beat(context);
		count = poll(&item, 1, (int)MIN(deadline_ms - now_ms, (uint64_t)BEAT_MS));
		code = errno;
		Py_END_ALLOW_THREADS
		if (PyErr_CheckSignals() < 0)
			return -1;
		if (count > 0)
			return 0;
		if (count < 0 && code != EINTR) {
			errno = code;
			PyErr_SetFromErrno(PyExc_OSError);
			return -1;
		}
	}
}

int py_wait_for_reader(int fd, struct pace *pace, wait_beat_fn beat, void *context)
{
	static const char text[] = "the client does not read its response";

	for (;;) {
		bool is_fast_enough;
		int code;

		pace_begin(pace, clock_ms(), fd_queued_bytes(fd));
		code = py_wait(fd, POLLOUT, pace_left_ms(pace), text, beat, context);
		is_fast_enough = pace_end(pace, clock_ms(), fd_queued_bytes(fd));
		if (code == 0 && is_fast_enough)
			return 0;
		if (code == 0) {
			PyErr_SetString(PyExc_TimeoutError, text);
			return -1;
		}
		/* It reads, but the kernel tells only when a third of the queue is empty. */
		if (!is_fast_enough || !PyErr_ExceptionMatches(PyExc_TimeoutError))
			return -1;
		PyErr_Clear();
	}
}
