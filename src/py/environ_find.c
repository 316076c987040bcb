/* SPDX-License-Identifier: MIT */
/*
 * environ_find.c - what an environ says when the request is over.
 *
 * Called for the access log by worker/record.c. The application may have put anything into it.
 */
#include "base/base.h"

#include "py/environ.h"

/* gunicorn: glogging.py atoms(), keys count in lower case and the last one wins. */
static PyObject *find_nocase(PyObject *dict, struct span key)
{
	PyObject *name, *value, *found = NULL;
	Py_ssize_t at = 0;
	struct span text;

	while (PyDict_Next(dict, &at, &name, &value))
		if (py_latin1_span(name, &text) && span_equals_nocase(text, key))
			found = value;
	return found;
}

struct span environ_find(PyObject *dict, struct span key, struct buf *text)
{
	PyObject *name = py_latin1(key), *value = NULL;
	struct span found = SPAN_NONE;
	const char *utf8;
	Py_ssize_t len;

	if (name != NULL)
		value = PyDict_GetItemWithError(dict, name);
	PyErr_Clear();
	Py_XDECREF(name);
	if (value == NULL)
		value = find_nocase(dict, key);
	if (value == NULL || py_latin1_span(value, &found))
		return found;
	/* Whatever is no str from outside; but nothing whose __str__ runs code: the line that is being made is not locked. */
	if (!PyUnicode_CheckExact(value) && !PyLong_CheckExact(value) && !PyBool_Check(value) && !PyFloat_CheckExact(value))
		return found;
	PyObject *shown = PyObject_Str(value);
	utf8 = shown != NULL ? PyUnicode_AsUTF8AndSize(shown, &len) : NULL;
	if (utf8 != NULL) {
		buf_clear(text);
		buf_add(text, utf8, (size_t)len);
		buf_add_byte(text, '\0'); /* never without memory */
		found = span_of(text->data, (size_t)len);
	}
	PyErr_Clear();
	Py_XDECREF(shown);
	return found;
}

struct span environ_path(PyObject *dict)
{
	static PyObject *name;
	struct span text = SPAN_NONE;
	PyObject *value;

	if (UNLIKELY(name == NULL))
		name = PyUnicode_InternFromString("PATH_INFO");
	value = name != NULL ? PyDict_GetItemWithError(dict, name) : NULL;
	PyErr_Clear();
	if (value != NULL && !py_latin1_span(value, &text))
		text = SPAN_NONE;
	return text;
}
