/* SPDX-License-Identifier: MIT */
/*
 * clientsocket.c - gunicorn.socket: stands for a Python socket that is made when the application first looks at it.
 *
 * Called by the application. Every request gets one, hardly any looks at it: it is taken from a free list and costs nothing
 * else. The socket itself, a copy of the connection's fd, is made by python/gunwale/clientsocket.py.
 */
#include "base/base.h"

#include "py/clientsocket.h"

#include "py/freelist.h"

struct clientsocket {
	PyObject_HEAD
	const struct clientsocket_source *source; /* NULL once the request is over */
	PyObject *socket;                         /* NULL until somebody looks at it */
};

static PyTypeObject clientsocket_type;
static struct freelist free_objects;

/* What the Python socket calls before it does anything to the connection. It is the context's only link to us. */
static PyObject *take(PyObject *object, PyObject *unused)
{
	const struct clientsocket *self = (const struct clientsocket *)object;

	(void)unused;
	if (self->source != NULL && self->source->take(self->source->context) < 0)
		return NULL;
	Py_RETURN_NONE;
}

static PyMethodDef take_def = { "take", take, METH_NOARGS, "The application takes the connection." };

/* Borrowed, or NULL with an exception. */
static PyObject *get_socket(struct clientsocket *self)
{
	PyObject *module, *function, *tls;

	if (self->socket != NULL)
		return self->socket;
	if (self->source == NULL) {
		PyErr_SetString(PyExc_OSError, "gunicorn.socket used after the request ended");
		return NULL;
	}
	function = PyCFunction_New(&take_def, (PyObject *)self);
	tls = self->source->describe_tls != NULL ? self->source->describe_tls(self->source->context) : py_ref(Py_None);
	module = function != NULL && tls != NULL ? PyImport_ImportModule("gunwale.clientsocket") : NULL;
	/* The import may have let other threads run, which may have been here too. */
	if (module != NULL && self->source != NULL && self->socket == NULL)
		self->socket = PyObject_CallMethod(module, "open_socket", "iOO", self->source->fd, function, tls);
	Py_XDECREF(module);
	Py_XDECREF(tls);
	Py_XDECREF(function);
	if (self->socket == NULL && !PyErr_Occurred())
		PyErr_SetString(PyExc_OSError, "gunicorn.socket used after the request ended");
	return self->socket;
}

static PyObject *clientsocket_getattro(PyObject *object, PyObject *name)
{
	PyObject *socket = get_socket((struct clientsocket *)object);

	return socket != NULL ? PyObject_GetAttr(socket, name) : NULL;
}

static int clientsocket_setattro(PyObject *object, PyObject *name, PyObject *value)
{
	PyObject *socket = get_socket((struct clientsocket *)object);

	return socket != NULL ? PyObject_SetAttr(socket, name, value) : -1;
}

/* Prints of an environ must not make sockets. */
static PyObject *clientsocket_repr(PyObject *object)
{
	const struct clientsocket *self = (const struct clientsocket *)object;

	if (self->socket != NULL)
		return PyObject_Repr(self->socket);
	return PyUnicode_FromFormat("<gunwale.ClientSocket fd=%d>", self->source != NULL ? self->source->fd : -1);
}

static void clientsocket_dealloc(PyObject *object)
{
	struct clientsocket *self = (struct clientsocket *)object;

	Py_CLEAR(self->socket);
	freelist_release(&free_objects, object);
}

static PyTypeObject clientsocket_type = {
	PyVarObject_HEAD_INIT(NULL, 0) /* comma included */
		.tp_name = "gunwale.ClientSocket",
	.tp_basicsize = sizeof(struct clientsocket),
	.tp_dealloc = clientsocket_dealloc,
	.tp_repr = clientsocket_repr,
	.tp_getattro = clientsocket_getattro,
	.tp_setattro = clientsocket_setattro,
	.tp_flags = Py_TPFLAGS_DEFAULT,
	.tp_doc = "The client's connection, as a socket.",
};

int clientsocket_setup(void)
{
	return PyType_Ready(&clientsocket_type);
}

PyObject *clientsocket_new(const struct clientsocket_source *source)
{
	struct clientsocket *self = (struct clientsocket *)freelist_new(&free_objects, &clientsocket_type);

	if (self == NULL)
		return NULL;
	self->source = source;
	self->socket = NULL;
	return (PyObject *)self;
}

void clientsocket_detach(PyObject *object)
{
	struct clientsocket *self = (struct clientsocket *)object;
	PyObject *exception, *result;

	if (self == NULL)
		return;
	self->source = NULL;
	if (LIKELY(self->socket == NULL))
		return;
	/* A thread that is left goes on with a closed socket. That it lets go of `take` ends the circle of references. */
	exception = py_error_take();
	result = PyObject_CallMethod(self->socket, "end_request", NULL);
	Py_XDECREF(result);
	PyErr_Clear();
	if (exception != NULL)
		py_error_put(exception);
}
