/* SPDX-License-Identifier: MIT */
/*
 * pylog.c - the application's Python logger in place of our own log lines.
 *
 * The log's sink in templates and workers; told to look by template.c and worker.c. A line that is said without the GIL (the
 * agent, a poll) or while the logger itself speaks stays plain. What the logger raises goes to stderr.
 */
#include "base/base.h"

#include "py/pylog.h"

#include "py/py.h"

#include "base/buf.h"

/* One interpreter per process. */
static struct {
	PyObject *module; /* gunwale.logchoice */
	PyObject *errors; /* NULL: C writes error lines */
	PyObject *access; /* NULL: C writes access lines */
	enum log_level level;
	bool sends_metrics;
} state;

/* The logger is running on this thread: what it makes C say must not come back to it. */
static _Thread_local bool is_inside;

static void report_failure(const char *what)
{
	PyObject *error = py_error_take(), *answer, *old_type, *old_value, *old_traceback;

	/* The Python side prints what is being handled. */
	PyErr_GetExcInfo(&old_type, &old_value, &old_traceback);
	PyErr_SetExcInfo(py_ref((PyObject *)Py_TYPE(error)), py_ref(error), PyException_GetTraceback(error));
	answer = PyObject_CallMethod(state.module, "report_failure", "s", what);
	PyErr_SetExcInfo(old_type, old_value, old_traceback);
	PyErr_Clear();
	Py_XDECREF(answer);
	Py_XDECREF(error);
}

/* Takes over answer. SystemExit comes from a signal's handler that ran meanwhile; what it ordered is noted already. */
static bool finish_take(PyObject *answer, PyObject *pending, const char *what)
{
	bool is_done = answer != NULL;

	Py_XDECREF(answer);
	if (!is_done && PyErr_ExceptionMatches(PyExc_SystemExit))
		PyErr_Clear();
	else if (!is_done)
		report_failure(what);
	if (pending != NULL)
		py_error_put(pending);
	return is_done;
}

static bool take(void *context ATTR_UNUSED, enum log_level level, struct span message, struct span details)
{
	if (is_inside || state.errors == NULL || !PyGILState_Check())
		return false;
	is_inside = true;

	PyObject *pending = py_error_take();
	struct buf text = BUF_NONE;

	buf_add_span(&text, message);
	if (details.len > 0) {
		buf_add_byte(&text, '\n');
		buf_add_span(&text, span_trim(details, "\n"));
	}
	PyObject *string = PyUnicode_DecodeUTF8(text.data, (Py_ssize_t)text.len, "backslashreplace"), *answer = NULL;
	buf_release(&text);
	if (string != NULL)
		answer = PyObject_CallMethod(state.module, "write", "OiO", state.errors, (int)level, string);
	Py_XDECREF(string);
	bool is_done = finish_take(answer, pending, "The logger failed");
	is_inside = false;
	return is_done;
}

bool pylog_exception(enum log_level level, const char *text, PyObject *exception)
{
	PyObject *old_type, *old_value, *old_traceback, *answer, *string;

	if (is_inside || state.errors == NULL)
		return false;
	is_inside = true;
	/* So that sys.exc_info() answers as in an except clause. */
	PyErr_GetExcInfo(&old_type, &old_value, &old_traceback);
	PyErr_SetExcInfo(py_ref((PyObject *)Py_TYPE(exception)), py_ref(exception), PyException_GetTraceback(exception));
	string = PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text), "backslashreplace");
	answer = string != NULL ? PyObject_CallMethod(state.module, "write_exception", "OiO", state.errors, (int)level, string)
	                        : NULL;
	PyErr_SetExcInfo(old_type, old_value, old_traceback);
	Py_XDECREF(string);
	bool is_done = finish_take(answer, NULL, "The logger failed");
	is_inside = false;
	return is_done;
}

bool pylog_relay(enum log_level level, const char *text, long pid, double seconds)
{
	PyObject *string, *answer = NULL;

	if (is_inside || state.errors == NULL)
		return false;
	is_inside = true;
	string = PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text), "backslashreplace");
	if (string != NULL)
		answer = PyObject_CallMethod(state.module, "relay", "OiOld", state.errors, (int)level, string, pid, seconds);
	Py_XDECREF(string);
	bool is_done = finish_take(answer, NULL, "The logger failed");
	is_inside = false;
	return is_done;
}

void pylog_raw(PyObject *text)
{
	if (is_inside || state.errors == NULL)
		return;
	is_inside = true;
	(void)finish_take(PyObject_CallMethod(state.module, "write_to_streams", "O", text), NULL, "wsgi.errors failed");
	is_inside = false;
}

static void set_logger(PyObject **slot, PyObject *logger)
{
	PyObject *old = *slot;

	*slot = logger != Py_None ? py_ref(logger) : NULL;
	Py_XDECREF(old);
}

void pylog_update(void)
{
	PyObject *answer = NULL, *errors, *access;
	int level, sends_metrics;

	if (state.module == NULL)
		state.module = PyImport_ImportModule("gunwale.logchoice");
	if (state.module != NULL)
		answer = PyObject_CallMethod(state.module, "choose", NULL);
	if (answer == NULL || !PyArg_ParseTuple(answer, "OiOp", &errors, &level, &access, &sends_metrics)) {
		if (state.module != NULL)
			report_failure("The logger was not understood");
		PyErr_Clear();
		Py_XDECREF(answer);
		return;
	}
	state.level = (enum log_level)level;
	set_logger(&state.errors, errors);
	set_logger(&state.access, access);
	state.sends_metrics = sends_metrics != 0;
	Py_DECREF(answer);
	const struct log_sink sink = { .take = take, .level = state.level };
	log_set_sink(state.errors != NULL ? &sink : NULL);
}

bool pylog_has_errors(void)
{
	return state.errors != NULL;
}

bool pylog_is_on(enum log_level level)
{
	return state.errors != NULL && level >= state.level;
}

enum log_level pylog_level(void)
{
	return state.level;
}

bool pylog_sends_metrics(void)
{
	return state.access != NULL && state.sends_metrics;
}

PyObject *pylog_access(void)
{
	return state.access;
}
