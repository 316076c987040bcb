/* SPDX-License-Identifier: MIT */
/*
 * chores.c - what the agent asks of the main thread.
 *
 * The agent writes an order and sends the main thread a signal of our own, whose handler CPython runs between two instructions of
 * Python code, so inside the application's too; blocking calls come back for it. (A pending call would be heard by pure Python
 * code from 3.12 on only.) A main thread that waits for events is woken, and runs it in worker_tick(). Which request grows: class
 * sync has one; in gthread the agent names the thread that touches new pages; in gevent python/gunwale/memory.py counts page
 * faults from switch to switch.
 */
#include "base/base.h"

#include "worker/chores.h"

#include "py/py.h"

#include <pthread.h>
#include <signal.h>

#include "base/clock.h"
#include "base/log.h"
#include "py/pyerr.h"
#include "shared/worker_class.h"
#include "worker/exchange.h"
#include "worker/service.h"

enum { NOTHING, ASKED, RUNNING, DONE };

struct chores {
	struct worker *worker;
	pthread_t main_thread;
	PyObject *module; /* gunwale.memory */
	bool has_greenlets, has_threads;
	_Atomic int state;
	/* The agent's until ASKED, the main thread's until DONE. */
	enum chore chore;
	pid_t guilty_tid;
	bool insists;
	uint64_t asked_us;
	uint64_t amount;
	char text[200];
};

static PyObject *exception_of(const struct chores *chores)
{
	return PyObject_GetAttrString(chores->module, chores->insists ? "RequestMemoryKill" : "RequestMemoryExceeded");
}

static void say(struct chores *chores, const struct exchange *exchange)
{
	struct conn *conn = exchange->conn;

	chores->amount = 1;
	(void)snprintf(chores->text, sizeof(chores->text), "ended %.*s %.*s after %.1f s",
	               (int)MIN(conn->request.method.len, (size_t)16), conn->request.method.at,
	               (int)MIN(conn->request.path.len, (size_t)120), conn->request.path.at,
	               (double)(clock_us() - exchange->started_us) / 1e6);
}

/*
 * The request of that thread that runs code of the application, or with 0 the only one there is; one that began after the order is
 * not meant.
 */
static struct exchange *find_exchange(const struct chores *chores, pid_t tid)
{
	struct service *service = chores->worker->service;
	struct exchange *found = NULL;

	if (service == NULL)
		return NULL;
	LIST_EACH (&service->conns, link) {
		struct exchange *exchange = LIST_ENTRY(link, struct conn, link)->exchange;

		if (exchange == NULL || !exchange->is_in_application || exchange->started_us > chores->asked_us ||
		    (tid != 0 && exchange->tid != tid))
			continue;
		if (found != NULL)
			return NULL;
		found = exchange;
	}
	return found;
}

/* Returns -1 with the exception set where it belongs to the code that runs now. */
static int abort_here(struct chores *chores, bool is_inside)
{
	struct exchange *exchange = is_inside ? find_exchange(chores, 0) : NULL;
	PyObject *type;

	if (exchange == NULL)
		return 0;
	type = exception_of(chores);
	if (type == NULL) {
		PyErr_Clear();
		return 0;
	}
	say(chores, exchange);
	PyErr_SetNone(type);
	Py_DECREF(type);
	return -1;
}

static void abort_thread(struct chores *chores)
{
	struct exchange *exchange = find_exchange(chores, chores->guilty_tid);
	PyObject *type = exchange != NULL ? exception_of(chores) : NULL;

	/* It arrives when that thread comes back to Python code. leave() of calls.c takes it back if the request was over by then. */
	if (type != NULL && PyThreadState_SetAsyncExc(exchange->runner, type) == 1) {
		exchange->is_aborted = true;
		say(chores, exchange);
	}
	PyErr_Clear();
	Py_XDECREF(type);
}

/* memory.py answers None (nobody), True (it will be thrown) or the exception type that is to be raised right here. */
static int abort_greenlet(struct chores *chores, bool is_inside)
{
	PyObject *answer = PyObject_CallMethod(chores->module, "abort", "ii", chores->insists, is_inside);
	int result = 0;

	if (answer == NULL) {
		pyerr_log(LOG_ERROR, "The request that grows was not found");
		return 0;
	}
	if (answer != Py_None) {
		chores->amount = 1;
		(void)snprintf(chores->text, sizeof(chores->text), "ended the request of the greenlet that grew");
	}
	if (PyExceptionClass_Check(answer)) {
		PyErr_SetNone(answer);
		result = -1;
	}
	Py_DECREF(answer);
	return result;
}

static void call_module(const struct chores *chores, const char *function)
{
	PyObject *answer = PyObject_CallMethod(chores->module, function, NULL);

	if (answer == NULL)
		pyerr_log(LOG_ERROR, "Memory can't be looked after");
	Py_XDECREF(answer);
}

static void collect(struct chores *chores)
{
	PyObject *answer = PyObject_CallMethod(chores->module, "collect", NULL);

	if (answer == NULL)
		PyErr_Clear();
	else
		chores->amount = PyLong_AsUnsignedLongLongMask(answer);
	Py_XDECREF(answer);
	atomic_fetch_add_explicit(&chores->worker->line->memory_collections_total, 1, memory_order_relaxed);
	(void)snprintf(chores->text, sizeof(chores->text), "collected %llu objects", (unsigned long long)chores->amount);
}

static int do_it(struct chores *chores, bool is_inside)
{
	switch (chores->chore) {
	case CHORE_COLLECT:
		collect(chores);
		return 0;
	case CHORE_WATCH:
		if (chores->has_greenlets)
			call_module(chores, "watch");
		return 0;
	case CHORE_ABORT:
		if (chores->has_greenlets)
			return abort_greenlet(chores, is_inside);
		if (!chores->has_threads)
			return abort_here(chores, is_inside);
		abort_thread(chores);
		return 0;
	}
	return 0;
}

/* Code of ours, such as a handler of another signal, must not be torn out of its work. */
static bool is_our_code(PyObject *frame)
{
	PyObject *globals = PyObject_GetAttrString(frame, "f_globals");
	PyObject *name = globals != NULL ? PyDict_GetItemString(globals, "__name__") : NULL;
	const char *text = name != NULL ? PyUnicode_AsUTF8(name) : NULL;
	const bool is_ours = text != NULL && (strcmp(text, "gunwale") == 0 || strncmp(text, "gunwale.", 8) == 0);

	Py_XDECREF(globals);
	PyErr_Clear();
	return is_ours;
}

static int run(struct chores *chores, bool is_inside)
{
	PyObject *exception;
	int asked = ASKED, result;

	if (atomic_load_explicit(&chores->state, memory_order_relaxed) != ASKED ||
	    !atomic_compare_exchange_strong(&chores->state, &asked, RUNNING))
		return 0;
	chores->amount = 0;
	(void)snprintf(chores->text, sizeof(chores->text), "no request was found that could be ended");
	exception = py_error_take();
	result = do_it(chores, is_inside);
	if (exception != NULL && result == 0)
		py_error_put(exception);
	else
		Py_XDECREF(exception);
	atomic_store_explicit(&chores->state, DONE, memory_order_release);
	return result;
}

/* handler(number, frame): the frame is None where C looks for signals outside of any Python code. */
static PyObject *on_signal(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
	struct chores *chores = PyCapsule_GetPointer(self, NULL);
	PyObject *frame = count > 1 ? args[1] : Py_None;

	if (frame != Py_None && is_our_code(frame))
		Py_RETURN_NONE; /* the agent sends it again */
	if (run(chores, frame != Py_None) < 0)
		return NULL;
	Py_RETURN_NONE;
}

static PyMethodDef signal_method = { "look_after_memory", (PyCFunction)(void (*)(void))on_signal, METH_FASTCALL, NULL };

/* Nobody else's: applications and libraries use the named ones. */
static int chore_signal(void)
{
	return SIGRTMAX - 2;
}

static int take_signal(struct chores *chores)
{
	PyObject *capsule = PyCapsule_New(chores, NULL, NULL), *handler = NULL, *answer = NULL;

	if (capsule != NULL)
		handler = PyCFunction_New(&signal_method, capsule);
	if (handler != NULL)
		answer = PyObject_CallMethod(chores->module, "take_signal", "iO", chore_signal(), handler);
	Py_XDECREF(answer);
	Py_XDECREF(handler);
	Py_XDECREF(capsule);
	return answer != NULL ? 0 : -1;
}

struct chores *chores_new(struct worker *worker)
{
	const char *loop = worker_class_loop(worker->settings);
	struct chores *chores = xcalloc(1, sizeof(*chores));

	chores->worker = worker;
	chores->main_thread = pthread_self();
	chores->has_greenlets = strcmp(loop, "gevent") == 0;
	chores->has_threads = strcmp(loop, "gthread") == 0;
	chores->module = PyImport_ImportModule("gunwale.memory");
	if (chores->module == NULL || take_signal(chores) < 0) {
		Py_XDECREF(chores->module);
		free(chores);
		return NULL;
	}
	return chores;
}

void chores_forget(struct chores *chores)
{
	if (chores != NULL)
		atomic_store_explicit(&chores->state, NOTHING, memory_order_relaxed);
}

void chores_run(struct chores *chores)
{
	(void)run(chores, false);
}

void chores_nudge(const struct chores *chores)
{
	(void)pthread_kill(chores->main_thread, chore_signal());
	worker_wake(chores->worker);
}

bool chores_ask(struct chores *chores, enum chore chore, pid_t guilty_tid, bool insists)
{
	int asked = ASKED;

	/* One that was not heard yet is withdrawn. */
	(void)atomic_compare_exchange_strong(&chores->state, &asked, NOTHING);
	if (atomic_load_explicit(&chores->state, memory_order_acquire) == RUNNING)
		return false;
	chores->chore = chore;
	chores->guilty_tid = guilty_tid;
	chores->insists = insists;
	chores->asked_us = clock_us();
	atomic_store_explicit(&chores->state, ASKED, memory_order_release);
	chores_nudge(chores);
	return true;
}

bool chores_are_done(struct chores *chores, uint64_t *ret_amount, char *ret_text, size_t size)
{
	if (atomic_load_explicit(&chores->state, memory_order_acquire) != DONE)
		return false;
	*ret_amount = chores->amount;
	(void)snprintf(ret_text, size, "%s", chores->text);
	return true;
}
