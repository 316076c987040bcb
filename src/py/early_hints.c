/* SPDX-License-Identifier: MIT */
/*
 * early_hints.c - wsgi.early_hints: 103 before the response.
 *
 * Called by the application, any number of times. Every request gets one, hardly any calls it: it is taken from a free list
 * and costs nothing else. Sends through the reply's own function.
 */
#include "base/base.h"

#include "py/early_hints.h"

#include "py/fields.h"
#include "py/freelist.h"

struct early_hints {
	PyObject_HEAD
	vectorcallfunc vectorcall;
	struct reply *reply; /* NULL once the request is over */
};

static PyTypeObject early_hints_type;
static struct freelist free_callables;

static bool is_wanted(const struct early_hints *self)
{
	return self->reply != NULL && self->reply->takes_interim && !self->reply->is_head_sent;
}

static int send_hints(struct early_hints *self, PyObject *headers)
{
	/* Of a response that has no body: a length, and what is for this hop, are dropped by the checks. */
	struct http_response response = { .status = 103, .version_minor = 1 };
	struct buf text = BUF_NONE;
	int result;

	buf_add_str(&text, "HTTP/1.1 103 Early Hints\r\n");
	result = fields_add(&response, &text, headers, FIELDS_HINT);
	buf_add_str(&text, "\r\n");
	/* An iterable of headers is code of the application: the head may be out now. */
	if (result == 0 && is_wanted(self))
		result = self->reply->interim(self->reply->context, buf_span(&text));
	buf_release(&text);
	return result;
}

static PyObject *early_hints_call(PyObject *object, PyObject *const *args, size_t nargsf, PyObject *kwnames)
{
	struct early_hints *self = (struct early_hints *)object;
	const Py_ssize_t count = PyVectorcall_NARGS(nargsf);
	const Py_ssize_t keyword_count = kwnames != NULL ? PyTuple_GET_SIZE(kwnames) : 0;

	if (count + keyword_count != 1 ||
	    (keyword_count == 1 && PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(kwnames, 0), "headers") != 0)) {
		PyErr_SetString(PyExc_TypeError, "wsgi.early_hints() takes one argument, headers");
		return NULL;
	}
	if (is_wanted(self) && send_hints(self, args[0]) < 0)
		return NULL;
	Py_RETURN_NONE;
}

static void early_hints_dealloc(PyObject *object)
{
	freelist_release(&free_callables, object);
}

static PyTypeObject early_hints_type = {
	PyVarObject_HEAD_INIT(NULL, 0) /* comma included */
		.tp_name = "gunwale.EarlyHints",
	.tp_basicsize = sizeof(struct early_hints),
	.tp_vectorcall_offset = offsetof(struct early_hints, vectorcall),
	.tp_dealloc = early_hints_dealloc,
	.tp_call = PyVectorcall_Call,
	.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL,
	.tp_doc = "early_hints(headers): sends 103 Early Hints; nothing to HTTP/1.0 or once the response has begun",
};

int early_hints_setup(void)
{
	return PyType_Ready(&early_hints_type);
}

PyObject *early_hints_new(struct reply *reply)
{
	struct early_hints *self = (struct early_hints *)freelist_new(&free_callables, &early_hints_type);

	if (self == NULL)
		return NULL;
	self->vectorcall = early_hints_call;
	self->reply = reply;
	return (PyObject *)self;
}

void early_hints_detach(PyObject *callable)
{
	if (callable != NULL)
		((struct early_hints *)callable)->reply = NULL;
}
