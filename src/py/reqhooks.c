/* SPDX-License-Identifier: MIT */
/*
 * reqhooks.c - pre_request and post_request.
 *
 * Called by worker/exchange.c. Only carries values over; what hooks see is made in python/gunwale/reqhooks.py.
 */
#include "base/base.h"

#include "py/reqhooks.h"

int reqhooks_init(struct reqhooks *hooks, PyObject *worker)
{
	PyObject *module = PyImport_ImportModule("gunwale.reqhooks"), *is_wanted = NULL;
	int result = -1;

	*hooks = (struct reqhooks){ .worker = worker };
	if (module != NULL)
		is_wanted = PyObject_CallMethod(module, "is_wanted", NULL);
	if (is_wanted == NULL)
		goto out;
	hooks->access = PyObject_GetAttrString(module, "access");
	result = hooks->access != NULL ? PyObject_IsTrue(is_wanted) : -1;
	if (result > 0) {
		hooks->begin = PyObject_GetAttrString(module, "begin");
		hooks->end = PyObject_GetAttrString(module, "end");
		result = hooks->begin != NULL && hooks->end != NULL ? 0 : -1;
	}
out:
	Py_XDECREF(is_wanted);
	Py_XDECREF(module);
	return result;
}

void reqhooks_release(struct reqhooks *hooks)
{
	Py_CLEAR(hooks->begin);
	Py_CLEAR(hooks->end);
	Py_CLEAR(hooks->access);
}

static PyObject *list_headers(const struct http_request *request)
{
	PyObject *headers = PyList_New((Py_ssize_t)request->field_count);

	for (size_t i = 0; headers != NULL && i < request->field_count; i++) {
		const struct http_field *field = &request->fields[i];
		PyObject *pair = Py_BuildValue("(NN)", py_latin1(field->name), py_latin1(field->value));

		if (pair == NULL)
			Py_CLEAR(headers);
		else
			PyList_SET_ITEM(headers, (Py_ssize_t)i, pair);
	}
	return headers;
}

/* What the access log shows. `fields` was made by ourselves: a tuple of pairs of bytes. */
static void replace_fields(struct http_request *request, PyObject *fields)
{
	const Py_ssize_t count = PyTuple_GET_SIZE(fields);

	request->field_count = 0;
	for (Py_ssize_t i = 0; i < count; i++) {
		PyObject *pair = PyTuple_GET_ITEM(fields, i);
		PyObject *name = PyTuple_GET_ITEM(pair, 0), *value = PyTuple_GET_ITEM(pair, 1);

		http_request_put_field(request, span_of(PyBytes_AS_STRING(name), (size_t)PyBytes_GET_SIZE(name)),
		                       span_of(PyBytes_AS_STRING(value), (size_t)PyBytes_GET_SIZE(value)));
	}
}

PyObject *reqhooks_begin(struct reqhooks *hooks, PyObject *environ_dict, struct http_request *request, bool *ret_must_close,
                         PyObject **ret_fields)
{
	PyObject *headers = list_headers(request), *answer = NULL, *req = NULL, *fields = NULL, *flag = NULL;

	*ret_must_close = false;
	*ret_fields = NULL;
	if (headers == NULL)
		return NULL;
	answer = PyObject_CallFunction(hooks->begin, "OOOK", hooks->worker, environ_dict, headers,
	                               (unsigned long long)++hooks->count);
	Py_DECREF(headers);
	if (answer == NULL)
		return NULL;
	if (!PyArg_ParseTuple(answer, "OO", &req, &fields)) {
		Py_DECREF(answer);
		return NULL;
	}
	Py_INCREF(req);
	if (fields != Py_None) {
		*ret_fields = py_ref(fields);
		replace_fields(request, fields);
	}
	Py_DECREF(answer);
	flag = PyObject_GetAttrString(req, "must_close");
	*ret_must_close = flag != NULL && PyObject_IsTrue(flag) == 1;
	Py_XDECREF(flag);
	PyErr_Clear();
	return req;
}

int reqhooks_end(const struct reqhooks *hooks, PyObject *req, PyObject *environ_dict, struct reply *reply,
                 uint64_t body_bytes)
{
	PyObject *status = py_latin1(buf_span(&reply->status)), *fields = py_latin1(buf_span(&reply->fields)),
		 *answer = NULL;

	if (status != NULL && fields != NULL)
		answer = PyObject_CallFunction(hooks->end, "OOOOOKOO", hooks->worker, req, environ_dict, status, fields,
		                               (unsigned long long)body_bytes,
		                               reply->response.is_chunked ? Py_True : Py_False,
		                               reply->response.keep_alive ? Py_False : Py_True);
	Py_XDECREF(status);
	Py_XDECREF(fields);
	Py_XDECREF(answer);
	return answer != NULL ? 0 : -1;
}

int reqhooks_access(const struct reqhooks *hooks, PyObject *logger, PyObject *req, PyObject *environ_dict,
                    const struct http_request *request, struct reply *reply, uint64_t body_bytes, uint64_t duration_us)
{
	PyObject *headers = req == NULL ? list_headers(request) : py_ref(Py_None), *status = NULL, *fields = NULL, *answer = NULL;

	if (headers == NULL)
		return -1;
	status = py_latin1(buf_span(&reply->status));
	fields = py_latin1(buf_span(&reply->fields));
	if (status != NULL && fields != NULL)
		answer = PyObject_CallFunction(hooks->access, "OOOOOOOKOOK", hooks->worker, logger, req != NULL ? req : Py_None, headers,
		                               environ_dict, status, fields, (unsigned long long)body_bytes,
		                               reply->response.is_chunked ? Py_True : Py_False,
		                               reply->response.keep_alive ? Py_False : Py_True,
		                               (unsigned long long)duration_us);
	Py_XDECREF(headers);
	Py_XDECREF(status);
	Py_XDECREF(fields);
	Py_XDECREF(answer);
	return answer != NULL ? 0 : -1;
}
