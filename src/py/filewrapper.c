/* SPDX-License-Identifier: MIT */
/*
 * filewrapper.c - wsgi.file_wrapper.
 *
 * Called by the application, and by worker/respond.c for what the application returned. Sends nothing itself.
 */
#include "base/base.h"

#include "py/filewrapper.h"

#include <sys/stat.h>

enum { DEFAULT_BLOCK_BYTES = 8192 };

struct filewrapper {
	PyObject_HEAD
	PyObject *file;
	PyObject *block_size;
	PyObject *close; /* the file's own close method, NULL when it has none */
};

static PyTypeObject filewrapper_type;
static PyObject *plain_files; /* tuple of the io types whose fd holds just the bytes that read() gives */

static int filewrapper_init(PyObject *object, PyObject *args, PyObject *keywords)
{
	struct filewrapper *self = (struct filewrapper *)object;
	PyObject *file, *block_size = NULL, *name = NULL, *close = NULL;
	int found = -1;

	if (keywords != NULL && PyDict_Size(keywords) > 0) {
		block_size = PyDict_GetItemString(keywords, "blksize");
		if (block_size == NULL || PyDict_Size(keywords) > 1) {
			PyErr_SetString(PyExc_TypeError, "FileWrapper(filelike, blksize=8192)");
			return -1;
		}
	}
	if (!PyArg_ParseTuple(args, "O|O:FileWrapper", &file, &block_size))
		return -1;
	name = PyUnicode_InternFromString("close");
	if (name != NULL)
		found = py_attribute_find(file, name, &close);
	Py_XDECREF(name);
	if (found < 0)
		return -1;
	block_size = block_size != NULL ? py_ref(block_size) : PyLong_FromLong(DEFAULT_BLOCK_BYTES);
	if (block_size == NULL) {
		Py_XDECREF(close);
		return -1;
	}
	Py_INCREF(file);
	Py_XSETREF(self->file, file);
	Py_XSETREF(self->block_size, block_size);
	Py_XSETREF(self->close, close);
	return 0;
}

static PyObject *filewrapper_next(PyObject *object)
{
	struct filewrapper *self = (struct filewrapper *)object;
	PyObject *bytes;

	if (self->file == NULL)
		return NULL;
	bytes = PyObject_CallMethod(self->file, "read", "O", self->block_size);
	if (bytes == NULL)
		return NULL;
	switch (PyObject_IsTrue(bytes)) {
	case 1:
		return bytes;
	default:
		Py_DECREF(bytes);
		return NULL; /* without an exception: the end */
	}
}

/* `close` exists only when the file has one: servers and wrappers look with hasattr(). */
static PyObject *filewrapper_get_close(PyObject *object, void *closure)
{
	struct filewrapper *self = (struct filewrapper *)object;

	(void)closure;
	if (self->close == NULL) {
		PyErr_SetString(PyExc_AttributeError, "close");
		return NULL;
	}
	return py_ref(self->close);
}

static PyObject *filewrapper_get_file(PyObject *object, void *closure)
{
	struct filewrapper *self = (struct filewrapper *)object;

	(void)closure;
	return py_ref(self->file != NULL ? self->file : Py_None);
}

static PyObject *filewrapper_get_block_size(PyObject *object, void *closure)
{
	struct filewrapper *self = (struct filewrapper *)object;

	(void)closure;
	return py_ref(self->block_size != NULL ? self->block_size : Py_None);
}

static int filewrapper_traverse(PyObject *object, visitproc visit, void *arg)
{
	struct filewrapper *self = (struct filewrapper *)object;

	Py_VISIT(self->file);
	Py_VISIT(self->block_size);
	Py_VISIT(self->close);
	return 0;
}

static int filewrapper_clear(PyObject *object)
{
	struct filewrapper *self = (struct filewrapper *)object;

	Py_CLEAR(self->file);
	Py_CLEAR(self->block_size);
	Py_CLEAR(self->close);
	return 0;
}

static void filewrapper_dealloc(PyObject *object)
{
	PyObject_GC_UnTrack(object);
	(void)filewrapper_clear(object);
	Py_TYPE(object)->tp_free(object);
}

static PyGetSetDef filewrapper_attributes[] = {
	{ "close", filewrapper_get_close, NULL, "the file's close()", NULL },
	{ "filelike", filewrapper_get_file, NULL, "the file", NULL },
	{ "blksize", filewrapper_get_block_size, NULL, "bytes asked for at a time", NULL },
	{ NULL, NULL, NULL, NULL, NULL },
};

static PyTypeObject filewrapper_type = {
	PyVarObject_HEAD_INIT(NULL, 0) /* comma included */
		.tp_name = "gunwale.FileWrapper",
	.tp_basicsize = sizeof(struct filewrapper),
	.tp_dealloc = filewrapper_dealloc,
	.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE,
	.tp_doc = "FileWrapper(filelike, blksize=8192)",
	.tp_traverse = filewrapper_traverse,
	.tp_clear = filewrapper_clear,
	.tp_iter = PyObject_SelfIter,
	.tp_iternext = filewrapper_next,
	.tp_getset = filewrapper_attributes,
	.tp_init = filewrapper_init,
	.tp_new = PyType_GenericNew,
};

int filewrapper_setup(void)
{
	PyObject *io;

	if (plain_files == NULL) {
		io = PyImport_ImportModule("io");
		if (io == NULL)
			return -1;
		plain_files =
			Py_BuildValue("(NNN)", PyObject_GetAttrString(io, "BufferedReader"),
		                      PyObject_GetAttrString(io, "BufferedRandom"), PyObject_GetAttrString(io, "FileIO"));
		Py_DECREF(io);
		if (plain_files == NULL)
			return -1;
	}
	return PyType_Ready(&filewrapper_type);
}

PyObject *filewrapper_class(void)
{
	return (PyObject *)&filewrapper_type;
}

bool filewrapper_check(PyObject *object)
{
	return Py_TYPE(object) == &filewrapper_type && ((struct filewrapper *)object)->file != NULL;
}

/* A GzipFile has a fileno() too: that of the compressed file. Only types that we know hold what they say. */
static bool is_plain_file(PyObject *file)
{
	for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(plain_files); i++)
		if ((PyObject *)Py_TYPE(file) == PyTuple_GET_ITEM(plain_files, i))
			return true;
	return false;
}

/* A number that a method without arguments returns; -1 without an exception when it does not. */
static long long call_for_number(PyObject *object, const char *method)
{
	PyObject *answer = PyObject_CallMethod(object, method, NULL);
	const long long number = answer != NULL && PyLong_Check(answer) ? PyLong_AsLongLong(answer) : -1;

	PyErr_Clear();
	Py_XDECREF(answer);
	return number;
}

bool filewrapper_find_file(PyObject *object, int *ret_fd, off_t *ret_offset, uint64_t *ret_size)
{
	struct filewrapper *self = (struct filewrapper *)object;
	long long fd, offset;
	struct stat stat;

	if (!is_plain_file(self->file))
		return false;
	fd = call_for_number(self->file, "fileno");
	if (fd < 0 || fd > INT32_MAX || fstat((int)fd, &stat) < 0 || !S_ISREG(stat.st_mode))
		return false;
	/* tell(), not the fd's own offset: a buffered reader has read ahead. */
	offset = call_for_number(self->file, "tell");
	if (offset < 0)
		return false;
	*ret_fd = (int)fd;
	*ret_offset = (off_t)offset;
	*ret_size = stat.st_size > offset ? (uint64_t)(stat.st_size - offset) : 0;
	return true;
}
