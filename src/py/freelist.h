/* SPDX-License-Identifier: MIT */
/*
 * freelist.h - objects that every request makes and lets go, kept for the next one.
 *
 * One list for each type, static and zeroed: only objects of that type go in, without references of their own. The caller holds
 * the GIL in all calls.
 */
#ifndef PY_FREELIST_H
#define PY_FREELIST_H

#include "base/base.h"
#include "py/py.h"

enum { FREELIST_MAX = 64 };

struct freelist {
	PyObject *objects[FREELIST_MAX];
	size_t count;
};

/* An object with one reference, whose other fields are the caller's to set. NULL with an exception. */
static inline PyObject *freelist_new(struct freelist *list, PyTypeObject *type)
{
	if (list->count == 0)
		return PyObject_New(PyObject, type);
	return PyObject_Init(list->objects[--list->count], type);
}

/* For tp_dealloc: keeps the object, or frees it when there are enough. */
static inline void freelist_release(struct freelist *list, PyObject *object)
{
	if (list->count < FREELIST_MAX)
		list->objects[list->count++] = object;
	else
		PyObject_Free(object);
}

#endif
