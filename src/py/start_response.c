/* SPDX-License-Identifier: MIT */
/*
 * start_response.c - start_response() and write().
 *
 * Called by the application. Headers are checked and turned into bytes at once, so that the error is raised where the
 * mistake was made. Must not send anything itself: write() goes through the reply's own function.
 */
#include "base/base.h"

#include "py/start_response.h"

#include <poll.h>

#include "base/span.h"
#include "py/fields.h"
#include "py/freelist.h"

enum { KEEP_BYTES = 16384 };

struct start_response {
	PyObject_HEAD
	vectorcallfunc vectorcall;
	struct reply *reply; /* NULL once the request is over */
};

/* Made by each start_response(), and hardly ever called. */
struct write {
	PyObject_HEAD
	vectorcallfunc vectorcall;
	PyObject *owner; /* a struct start_response */
};

static PyTypeObject start_response_type, write_type;
static struct freelist free_callables;
static struct freelist free_writes;

void reply_init(struct reply *reply)
{
	http_response_init(&reply->response);
	buf_clear(&reply->status);
	if (reply->fields.cap > KEEP_BYTES)
		buf_release(&reply->fields);
	buf_clear(&reply->fields);
	reply->has_started = false;
	reply->is_head_sent = false;
}

void reply_release(struct reply *reply)
{
	buf_release(&reply->status);
	buf_release(&reply->fields);
}

static struct reply *get_reply(struct start_response *self, const char *name)
{
	if (self->reply == NULL)
		PyErr_Format(PyExc_RuntimeError, "%s() called after the request ended", name);
	return self->reply;
}

static int set_status(struct reply *reply, PyObject *status)
{
	struct span text;

	if (!PyUnicode_Check(status)) {
		PyErr_Format(PyExc_TypeError, "status must be a str, not %.200s", Py_TYPE(status)->tp_name);
		return -1;
	}
	if (!py_latin1_span(status, &text) || http_response_status(&reply->response, text) != HTTP_RESPONSE_OK) {
		PyErr_Format(PyExc_ValueError, "invalid status: %R", status);
		return -1;
	}
	buf_add_span(&reply->status, text);
	return 0;
}

/* Raises exc_info again, as PEP 3333 wants when the head is out already. */
static void raise_exc_info(PyObject *exc_info)
{
	PyObject *value, *traceback;

	if (!PyTuple_Check(exc_info) || PyTuple_GET_SIZE(exc_info) != 3) {
		PyErr_SetString(PyExc_TypeError, "exc_info must be a tuple of three");
		return;
	}
	value = PyTuple_GET_ITEM(exc_info, 1);
	traceback = PyTuple_GET_ITEM(exc_info, 2);
	if (!PyExceptionInstance_Check(value)) {
		PyErr_SetString(PyExc_TypeError, "exc_info must hold an exception");
		return;
	}
	if (traceback != Py_None && PyException_SetTraceback(value, traceback) < 0)
		return;
	py_error_put(py_ref(value));
}

/* Another thread may have ended the request meanwhile, when it is one of the application's that writes. */
static int await_reader(struct start_response *self)
{
	struct pace pace = self->reply->pace;
	const int result =
		py_wait_for_reader(self->reply->fd, &pace, self->reply->beat, self->reply->beat_context);

	if (self->reply == NULL)
		return result;
	self->reply->pace = pace;
	if (result < 0 && PyErr_ExceptionMatches(PyExc_TimeoutError))
		self->reply->give_up(self->reply->context);
	return result;
}

static PyObject *write_bytes(struct start_response *self, PyObject *bytes)
{
	struct reply *reply = get_reply(self, "write");

	if (reply == NULL)
		return NULL;
	if (!PyBytes_Check(bytes)) {
		PyErr_Format(PyExc_TypeError, "write() needs bytes, not %.200s", Py_TYPE(bytes)->tp_name);
		return NULL;
	}
	if (reply->write(reply->context, bytes) < 0)
		return NULL;
	for (;;) {
		const int result = reply->flush(reply->context);

		if (result < 0)
			return NULL;
		if (result == 0)
			Py_RETURN_NONE;
		if (await_reader(self) < 0)
			return NULL;
		reply = get_reply(self, "write");
		if (reply == NULL)
			return NULL;
	}
}

static PyObject *write_call(PyObject *object, PyObject *const *args, size_t nargsf, PyObject *kwnames)
{
	const Py_ssize_t count = PyVectorcall_NARGS(nargsf);

	if (count != 1 || (kwnames != NULL && PyTuple_GET_SIZE(kwnames) > 0)) {
		PyErr_SetString(PyExc_TypeError, "write() takes one argument, bytes");
		return NULL;
	}
	return write_bytes((struct start_response *)((struct write *)object)->owner, args[0]);
}

static void write_dealloc(PyObject *object)
{
	Py_DECREF(((struct write *)object)->owner);
	freelist_release(&free_writes, object);
}

static PyTypeObject write_type = {
	PyVarObject_HEAD_INIT(NULL, 0) /* comma included */
		.tp_name = "gunwale.Write",
	.tp_basicsize = sizeof(struct write),
	.tp_vectorcall_offset = offsetof(struct write, vectorcall),
	.tp_dealloc = write_dealloc,
	.tp_call = PyVectorcall_Call,
	.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL,
	.tp_doc = "write(bytes): sends a piece of the body",
};

static PyObject *write_new(struct start_response *owner)
{
	struct write *self = (struct write *)freelist_new(&free_writes, &write_type);

	if (self == NULL)
		return NULL;
	self->vectorcall = write_call;
	self->owner = py_ref((PyObject *)owner);
	return (PyObject *)self;
}

static PyObject *start(struct start_response *self, PyObject *status, PyObject *headers, PyObject *exc_info)
{
	struct reply *reply = get_reply(self, "start_response");

	if (reply == NULL)
		return NULL;
	if (exc_info != NULL && exc_info != Py_None) {
		if (reply->is_head_sent) {
			raise_exc_info(exc_info);
			return NULL;
		}
		reply_init(reply);
	} else if (reply->has_started) {
		PyErr_SetString(PyExc_AssertionError, "Response headers already set!");
		return NULL;
	}
	if (set_status(reply, status) < 0 || fields_add(&reply->response, &reply->fields, headers, FIELDS_FINAL) < 0) {
		/* An application that catches this may try again with other headers. */
		reply_init(reply);
		return NULL;
	}
	reply->has_started = true;
	return write_new(self);
}

static PyObject *start_response_call(PyObject *object, PyObject *const *args, size_t nargsf, PyObject *kwnames)
{
	static const char *const names[] = { "status", "headers", "exc_info" };
	const Py_ssize_t count = PyVectorcall_NARGS(nargsf);
	const Py_ssize_t keyword_count = kwnames != NULL ? PyTuple_GET_SIZE(kwnames) : 0;
	PyObject *found[ARRAY_LEN(names)] = { NULL, NULL, NULL };

	if (count > (Py_ssize_t)ARRAY_LEN(names)) {
		PyErr_Format(PyExc_TypeError, "start_response() takes at most 3 arguments (%zd given)", count);
		return NULL;
	}
	for (Py_ssize_t i = 0; i < count; i++)
		found[i] = args[i];
	for (Py_ssize_t i = 0; i < keyword_count; i++) {
		PyObject *name = PyTuple_GET_ITEM(kwnames, i);
		size_t at = 0;

		while (at < ARRAY_LEN(names) && PyUnicode_CompareWithASCIIString(name, names[at]) != 0)
			at++;
		if (at == ARRAY_LEN(names) || found[at] != NULL) {
			PyErr_Format(PyExc_TypeError, "start_response() got an unexpected or repeated argument %R", name);
			return NULL;
		}
		found[at] = args[count + i];
	}
	if (found[0] == NULL || found[1] == NULL) {
		PyErr_SetString(PyExc_TypeError, "start_response() needs a status and headers");
		return NULL;
	}
	return start((struct start_response *)object, found[0], found[1], found[2]);
}

static void start_response_dealloc(PyObject *object)
{
	freelist_release(&free_callables, object);
}

static PyTypeObject start_response_type = {
	PyVarObject_HEAD_INIT(NULL, 0) /* comma included */
		.tp_name = "gunwale.StartResponse",
	.tp_basicsize = sizeof(struct start_response),
	.tp_vectorcall_offset = offsetof(struct start_response, vectorcall),
	.tp_dealloc = start_response_dealloc,
	.tp_call = PyVectorcall_Call,
	.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL,
	.tp_doc = "start_response(status, headers, exc_info=None) -> write",
};

int start_response_setup(void)
{
	return PyType_Ready(&write_type) < 0 ? -1 : PyType_Ready(&start_response_type);
}

PyObject *start_response_new(struct reply *reply)
{
	struct start_response *self = (struct start_response *)freelist_new(&free_callables, &start_response_type);

	if (self == NULL)
		return NULL;
	self->vectorcall = start_response_call;
	self->reply = reply;
	return (PyObject *)self;
}

void start_response_detach(PyObject *callable)
{
	if (callable != NULL)
		((struct start_response *)callable)->reply = NULL;
}
