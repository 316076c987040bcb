/* SPDX-License-Identifier: MIT */
/*
 * boot.c - the calls from C into python/gunwale.
 *
 * Called by worker/template.c and worker/worker.c, never while a request is served. Must not interpret what the Python side
 * answers: an exit code and a text go straight to whoever asked.
 */
#include "base/base.h"

#include "py/boot.h"

#include "py/py.h"

#include "py/pyerr.h"
#include "shared/exits.h"

/* With our directory at sys.path[0] only while the package is imported: the application's path stays as it expects it. */
static int import_from(PyObject *path, const char *python_dir)
{
	/*
	 * All of them now: a worker that has dropped its privileges may not be able to read our directory any more, and what a
	 * worker imports itself is written into pages that it would otherwise share with the template.
	 */
	static const char *const modules[] = { "gunwale.template", "gunwale.life", "gunwale.logchoice",
		                               "gunwale.reqhooks", "gunwale.memory", "gunwale.threads" };
	PyObject *directory = PyUnicode_DecodeFSDefault(python_dir);
	int result = -1;

	if (directory == NULL || PyList_Insert(path, 0, directory) != 0)
		goto out;
	for (size_t i = 0; i < ARRAY_LEN(modules); i++) {
		PyObject *module = PyImport_ImportModule(modules[i]);
		if (module == NULL)
			goto out;
		Py_DECREF(module);
	}
	result = PySequence_DelItem(path, 0);
out:
	Py_XDECREF(directory);
	return result;
}

int boot_import(const char *python_dir, struct err *err)
{
	PyObject *path = PySys_GetObject("path"); /* borrowed */

	if (path == NULL || !PyList_Check(path))
		return err_set(err, -EINVAL, "Python has no sys.path");
	if (import_from(path, python_dir) != 0) {
		(void)pyerr_to_err(err, -EINVAL);
		err_add(err, "gunwale's Python package does not load from %s", python_dir);
		return -EINVAL;
	}
	return 0;
}

/* "(is)" of any answer of ours. Takes over answer, which may be NULL with an exception. */
static int read_answer_take(PyObject *answer, const char *function, char **ret_text)
{
	int code = EXIT_CONFIG;
	const char *text = NULL;

	if (answer != NULL && PyArg_ParseTuple(answer, "is", &code, &text)) {
		*ret_text = xstrdup(text);
	} else {
		struct err err = ERR_NONE;
		code = EXIT_CONFIG;
		(void)pyerr_to_err(&err, -EINVAL);
		*ret_text = xasprintf("gunwale.template.%s: %s", function, err.text);
	}
	Py_XDECREF(answer);
	return code;
}

int boot_call_template(const char *function, char **ret_text, const char *format, ...)
{
	PyObject *module = PyImport_ImportModule("gunwale.template");
	PyObject *callable = module != NULL ? PyObject_GetAttrString(module, function) : NULL;
	PyObject *arguments = NULL, *answer = NULL;
	va_list args;

	if (callable != NULL) {
		va_start(args, format);
		arguments = Py_VaBuildValue(format, args);
		va_end(args);
	}
	if (arguments != NULL)
		answer = PyObject_CallObject(callable, arguments);
	Py_XDECREF(arguments);
	Py_XDECREF(callable);
	Py_XDECREF(module);
	return read_answer_take(answer, function, ret_text);
}

void *boot_new_worker(uint32_t serial, uint64_t request_limit)
{
	PyObject *module = PyImport_ImportModule("gunwale.template");
	PyObject *worker = NULL;

	if (module != NULL)
		worker = PyObject_CallMethod(module, "new_worker", "(kK)", (unsigned long)serial,
		                             (unsigned long long)request_limit);
	if (worker == NULL)
		pyerr_log(LOG_ERROR, "No object for a new worker");
	Py_XDECREF(module);
	return worker;
}

/* A signal may arrive before a step's own care begins or after it ended; its handler leaves by SystemExit. */
static long explain_step_error(void)
{
	PyObject *error, *value;
	long code = EXIT_OK;

	if (!PyErr_ExceptionMatches(PyExc_SystemExit)) {
		pyerr_log(LOG_ERROR, "Exception in worker process");
		return EXIT_WORKER_BOOT;
	}
	error = py_error_take();
	value = PyObject_GetAttrString(error, "code");
	if (value != NULL && PyLong_Check(value))
		code = PyLong_AsLong(value) & 0xff;
	PyErr_Clear();
	Py_XDECREF(value);
	Py_XDECREF(error);
	return code;
}

int boot_worker_step(const char *function, void *worker_object)
{
	PyObject *module = PyImport_ImportModule("gunwale.life");
	PyObject *answer = NULL;
	long code = EXIT_WORKER_BOOT;

	if (module != NULL)
		answer = PyObject_CallMethod(module, function, "(O)", (PyObject *)worker_object);
	if (answer != NULL)
		code = PyLong_AsLong(answer);
	if (PyErr_Occurred())
		code = explain_step_error();
	Py_XDECREF(answer);
	Py_XDECREF(module);
	return (int)code;
}

void *boot_worker_app(void *worker_object)
{
	PyObject *app = PyObject_GetAttrString((PyObject *)worker_object, "wsgi");

	if (app == NULL)
		PyErr_Clear();
	if (app == Py_None)
		Py_CLEAR(app);
	return app;
}

int boot_names(struct buf *server, char **ret_software)
{
	PyObject *module = PyImport_ImportModule("gunwale.compat");
	PyObject *answer = module != NULL ? PyObject_CallMethod(module, "server_names", NULL) : NULL;
	const char *name, *software;
	int code = -1;

	buf_clear(server);
	if (answer != NULL && PyArg_ParseTuple(answer, "ys", &name, &software)) {
		buf_add_str(server, name);
		*ret_software = xstrdup(software);
		code = 0;
	}
	Py_XDECREF(answer);
	Py_XDECREF(module);
	return code;
}
