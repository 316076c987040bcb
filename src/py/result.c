/* SPDX-License-Identifier: MIT */
/*
 * result.c - walk the application's iterable.
 *
 * Called by worker/exchange.c. Knows nothing of sockets or headers.
 */
#include "base/base.h"

#include "py/result.h"

static PyObject *close_name;

int result_setup(void)
{
	if (close_name == NULL)
		close_name = PyUnicode_InternFromString("close");
	return close_name != NULL ? 0 : -1;
}

int result_open_take(struct result *result, PyObject *object_take)
{
	*result = (struct result){ .object = object_take };
	if (!result_has_close(result))
		return 0;
	result->iterator = PyObject_GetIter(object_take);
	return result->iterator != NULL ? 0 : -1;
}

static Py_ssize_t get_count(const struct result *result)
{
	return PyList_CheckExact(result->object) ? PyList_GET_SIZE(result->object) : PyTuple_GET_SIZE(result->object);
}

int result_next(struct result *result, PyObject **ret_item)
{
	*ret_item = NULL;
	if (result->iterator != NULL) {
		*ret_item = PyIter_Next(result->iterator);
		if (*ret_item != NULL)
			return 1;
		return PyErr_Occurred() ? -1 : 0;
	}
	if (result->object == NULL || result->index >= get_count(result))
		return 0;
	*ret_item = PyList_CheckExact(result->object) ? PyList_GET_ITEM(result->object, result->index)
	                                              : PyTuple_GET_ITEM(result->object, result->index);
	Py_INCREF(*ret_item);
	result->index++;
	return 1;
}

bool result_is_at_most_one(const struct result *result)
{
	return result->iterator == NULL && (result->object == NULL || result->index + 1 >= get_count(result));
}

bool result_is_exhausted(const struct result *result)
{
	return result->iterator == NULL && (result->object == NULL || result->index >= get_count(result));
}

bool result_has_close(const struct result *result)
{
	return result->object != NULL && !PyList_CheckExact(result->object) && !PyTuple_CheckExact(result->object);
}

int result_close(struct result *result)
{
	PyObject *object = result->object, *method = NULL, *answer = NULL;
	const bool has_close = result_has_close(result);
	int code = 0;

	if (object == NULL)
		return 0;
	result->object = NULL; /* first: code that runs below must not come here again */
	Py_CLEAR(result->iterator);
	if (has_close) {
		code = py_attribute_find(object, close_name, &method);
		if (code > 0) {
			answer = PyObject_CallNoArgs(method);
			code = answer != NULL ? 0 : -1;
		}
	}
	Py_XDECREF(answer);
	Py_XDECREF(method);
	Py_DECREF(object);
	return code;
}
