/* SPDX-License-Identifier: MIT */
/*
 * pyerr.c - the current exception as text.
 *
 * Called by whoever ran Python code that failed. Must work with a broken traceback module: the exception's own text is the
 * fallback.
 */
#include "base/base.h"

#include "py/pyerr.h"

#include "py/py.h"

#include "py/pylog.h"

static void add_str(struct buf *text, PyObject *str)
{
	Py_ssize_t len;
	const char *utf8;
	PyObject *bytes;

	utf8 = PyUnicode_AsUTF8AndSize(str, &len);
	if (utf8 != NULL) {
		buf_add(text, utf8, (size_t)len);
		return;
	}
	/* Lone surrogates, as in file names that are not UTF-8. */
	PyErr_Clear();
	bytes = PyUnicode_AsEncodedString(str, "utf-8", "backslashreplace");
	if (bytes != NULL)
		buf_add(text, PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes));
	PyErr_Clear();
	Py_XDECREF(bytes);
}

static void add_summary(struct buf *text, PyObject *exception)
{
	PyObject *str = PyObject_Str(exception);

	buf_add_str(text, Py_TYPE(exception)->tp_name);
	if (str != NULL && PyUnicode_GetLength(str) > 0) {
		buf_add_str(text, ": ");
		add_str(text, str);
	}
	PyErr_Clear();
	Py_XDECREF(str);
}

/* traceback.format_exception() knows chains, notes, groups and syntax errors. */
static bool add_formatted(struct buf *text, PyObject *exception)
{
	PyObject *module = NULL, *lines = NULL, *traceback = PyException_GetTraceback(exception);
	bool is_done = false;

	module = PyImport_ImportModule("traceback");
	if (module == NULL)
		goto out;
	lines = PyObject_CallMethod(module, "format_exception", "OOO", (PyObject *)Py_TYPE(exception), exception,
	                            traceback != NULL ? traceback : Py_None);
	if (lines == NULL || !PyList_Check(lines))
		goto out;
	for (Py_ssize_t i = 0; i < PyList_GET_SIZE(lines); i++)
		if (PyUnicode_Check(PyList_GET_ITEM(lines, i)))
			add_str(text, PyList_GET_ITEM(lines, i));
	is_done = true;
out:
	PyErr_Clear();
	Py_XDECREF(lines);
	Py_XDECREF(module);
	Py_XDECREF(traceback);
	return is_done;
}

void pyerr_add_traceback(struct buf *text)
{
	PyObject *exception = py_error_take();

	if (exception == NULL)
		return;
	if (!add_formatted(text, exception)) {
		add_summary(text, exception);
		buf_add_byte(text, '\n');
	}
	Py_DECREF(exception);
}

void pyerr_log(enum log_level level, const char *fmt, ...)
{
	struct buf traceback = BUF_NONE, message = BUF_NONE;
	va_list args;

	if (!PyErr_Occurred())
		return;
	va_start(args, fmt);
	if (pylog_is_on(level)) {
		PyObject *exception = py_error_take();
		buf_vaddf(&message, fmt, args);
		if (pylog_exception(level, buf_text(&message), exception)) {
			Py_CLEAR(exception);
			goto out;
		}
		va_end(args);
		va_start(args, fmt);
		py_error_put(exception);
	}
	/* The watcher of the log wants to hear of it in any case. */
	if (log_is_on(level))
		pyerr_add_traceback(&traceback);
	else
		buf_add_byte(&traceback, '\n');
	PyErr_Clear();
	log_vreport(level, buf_span(&traceback), fmt, args);
out:
	va_end(args);
	buf_release(&message);
	buf_release(&traceback);
}

int pyerr_to_err(struct err *err, int code)
{
	struct buf text = BUF_NONE;
	PyObject *exception = py_error_take();

	if (exception != NULL)
		add_summary(&text, exception);
	else
		buf_add_str(&text, "unknown error");
	Py_XDECREF(exception);
	(void)err_set(err, code, "%s", buf_text(&text));
	buf_release(&text);
	return code;
}
