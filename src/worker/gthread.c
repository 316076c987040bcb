/* SPDX-License-Identifier: MIT */
/*
 * gthread.c - the loop of worker class gthread: several threads run the application.
 *
 * Called by worker.c. One thread waits at the epoll set, takes one event, lets the next thread wait there, and carries its event
 * through: read, parse, application, write. There is no queue between threads and no hand-over, and never more than one thread has an
 * event in hand and waits for the GIL: those who ask for it do not get it in the order in which they came. Connections and the
 * service belong to whoever holds the GIL, and a connection whose request is with the application (CONN_APP) to that thread
 * alone. The main thread never runs the application: it keeps the signals, deadlines and signs of life.
 */
#include "base/base.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "py/py.h"
#include "py/pyerr.h"
#include "shared/exits.h"
#include "worker/loop.h"
#include "worker/service.h"
#include "worker/worker.h"

enum {
	/* A thread that finds the next event at once goes on without letting go of the GIL, so long. */
	SHARE_MS = 1,
	/* While draining the last connection may end at any moment. */
	DRAIN_MS = 20,
};

struct crew {
	struct service *service;
	PyObject *threads;
	struct turn nudge; /* what the poller gives back for nudge_fd */
	int nudge_fd;      /* readable: there are turns in the queue, or the end has come */
	pthread_mutex_t door; /* held by the one thread that waits for an event, or has one in hand and wants the GIL */
	bool is_over;
	bool has_failed;
};

static void nudge(struct crew *crew)
{
	const uint64_t one = 1;
	ssize_t ignored = write(crew->nudge_fd, &one, sizeof(one));

	(void)ignored;
}

static void calm(struct crew *crew)
{
	uint64_t count;
	ssize_t ignored = read(crew->nudge_fd, &count, sizeof(count));

	(void)ignored;
}

/* Waits for one event, and queues whose turn it is. `until_ms`: so long this thread may keep the GIL. */
static bool await_event(struct crew *crew, uint64_t *until_ms)
{
	struct service *service = crew->service;
	struct epoll_event event;
	int count = 0;

	if (service->now_ms < *until_ms) {
		count = poller_take(&service->poller, 0, &event);
		service->now_ms = clock_ms(); /* not all events lead to the application, which would see to it */
	}
	if (count == 0) {
		Py_BEGIN_ALLOW_THREADS
		(void)pthread_mutex_lock(&crew->door);
		count = poller_take(&service->poller, -1, &event);
		Py_END_ALLOW_THREADS
		(void)pthread_mutex_unlock(&crew->door);
		service->now_ms = clock_ms();
		*until_ms = service->now_ms + SHARE_MS;
	}
	if (count < 0) {
		log_critical("The worker cannot wait for events: %s", strerror(-count));
		crew->has_failed = true;
	} else if (count > 0 && event.data.ptr != &crew->nudge) {
		loop_take_event(service, &event);
	} else if (count > 0 && !crew->is_over) {
		calm(crew);
	}
	return count >= 0;
}

/* The lock is asked for by those whose events have come, and only Python code of the application would let go of it. */
static void share(struct service *service, uint64_t *until_ms)
{
	Py_BEGIN_ALLOW_THREADS
	Py_END_ALLOW_THREADS
	service->now_ms = clock_ms();
	*until_ms = service->now_ms + SHARE_MS;
}

/* The life of a thread. */
static PyObject *serve(PyObject *self, PyObject *unused ATTR_UNUSED)
{
	struct crew *crew = PyCapsule_GetPointer(self, NULL);
	struct service *service = crew->service;
	uint64_t until_ms = 0;

	while (!crew->is_over || service->open_count > 0) {
		loop_update_listeners(service);
		if (list_is_empty(&service->turns)) {
			if (!await_event(crew, &until_ms))
				break;
			continue;
		}
		if (service->now_ms >= until_ms) {
			share(service, &until_ms);
			continue;
		}
		/* The application may keep this thread: another one shall look after the rest. */
		if (service->turns.next->next != &service->turns)
			nudge(crew);
		(void)loop_run_next(service);
	}
	Py_RETURN_NONE;
}

static PyMethodDef serve_method = { "serve", serve, METH_NOARGS, NULL };

static int start_threads(struct crew *crew)
{
	PyObject *capsule = PyCapsule_New(crew, NULL, NULL), *run = NULL, *module = NULL;

	if (capsule != NULL)
		run = PyCFunction_New(&serve_method, capsule);
	if (run != NULL)
		module = PyImport_ImportModule("gunwale.threads");
	if (module != NULL)
		crew->threads = PyObject_CallMethod(module, "start", "lO", MAX(crew->service->settings->threads, 1L), run);
	Py_XDECREF(module);
	Py_XDECREF(run);
	Py_XDECREF(capsule);
	return crew->threads != NULL ? 0 : -1;
}

static bool are_done(const struct crew *crew)
{
	PyObject *module = PyImport_ImportModule("gunwale.threads"), *answer = NULL;
	bool result;

	if (module != NULL)
		answer = PyObject_CallMethod(module, "are_done", "O", crew->threads);
	result = answer == NULL || PyObject_IsTrue(answer) != 0;
	Py_XDECREF(answer);
	Py_XDECREF(module);
	PyErr_Clear();
	return result;
}

/* Deadlines, and a wait for signals. */
static void keep_watch(struct crew *crew)
{
	struct service *service = crew->service;
	struct pollfd item = { .fd = service->worker->wake_fd, .events = POLLIN };
	int timeout_ms, count;

	service->now_ms = clock_ms();
	loop_expire(service);
	loop_update_listeners(service);
	if (!list_is_empty(&service->turns))
		nudge(crew);
	timeout_ms = service->is_draining ? DRAIN_MS : service_next_ms(service, loop_beat_ms(service));
	Py_BEGIN_ALLOW_THREADS
	count = poll(&item, 1, timeout_ms);
	Py_END_ALLOW_THREADS
	if (count > 0)
		worker_woken(service->worker);
	else if (!service->is_draining)
		loop_look_at_listeners(service);
}

static int lead(struct crew *crew)
{
	struct service *service = crew->service;
	struct worker *worker = service->worker;

	for (;;) {
		const enum worker_order order = worker_tick(worker);

		if (order == WORKER_QUIT || crew->has_failed)
			return crew->has_failed ? EXIT_UNHANDLED : EXIT_OK;
		if (order == WORKER_DRAIN && !service->is_draining)
			loop_begin_drain(service);
		if (service->is_draining && service->open_count == 0 && !crew->is_over) {
			crew->is_over = true;
			nudge(crew);
		}
		if (crew->is_over && are_done(crew))
			return EXIT_OK;
		keep_watch(crew);
	}
}

int gthread_run(struct worker *worker)
{
	struct service *service = xcalloc(1, sizeof(*service));
	struct crew *crew = xcalloc(1, sizeof(*crew));
	struct err err = ERR_NONE;
	int exit_code = EXIT_WORKER_BOOT;

	crew->service = service;
	(void)pthread_mutex_init(&crew->door, NULL);
	crew->nudge_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (crew->nudge_fd < 0)
		(void)err_set_errno(&err, -errno, "no eventfd");
	else if (service_init(service, worker, &err) == 0 &&
	         poller_add_wake(&service->poller, crew->nudge_fd, &crew->nudge) < 0)
		(void)err_set(&err, -EINVAL, "no wake-up");
	service->has_stacks = true;
	if (!err_is_set(&err) && start_threads(crew) < 0)
		(void)pyerr_to_err(&err, -EINVAL);
	if (err_is_set(&err)) {
		log_critical("The worker cannot serve: %s", err.text);
		return exit_code;
	}
	worker_ready(worker);
	exit_code = lead(crew);
	/* When it ends in a hurry its threads run on until the process is gone: nothing of theirs is taken away. */
	if (are_done(crew)) {
		loop_close_all(service);
		service_release(service);
		Py_CLEAR(crew->threads);
		fd_close(&crew->nudge_fd);
		free(service);
		free(crew);
	} else {
		loop_cut_all(service);
	}
	return exit_code;
}
