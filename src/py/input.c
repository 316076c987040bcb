/* SPDX-License-Identifier: MIT */
/*
 * input.c - wsgi.input.
 *
 * Called by the application. Keeps no bytes of its own: what has arrived stays with the connection, and a whole body is in
 * memory only when the application asks read() for it. The application may hand the object to other threads, so that after
 * each wait the source must be looked up again.
 */
#include "base/base.h"

#include "py/input.h"

#include <poll.h>

#include "base/buf.h"
#include "base/clock.h"
#include "py/freelist.h"
#include "py/py.h"

enum {
	FIRST_BYTES = 1 << 16, /* allocated before the client has sent anything that proves its Content-Length */
};

struct input {
	PyObject_HEAD
	struct input_source *source; /* NULL once the request is over */
};

static PyTypeObject input_type;
static struct freelist free_inputs;

/* Nobody else is served meanwhile, so a client must not stretch its body by one byte now and then. */
static int await_bytes(struct input *self)
{
	struct input_source *source = self->source;
	const uint64_t earned_ms = source->waited_bytes * 1000 / source->bytes_per_second, begin_ms = clock_ms();
	int result;

	/* Earned time makes up for waits before it; none is saved for later ones. */
	source->waited_ms -= MIN(source->waited_ms, earned_ms);
	source->waited_bytes = 0;
	result = py_wait(source->fd, POLLIN, source->patience_ms - (unsigned)MIN(source->waited_ms, (uint64_t)source->patience_ms),
	                 "the client did not send the rest of the request body in time", source->beat, source->beat_context);
	/* Another thread may have been waiting, and the request may be over. */
	if (self->source == NULL)
		return result;
	self->source->waited_ms += clock_ms() - begin_ms;
	if (result < 0 && PyErr_ExceptionMatches(PyExc_TimeoutError))
		self->source->give_up(self->source->context);
	return result;
}

static ssize_t note_bytes(struct input_source *source, ssize_t count)
{
	if (count > 0 && source->waited_ms > 0)
		source->waited_bytes += (uint64_t)count;
	return count;
}

static struct input_source *get_source(struct input *self)
{
	if (self->source == NULL)
		PyErr_SetString(PyExc_ValueError, "read of wsgi.input after the request ended");
	return self->source;
}

/* At least one byte into `into`, or INPUT_END or INPUT_ERROR. */
static ssize_t read_some(struct input *self, char *into, size_t size)
{
	for (;;) {
		struct input_source *source = get_source(self);
		ssize_t count;

		if (source == NULL)
			return INPUT_ERROR;
		count = source->read(source->context, into, size);
		if (count != INPUT_WAIT)
			return note_bytes(source, count);
		if (await_bytes(self) < 0)
			return INPUT_ERROR;
	}
}

static ssize_t peek_some(struct input *self, struct span *ret_bytes)
{
	for (;;) {
		struct input_source *source = get_source(self);
		ssize_t count;

		if (source == NULL)
			return INPUT_ERROR;
		count = source->peek(source->context, ret_bytes);
		if (count != INPUT_WAIT)
			return count;
		if (await_bytes(self) < 0)
			return INPUT_ERROR;
	}
}

static void consume(struct input_source *source, size_t count)
{
	source->consume(source->context, count);
	(void)note_bytes(source, (ssize_t)count);
}

static bool is_complete(const struct input *self)
{
	return self->source != NULL && self->source->read(self->source->context, NULL, 0) == INPUT_END;
}

/* "Size" of read(), readline(), readlines(): absent, None or negative is -1, no limit. -2 with an exception. */
static Py_ssize_t get_size(PyObject *const *args, Py_ssize_t count)
{
	Py_ssize_t size;

	if (count > 1) {
		PyErr_Format(PyExc_TypeError, "expected at most 1 argument, got %zd", count);
		return -2;
	}
	if (count == 0 || args[0] == Py_None)
		return -1;
	size = PyNumber_AsSsize_t(args[0], PyExc_OverflowError);
	if (size == -1 && PyErr_Occurred())
		return -2;
	return size < 0 ? -1 : size;
}

static PyObject *input_read(PyObject *object, PyObject *const *args, Py_ssize_t arg_count)
{
	struct input *self = (struct input *)object;
	const Py_ssize_t size = get_size(args, arg_count);
	const size_t limit = size < 0 ? (size_t)PY_SSIZE_T_MAX : (size_t)size;
	struct input_source *source;
	PyObject *bytes;
	size_t len = 0, room;

	if (size == -2)
		return NULL;
	source = get_source(self);
	if (source == NULL)
		return NULL;
	if (size == 0 || is_complete(self))
		return PyBytes_FromStringAndSize(NULL, 0);
	room = source->expected(source->context);
	if (room == 0 || room > FIRST_BYTES)
		room = FIRST_BYTES;
	room = MIN(room, limit);
	bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)room);
	if (bytes == NULL)
		return NULL;
	while (len < limit) {
		ssize_t count;

		if (len == room) {
			const uint64_t expected = self->source != NULL ? self->source->expected(self->source->context) : 0;

			/* Never more than double of what has come, so that a large Content-Length alone costs nothing. */
			room = expected > 0 && expected < room ? room + (size_t)expected : room * 2;
			room = MIN(room, limit);
			if (_PyBytes_Resize(&bytes, (Py_ssize_t)room) < 0)
				return NULL;
		}
		count = read_some(self, PyBytes_AS_STRING(bytes) + len, room - len);
		if (count == INPUT_END)
			break;
		if (count < 0) {
			Py_DECREF(bytes);
			return NULL;
		}
		len += (size_t)count;
		if (is_complete(self))
			break;
	}
	if (len != room && _PyBytes_Resize(&bytes, (Py_ssize_t)len) < 0)
		return NULL;
	return bytes;
}

static PyObject *read_line(struct input *self, size_t limit)
{
	struct buf line = BUF_NONE;
	PyObject *bytes = NULL;
	bool is_end = false;

	while (!is_end && line.len < limit) {
		struct span piece;
		const char *newline;
		const ssize_t count = peek_some(self, &piece);

		if (count == INPUT_END)
			break;
		if (count < 0)
			goto out;
		piece.len = MIN(piece.len, limit - line.len);
		newline = memchr(piece.at, '\n', piece.len);
		if (newline != NULL) {
			piece.len = (size_t)(newline - piece.at) + 1;
			is_end = true;
		}
		if (is_end && line.len == 0) {
			bytes = PyBytes_FromStringAndSize(piece.at, (Py_ssize_t)piece.len);
			if (bytes != NULL)
				consume(self->source, piece.len);
			goto out;
		}
		if (buf_try_reserve(&line, piece.len) < 0) {
			PyErr_NoMemory();
			goto out;
		}
		buf_add(&line, piece.at, piece.len);
		consume(self->source, piece.len);
	}
	bytes = PyBytes_FromStringAndSize(line.data, (Py_ssize_t)line.len);
out:
	buf_release(&line);
	return bytes;
}

static PyObject *input_readline(PyObject *object, PyObject *const *args, Py_ssize_t arg_count)
{
	const Py_ssize_t size = get_size(args, arg_count);

	if (size == -2)
		return NULL;
	if (get_source((struct input *)object) == NULL)
		return NULL;
	return read_line((struct input *)object, size < 0 ? (size_t)PY_SSIZE_T_MAX : (size_t)size);
}

static PyObject *input_readlines(PyObject *object, PyObject *const *args, Py_ssize_t arg_count)
{
	const Py_ssize_t hint = get_size(args, arg_count);
	PyObject *lines;
	Py_ssize_t total = 0;

	if (hint == -2)
		return NULL;
	lines = PyList_New(0);
	while (lines != NULL && (hint <= 0 || total < hint)) {
		PyObject *line = read_line((struct input *)object, (size_t)PY_SSIZE_T_MAX);
		const Py_ssize_t len = line != NULL ? PyBytes_GET_SIZE(line) : -1;

		if (len == 0) {
			Py_DECREF(line);
			break;
		}
		if (len < 0 || PyList_Append(lines, line) < 0)
			Py_CLEAR(lines);
		Py_XDECREF(line);
		total += len;
	}
	return lines;
}

static PyObject *input_next(PyObject *object)
{
	PyObject *line = read_line((struct input *)object, (size_t)PY_SSIZE_T_MAX);

	if (line != NULL && PyBytes_GET_SIZE(line) == 0)
		Py_CLEAR(line); /* NULL without an exception ends the iteration */
	return line;
}

static void input_dealloc(PyObject *object)
{
	freelist_release(&free_inputs, object);
}

static PyMethodDef input_methods[] = {
	{ "read", (PyCFunction)(void (*)(void))input_read, METH_FASTCALL, "read(size=-1): that many bytes, or all" },
	{ "readline", (PyCFunction)(void (*)(void))input_readline, METH_FASTCALL, "readline(size=-1)" },
	{ "readlines", (PyCFunction)(void (*)(void))input_readlines, METH_FASTCALL, "readlines(hint=-1)" },
	{ NULL, NULL, 0, NULL },
};

static PyTypeObject input_type = {
	PyVarObject_HEAD_INIT(NULL, 0) /* comma included */
		.tp_name = "gunwale.Input",
	.tp_basicsize = sizeof(struct input),
	.tp_dealloc = input_dealloc,
	.tp_flags = Py_TPFLAGS_DEFAULT,
	.tp_doc = "The body of a request.",
	.tp_iter = PyObject_SelfIter,
	.tp_iternext = input_next,
	.tp_methods = input_methods,
};

int input_setup(void)
{
	return PyType_Ready(&input_type);
}

PyObject *input_new(struct input_source *source)
{
	struct input *self = (struct input *)freelist_new(&free_inputs, &input_type);

	if (self == NULL)
		return NULL;
	self->source = source;
	return (PyObject *)self;
}

void input_detach(PyObject *input)
{
	if (input != NULL)
		((struct input *)input)->source = NULL;
}
