/* SPDX-License-Identifier: MIT */
/*
 * errors.c - wsgi.errors.
 *
 * Called by the application. Never waits for the reader of the log, unless the user has handlers of his own.
 */
#include "base/base.h"

#include "py/errors.h"

#include "base/log.h"
#include "py/pylog.h"

static int write_text(PyObject *text)
{
	PyObject *bytes;

	if (!PyUnicode_Check(text)) {
		PyErr_Format(PyExc_TypeError, "wsgi.errors takes str, not %.200s", Py_TYPE(text)->tp_name);
		return -1;
	}
	bytes = PyUnicode_AsEncodedString(text, "utf-8", "backslashreplace");
	if (bytes == NULL)
		return -1;
	log_raw(PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes));
	Py_DECREF(bytes);
	pylog_raw(text);
	return 0;
}

static PyObject *errors_write(PyObject *self, PyObject *text)
{
	(void)self;
	if (write_text(text) < 0)
		return NULL;
	return PyLong_FromSsize_t(PyUnicode_GetLength(text));
}

static PyObject *errors_writelines(PyObject *self, PyObject *lines)
{
	PyObject *iterator = PyObject_GetIter(lines), *line;

	(void)self;
	if (iterator == NULL)
		return NULL;
	while ((line = PyIter_Next(iterator)) != NULL) {
		const int result = write_text(line);

		Py_DECREF(line);
		if (result < 0)
			break;
	}
	Py_DECREF(iterator);
	if (PyErr_Occurred())
		return NULL;
	Py_RETURN_NONE;
}

static PyObject *errors_flush(PyObject *self, PyObject *unused)
{
	(void)self;
	(void)unused;
	Py_RETURN_NONE;
}

static PyMethodDef errors_methods[] = {
	{ "write", errors_write, METH_O, "write(text)" },
	{ "writelines", errors_writelines, METH_O, "writelines(lines)" },
	{ "flush", errors_flush, METH_NOARGS, "flush(): nothing is ever held back" },
	{ NULL, NULL, 0, NULL },
};

static PyTypeObject errors_type = {
	PyVarObject_HEAD_INIT(NULL, 0) /* comma included */
		.tp_name = "gunwale.Errors",
	.tp_basicsize = sizeof(PyObject),
	.tp_flags = Py_TPFLAGS_DEFAULT,
	.tp_doc = "The error log as a text stream.",
	.tp_methods = errors_methods,
};

PyObject *errors_new(void)
{
	if (PyType_Ready(&errors_type) < 0)
		return NULL;
	return (PyObject *)PyObject_New(PyObject, &errors_type);
}
