/* SPDX-License-Identifier: MIT */
/*
 * gevent.c - the loop of worker class gevent: every request in a greenlet, the waiting is gevent's.
 *
 * Called by worker.c. One thread; gevent's hub watches our epoll set and calls what is here, through python/gunwale/geventloop.py.
 * look() and has_turns() run in the hub and must not run code of the application there: that is for turn(), in a greenlet. Between
 * two calls of the application C is never left, so that other greenlets find everything whole.
 */
#include "base/base.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "py/py.h"
#include "py/pyerr.h"
#include "py/wait.h"
#include "shared/exits.h"
#include "worker/loop.h"
#include "worker/service.h"
#include "worker/worker.h"

enum { TURN_MS = 20 /* so long requests are begun before the hub looks after its other watchers */ };

struct crew {
	struct service *service;
	PyObject *object;     /* geventloop.Crew */
	uint64_t until_ms;    /* no new turns in this round */
	uint64_t timer_at_ms; /* the hub's timer fires; 0: it has */
	bool has_due;         /* a deadline is over: what then happens may run code of the application */
	bool is_over;
	bool has_failed;
};

/* service->give_way and worker->hold_copy get no context. */
static struct crew *own_crew;

static struct crew *get_crew(PyObject *self)
{
	return PyCapsule_GetPointer(self, NULL);
}

static int call_crew(const struct crew *crew, const char *method)
{
	PyObject *answer = PyObject_CallMethod(crew->object, method, NULL);

	Py_XDECREF(answer);
	return answer != NULL ? 0 : -1;
}

static void finish(struct crew *crew)
{
	if (crew->is_over)
		return;
	crew->is_over = true;
	if (call_crew(crew, "finish") < 0)
		pyerr_log(LOG_ERROR, "The worker cannot end its loop");
}

static void take_order(struct crew *crew)
{
	struct service *service = crew->service;
	const enum worker_order order = worker_tick(service->worker);

	if (order == WORKER_QUIT)
		finish(crew);
	else if (order == WORKER_DRAIN && !service->is_draining)
		loop_begin_drain(service);
	if (service->is_draining && service->open_count == 0)
		finish(crew);
}

/* woken(): wake_fd is readable; look() comes next. */
static PyObject *woken(PyObject *self, PyObject *unused ATTR_UNUSED)
{
	worker_woken(get_crew(self)->service->worker);
	Py_RETURN_NONE;
}

/* fired(): the timer has, perhaps a moment before our clock says so; look() comes next. */
static PyObject *fired(PyObject *self, PyObject *unused ATTR_UNUSED)
{
	get_crew(self)->timer_at_ms = 0;
	Py_RETURN_NONE;
}

/* look() -> None, or in how many milliseconds the timer shall fire: orders and events. */
static PyObject *look(PyObject *self, PyObject *unused ATTR_UNUSED)
{
	struct crew *crew = get_crew(self);
	struct service *service = crew->service;
	int code, wait_ms;

	service->now_ms = clock_ms();
	crew->until_ms = service->now_ms + TURN_MS;
	take_order(crew);
	code = poller_wait(&service->poller, 0);
	if (code < 0) {
		log_critical("The worker cannot wait for events: %s", strerror(-code));
		crew->has_failed = true;
		finish(crew);
		Py_RETURN_NONE;
	}
	loop_take_events(service);
	loop_update_listeners(service);
	wait_ms = service_next_ms(service, loop_beat_ms(service));
	crew->has_due = wait_ms == 0;
	if (service->now_ms < crew->timer_at_ms && service->now_ms + (uint64_t)wait_ms >= crew->timer_at_ms)
		Py_RETURN_NONE;
	/* The hub's clock may be a moment ahead of ours: not twice for one deadline. */
	wait_ms = MAX(wait_ms, 1);
	crew->timer_at_ms = service->now_ms + (uint64_t)wait_ms;
	return PyLong_FromLong(wait_ms);
}

/* has_turns(at_all=False): somebody waits for a turn, and this round is not over yet; or somebody waits. */
static PyObject *has_turns(PyObject *self, PyObject *const *args ATTR_UNUSED, Py_ssize_t count)
{
	const struct crew *crew = get_crew(self);
	const struct service *service = crew->service;

	return PyBool_FromLong((crew->has_due || !list_is_empty(&service->turns)) && !crew->is_over &&
	                       (count > 0 || service->now_ms < crew->until_ms));
}

/* turn() -> bool: ends what has taken too long, and runs turns up to the end of the first request; whether there are more. */
static PyObject *turn(PyObject *self, PyObject *unused ATTR_UNUSED)
{
	struct crew *crew = get_crew(self);
	struct service *service = crew->service;
	const uint64_t before = atomic_load_explicit(&service->worker->line->requests_total, memory_order_relaxed);

	if (UNLIKELY(crew->has_due)) {
		crew->has_due = false;
		loop_expire(service);
	}
	while (loop_run_next(service)) {
		loop_update_listeners(service);
		if (atomic_load_explicit(&service->worker->line->requests_total, memory_order_relaxed) != before)
			break;
	}
	if (UNLIKELY(service->is_draining && service->open_count == 0))
		finish(crew);
	return PyBool_FromLong(!list_is_empty(&service->turns));
}

static PyMethodDef methods[] = {
	{ "woken", woken, METH_NOARGS, NULL },
	{ "fired", fired, METH_NOARGS, NULL },
	{ "look", look, METH_NOARGS, NULL },
	{ "has_turns", (PyCFunction)(void (*)(void))has_turns, METH_FASTCALL, NULL },
	{ "turn", turn, METH_NOARGS, NULL },
};

static int give_way(void)
{
	return call_crew(own_crew, "give_way");
}

static void hold_copy(void)
{
	PyObject *exception = py_error_take();

	if (call_crew(own_crew, "hold_copy") < 0)
		PyErr_Clear();
	if (exception != NULL)
		py_error_put(exception);
}

static int open_crew(struct crew *crew)
{
	struct worker *worker = crew->service->worker;
	PyObject *capsule = PyCapsule_New(crew, NULL, NULL), *module = PyImport_ImportModule("gunwale.geventloop");
	PyObject *functions[ARRAY_LEN(methods)] = { NULL }, *wait = NULL;

	for (size_t i = 0; capsule != NULL && i < ARRAY_LEN(methods); i++)
		functions[i] = PyCFunction_New(&methods[i], capsule);
	if (module != NULL && functions[ARRAY_LEN(methods) - 1] != NULL)
		crew->object = PyObject_CallMethod(module, "Crew", "OOOOOii", functions[0], functions[1], functions[2], functions[3],
		                                   functions[4], crew->service->poller.fd, worker->wake_fd);
	if (crew->object != NULL)
		wait = PyObject_GetAttrString(crew->object, "wait");
	if (wait != NULL) {
		own_crew = crew;
		crew->service->give_way = give_way;
		worker->hold_copy = hold_copy;
		py_wait_set_take(wait);
	}
	for (size_t i = 0; i < ARRAY_LEN(methods); i++)
		Py_XDECREF(functions[i]);
	Py_XDECREF(module);
	Py_XDECREF(capsule);
	return wait != NULL ? 0 : -1;
}

/* SystemExit comes here from greenlets of the application, too: gevent hands it to the main one. */
static int explain_end(void)
{
	PyObject *exception, *value;
	long code = EXIT_OK;

	if (!PyErr_ExceptionMatches(PyExc_SystemExit)) {
		pyerr_log(LOG_ERROR, "Exception in worker process");
		return EXIT_UNHANDLED;
	}
	exception = py_error_take();
	value = PyObject_GetAttrString(exception, "code");
	if (value != NULL && PyLong_Check(value))
		code = PyLong_AsLong(value) & 0xff;
	else if (value != Py_None)
		code = EXIT_FAILURE;
	PyErr_Clear();
	Py_XDECREF(value);
	Py_XDECREF(exception);
	return (int)code;
}

int gevent_run(struct worker *worker)
{
	struct service *service = xcalloc(1, sizeof(*service));
	struct crew *crew = xcalloc(1, sizeof(*crew));
	struct err err = ERR_NONE;
	int exit_code = EXIT_WORKER_BOOT;

	crew->service = service;
	if (service_init(service, worker, &err) == 0 && open_crew(crew) < 0)
		(void)pyerr_to_err(&err, -EINVAL);
	service->has_stacks = true;
	if (err_is_set(&err)) {
		log_critical("The worker cannot serve: %s", err.text);
		return exit_code;
	}
	worker_ready(worker);
	exit_code = call_crew(crew, "run") < 0 ? explain_end() : EXIT_OK;
	worker_end_copy(worker);
	if (crew->has_failed)
		exit_code = EXIT_UNHANDLED;
	/* When it ends in a hurry, greenlets that wait stay: nothing of theirs is taken away. The process ends soon. */
	if (service->open_count == 0)
		loop_close_all(service);
	else
		loop_cut_all(service);
	return exit_code;
}
