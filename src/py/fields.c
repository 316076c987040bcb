/* SPDX-License-Identifier: MIT */
/*
 * fields.c - a list of (name, value) of the application into header lines.
 *
 * Called by start_response.c and early_hints.c. Raises where http/response.c refuses; sends nothing.
 */
#include "base/base.h"

#include "py/fields.h"

#include "base/span.h"

static int raise_bad_field(enum http_response_result result, PyObject *name, PyObject *value, enum fields_use use)
{
	switch (result) {
	case HTTP_RESPONSE_BAD_NAME:
		PyErr_Format(PyExc_ValueError, "Invalid header name: %R", name);
		break;
	case HTTP_RESPONSE_BAD_LENGTH:
		PyErr_Format(PyExc_ValueError, "invalid Content-Length: %R", value);
		break;
	case HTTP_RESPONSE_BAD_STATUS:
	case HTTP_RESPONSE_BAD_VALUE:
	case HTTP_RESPONSE_OK:
	case HTTP_RESPONSE_SKIP:
	default:
		if (use == FIELDS_HINT)
			PyErr_Format(PyExc_ValueError, "Invalid header value of %R", name);
		else
			PyErr_Format(PyExc_ValueError, "Invalid header value of %R: %R", name, value);
		break;
	}
	return -1;
}

static bool is_text(PyObject *object, enum fields_use use)
{
	return PyUnicode_Check(object) || (use == FIELDS_HINT && PyBytes_Check(object));
}

static bool get_text(PyObject *object, struct span *ret_text)
{
	if (!PyBytes_Check(object))
		return py_latin1_span(object, ret_text);
	*ret_text = span_of(PyBytes_AS_STRING(object), (size_t)PyBytes_GET_SIZE(object));
	return true;
}

static int add_field(struct http_response *response, struct buf *lines, PyObject *name, PyObject *value, enum fields_use use)
{
	struct span name_text, value_text;
	enum http_response_result result;

	if (!is_text(name, use) || !is_text(value, use)) {
		PyErr_Format(PyExc_TypeError, "header name and value must be str: %R: %R", name, value);
		return -1;
	}
	if (!get_text(name, &name_text))
		return raise_bad_field(HTTP_RESPONSE_BAD_NAME, name, value, use);
	if (!get_text(value, &value_text))
		return raise_bad_field(HTTP_RESPONSE_BAD_VALUE, name, value, use);
	result = http_response_field(response, name_text, span_trim(value_text, " \t"), lines);
	if (result == HTTP_RESPONSE_OK || result == HTTP_RESPONSE_SKIP)
		return 0;
	return raise_bad_field(result, name, value, use);
}

static int add_pair(struct http_response *response, struct buf *lines, PyObject *pair, enum fields_use use)
{
	PyObject *items;
	int result = -1;

	if (PyTuple_Check(pair) && PyTuple_GET_SIZE(pair) == 2)
		return add_field(response, lines, PyTuple_GET_ITEM(pair, 0), PyTuple_GET_ITEM(pair, 1), use);
	items = PySequence_Fast(pair, "headers must be pairs of name and value");
	if (items == NULL)
		return -1;
	if (PySequence_Fast_GET_SIZE(items) == 2)
		result = add_field(response, lines, PySequence_Fast_GET_ITEM(items, 0), PySequence_Fast_GET_ITEM(items, 1), use);
	else
		PyErr_SetString(PyExc_ValueError, "headers must be pairs of name and value");
	Py_DECREF(items);
	return result;
}

int fields_add(struct http_response *response, struct buf *lines, PyObject *headers, enum fields_use use)
{
	PyObject *items = PySequence_Fast(headers, "headers must be a list");
	int result = 0;

	if (items == NULL)
		return -1;
	/* The size is asked each time: the repr of a bad header may run Python code. */
	for (Py_ssize_t i = 0; result == 0 && i < PySequence_Fast_GET_SIZE(items); i++)
		result = add_pair(response, lines, PySequence_Fast_GET_ITEM(items, i), use);
	Py_DECREF(items);
	return result;
}
