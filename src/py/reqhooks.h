/* SPDX-License-Identifier: MIT */
/*
 * reqhooks.h - pre_request and post_request, through python/gunwale/reqhooks.py.
 *
 * The caller holds the GIL in all calls, and has entered the request's context in begin and end.
 */
#ifndef PY_REQHOOKS_H
#define PY_REQHOOKS_H

#include "base/base.h"
#include "http/http.h"
#include "py/py.h"
#include "py/start_response.h"

struct reqhooks {
	PyObject *begin; /* NULL: the configuration file defines neither hook, nothing is ever called */
	PyObject *end;
	PyObject *worker; /* borrowed: the object that hooks know as `worker` */
	PyObject *access;
	uint64_t count;
};

/* 0, or -1 with an exception. */
int reqhooks_init(struct reqhooks *hooks, PyObject *worker);
void reqhooks_release(struct reqhooks *hooks);
/*
 * Before the application is called; may change environ, and the request's fields: their bytes are in *ret_fields then, which
 * must live as long as the request (a new reference, else NULL). The `req` object, or NULL with an exception.
 */
PyObject *reqhooks_begin(struct reqhooks *hooks, PyObject *environ_dict, struct http_request *request, bool *ret_must_close,
                         PyObject **ret_fields);
/* When the response is over. 0, or -1 with an exception. */
int reqhooks_end(const struct reqhooks *hooks, PyObject *req, PyObject *environ_dict, struct reply *reply,
                 uint64_t body_bytes);
/*
 * One line by the logger's access(). req may be NULL: the logger gets one made for it. Works without hooks. 0, or -1 with an
 * exception.
 */
int reqhooks_access(const struct reqhooks *hooks, PyObject *logger, PyObject *req, PyObject *environ_dict,
                    const struct http_request *request, struct reply *reply, uint64_t body_bytes, uint64_t duration_us);

#endif
