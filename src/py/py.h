/* SPDX-License-Identifier: MIT */
/*
 * py.h - Python.h, the same for every version we build with (3.9 and later).
 *
 * The only place that asks for PY_VERSION_HEX. All of it needs the GIL.
 */
#ifndef PY_PY_H
#define PY_PY_H

#include "base/base.h"

#include "base/span.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wundef"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wcast-qual"
#pragma GCC diagnostic ignored "-Wpedantic"
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#pragma GCC diagnostic pop

#if PY_VERSION_HEX < 0x03090000
#error "Python 3.9 or later is needed"
#endif

/* A new reference to an object that may be NULL. */
static inline PyObject *py_ref(PyObject *object)
{
	Py_XINCREF(object);
	return object;
}

/* Takes the current exception away, normalised and with its traceback; NULL when there is none. A new reference. */
static inline PyObject *py_error_take(void)
{
#if PY_VERSION_HEX >= 0x030c0000
	return PyErr_GetRaisedException();
#else
	PyObject *type, *value, *traceback;

	PyErr_Fetch(&type, &value, &traceback);
	if (type == NULL)
		return NULL;
	PyErr_NormalizeException(&type, &value, &traceback);
	if (traceback != NULL && value != NULL)
		(void)PyException_SetTraceback(value, traceback);
	Py_XDECREF(type);
	Py_XDECREF(traceback);
	return value;
#endif
}

/* Raises an exception instance again; keeps the reference it is given. */
static inline void py_error_put(PyObject *exception_take)
{
#if PY_VERSION_HEX >= 0x030c0000
	PyErr_SetRaisedException(exception_take);
#else
	PyObject *type = py_ref((PyObject *)Py_TYPE(exception_take));

	PyErr_Restore(type, exception_take, PyException_GetTraceback(exception_take));
#endif
}

/* dict[key] = value_take, which may be NULL with an exception. 0, or -1 with an exception. */
static inline int py_dict_put_take(PyObject *dict, const char *key, PyObject *value_take)
{
	const int result = value_take != NULL ? PyDict_SetItemString(dict, key, value_take) : -1;

	Py_XDECREF(value_take);
	return result;
}

/* A str from latin-1 bytes, which is how WSGI carries header text. NULL with an exception. */
static inline PyObject *py_latin1(struct span text)
{
	return PyUnicode_DecodeLatin1(text.at != NULL ? text.at : "", (Py_ssize_t)text.len, NULL);
}

/*
 * The latin-1 bytes of a str, borrowed from it. False when it is no str or holds a character beyond U+00FF; no exception is
 * set then.
 */
static inline bool py_latin1_span(PyObject *text, struct span *ret_span)
{
	if (!PyUnicode_Check(text))
		return false;
#if PY_VERSION_HEX < 0x030c0000
	if (PyUnicode_READY(text) < 0) {
		PyErr_Clear();
		return false;
	}
#endif
	if (PyUnicode_KIND(text) != PyUnicode_1BYTE_KIND)
		return false;
	*ret_span = span_of((const char *)PyUnicode_1BYTE_DATA(text), (size_t)PyUnicode_GET_LENGTH(text));
	return true;
}

/* An attribute that may be missing: 1 and a new reference, 0 without an exception, -1 with one. */
static inline int py_attribute_find(PyObject *object, PyObject *name, PyObject **ret_value)
{
#if PY_VERSION_HEX >= 0x030d0000
	return PyObject_GetOptionalAttr(object, name, ret_value);
#else
	*ret_value = PyObject_GetAttr(object, name);
	if (*ret_value != NULL)
		return 1;
	if (!PyErr_ExceptionMatches(PyExc_AttributeError))
		return -1;
	PyErr_Clear();
	return 0;
#endif
}

#endif
