/* SPDX-License-Identifier: MIT */
/*
 * module.c - the built-in Python module `_gunwale`: what the cold glue in python/gunwale needs from C.
 *
 * Reached from Python only. Facts come from the tables, actions go through struct module_calls to the process around us.
 * Must not know templates or workers.
 */
#include "base/base.h"

#include "py/module.h"

#include "py/py.h"

#include <signal.h>

#include "base/log.h"
#include "py/warmup.h"
#include "shared/settings.h"

/* One interpreter per process: this is the module's state, kept out of Python's reach. */
static struct module_calls calls;

void module_set_calls(const struct module_calls *new_calls)
{
	calls = *new_calls;
}

static PyObject *module_log(PyObject *self ATTR_UNUSED, PyObject *args)
{
	int level;
	const char *text;

	if (!PyArg_ParseTuple(args, "is", &level, &text))
		return NULL;
	if (level < LOG_DEBUG || level > LOG_CRITICAL) {
		PyErr_SetString(PyExc_ValueError, "no such level");
		return NULL;
	}
	log_line((enum log_level)level, "%s", text);
	Py_RETURN_NONE;
}

static PyObject *module_log_raw(PyObject *self ATTR_UNUSED, PyObject *args)
{
	Py_buffer text;

	if (!PyArg_ParseTuple(args, "s*", &text))
		return NULL;
	log_raw(text.buf, (size_t)text.len);
	PyBuffer_Release(&text);
	Py_RETURN_NONE;
}

static PyObject *module_access_raw(PyObject *self ATTR_UNUSED, PyObject *args)
{
	Py_buffer text;

	if (!PyArg_ParseTuple(args, "s*", &text))
		return NULL;
	if (calls.write_access != NULL)
		calls.write_access(calls.context, span_of(text.buf, (size_t)text.len));
	PyBuffer_Release(&text);
	Py_RETURN_NONE;
}

static PyObject *module_statsd(PyObject *self ATTR_UNUSED, PyObject *args)
{
	const char *text;

	if (!PyArg_ParseTuple(args, "s", &text))
		return NULL;
	if (calls.send_metric != NULL)
		calls.send_metric(calls.context, text);
	Py_RETURN_NONE;
}

static PyObject *module_log_is_on(PyObject *self ATTR_UNUSED, PyObject *args)
{
	int level;

	if (!PyArg_ParseTuple(args, "i", &level))
		return NULL;
	return PyBool_FromLong(log_is_on((enum log_level)level));
}

static PyObject *module_log_fd(PyObject *self ATTR_UNUSED, PyObject *args ATTR_UNUSED)
{
	return PyLong_FromLong(log_fd());
}

static PyObject *module_drain(PyObject *self ATTR_UNUSED, PyObject *args ATTR_UNUSED)
{
	if (calls.drain != NULL)
		calls.drain(calls.context);
	Py_RETURN_NONE;
}

static PyObject *module_quit(PyObject *self ATTR_UNUSED, PyObject *args)
{
	int exit_code;

	if (!PyArg_ParseTuple(args, "i", &exit_code))
		return NULL;
	if (calls.quit != NULL)
		calls.quit(calls.context, exit_code);
	Py_RETURN_NONE;
}

static PyObject *module_wake_fd(PyObject *self ATTR_UNUSED, PyObject *args ATTR_UNUSED)
{
	return PyLong_FromLong(calls.wake_fd != NULL ? calls.wake_fd(calls.context) : -1);
}

static PyObject *module_request_count(PyObject *self ATTR_UNUSED, PyObject *args ATTR_UNUSED)
{
	return PyLong_FromUnsignedLongLong(calls.request_count != NULL ? calls.request_count(calls.context) : 0);
}

static PyObject *module_beat(PyObject *self ATTR_UNUSED, PyObject *args ATTR_UNUSED)
{
	if (calls.beat != NULL)
		calls.beat(calls.context);
	Py_RETURN_NONE;
}

static PyObject *module_last_beat(PyObject *self ATTR_UNUSED, PyObject *args ATTR_UNUSED)
{
	uint64_t beat_ms = calls.last_beat_ms != NULL ? calls.last_beat_ms(calls.context) : 0;

	return PyFloat_FromDouble((double)beat_ms / 1000.0);
}

static PyObject *module_reopen_logs(PyObject *self ATTR_UNUSED, PyObject *args ATTR_UNUSED)
{
	if (calls.reopen_logs != NULL)
		calls.reopen_logs(calls.context);
	Py_RETURN_NONE;
}

static PyObject *module_last_words(PyObject *self ATTR_UNUSED, PyObject *args)
{
	const char *text;

	if (!PyArg_ParseTuple(args, "s", &text))
		return NULL;
	if (calls.last_words != NULL)
		calls.last_words(calls.context, text);
	Py_RETURN_NONE;
}

static PyObject *module_code_files(PyObject *self ATTR_UNUSED, PyObject *args)
{
	unsigned long long since_ms;
	const char *files;

	if (!PyArg_ParseTuple(args, "Ks", &since_ms, &files))
		return NULL;
	if (calls.code_files != NULL)
		calls.code_files(calls.context, since_ms, files);
	Py_RETURN_NONE;
}

static PyObject *module_code_broken(PyObject *self ATTR_UNUSED, PyObject *args)
{
	const char *why;

	if (!PyArg_ParseTuple(args, "s", &why))
		return NULL;
	if (calls.code_broken != NULL)
		calls.code_broken(calls.context, why);
	Py_RETURN_NONE;
}

static PyObject *module_environ(PyObject *self ATTR_UNUSED, PyObject *args)
{
	const char *software;

	if (!PyArg_ParseTuple(args, "s", &software))
		return NULL;
	if (calls.settings == NULL)
		return PyErr_Format(PyExc_RuntimeError, "no settings yet");
	return warmup_environ(calls.settings, software);
}

static PyObject *module_peer(PyObject *self ATTR_UNUSED, PyObject *args)
{
	int fd;

	if (!PyArg_ParseTuple(args, "i", &fd))
		return NULL;
	return warmup_peer(fd);
}

/* Takes over value. 0, or -1 with an exception. */
static int add_value_take(PyObject *module, const char *name, PyObject *value)
{
	if (value == NULL)
		return -1;
	int result = PyObject_SetAttrString(module, name, value);
	Py_DECREF(value);
	return result;
}

/* Takes over item. */
static int append_take(PyObject *list, PyObject *item)
{
	if (item == NULL)
		return -1;
	int result = PyList_Append(list, item);
	Py_DECREF(item);
	return result;
}

static int add_settings(PyObject *module)
{
	PyObject *list = PyList_New(0);

	if (list == NULL)
		return -1;
	for (size_t i = 0; i < S_MAX; i++) {
		if (append_take(list, PyUnicode_FromString(setting_rows[i].name)) != 0) {
			Py_DECREF(list);
			return -1;
		}
	}
	return add_value_take(module, "settings", list);
}

static int add_hooks(PyObject *module)
{
	static const struct {
		const char *name;
		int parameters;
		const char *process;
	} rows[] = {
#define HOOK(name, parameters, process, text) { #name, parameters, #process },
#include "tables/hooks.def"
#undef HOOK
	};
	PyObject *list = PyList_New(0);

	if (list == NULL)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (append_take(list, Py_BuildValue("(sis)", rows[i].name, rows[i].parameters, rows[i].process)) != 0) {
			Py_DECREF(list);
			return -1;
		}
	}
	return add_value_take(module, "hooks", list);
}

static int add_signals(PyObject *module)
{
	static const struct {
		const char *process;
		int number;
		const char *action;
	} rows[] = {
#define SIGNAL(process, signal, action, text) { #process, SIG##signal, #action },
#include "tables/signals.def"
#undef SIGNAL
	};
	PyObject *list = PyList_New(0);

	if (list == NULL)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (strcmp(rows[i].process, "WORKER") != 0)
			continue;
		if (append_take(list, Py_BuildValue("(is)", rows[i].number, rows[i].action)) != 0) {
			Py_DECREF(list);
			return -1;
		}
	}
	return add_value_take(module, "worker_signals", list);
}

static PyMethodDef methods[] = {
	{ "log", module_log, METH_VARARGS, NULL },
	{ "log_raw", module_log_raw, METH_VARARGS, NULL },
	{ "access_raw", module_access_raw, METH_VARARGS, NULL },
	{ "statsd", module_statsd, METH_VARARGS, NULL },
	{ "log_is_on", module_log_is_on, METH_VARARGS, NULL },
	{ "log_fd", module_log_fd, METH_NOARGS, NULL },
	{ "drain", module_drain, METH_NOARGS, NULL },
	{ "quit", module_quit, METH_VARARGS, NULL },
	{ "wake_fd", module_wake_fd, METH_NOARGS, NULL },
	{ "request_count", module_request_count, METH_NOARGS, NULL },
	{ "beat", module_beat, METH_NOARGS, NULL },
	{ "last_beat", module_last_beat, METH_NOARGS, NULL },
	{ "reopen_logs", module_reopen_logs, METH_NOARGS, NULL },
	{ "last_words", module_last_words, METH_VARARGS, NULL },
	{ "environ", module_environ, METH_VARARGS, NULL },
	{ "peer", module_peer, METH_VARARGS, NULL },
	{ "code_files", module_code_files, METH_VARARGS, NULL },
	{ "code_broken", module_code_broken, METH_VARARGS, NULL },
	{ NULL, NULL, 0, NULL },
};

static struct PyModuleDef definition = {
	.m_base = PyModuleDef_HEAD_INIT,
	.m_name = "_gunwale",
	.m_doc = "What gunwale's Python glue needs from C.",
	.m_size = -1,
	.m_methods = methods,
};

struct _object *module_open(void)
{
	PyObject *module = PyModule_Create(&definition);

	if (module == NULL)
		return NULL;
	if (PyModule_AddStringConstant(module, "version", PACKAGE_VERSION) != 0 || add_settings(module) != 0 ||
	    add_hooks(module) != 0 || add_signals(module) != 0) {
		Py_DECREF(module);
		return NULL;
	}
	return module;
}
