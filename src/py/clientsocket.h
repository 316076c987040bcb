/* SPDX-License-Identifier: MIT */
/*
 * clientsocket.h - gunicorn.socket: the client's connection for applications that speak to it themselves (websockets).
 *
 * The caller holds the GIL in all calls.
 */
#ifndef PY_CLIENTSOCKET_H
#define PY_CLIENTSOCKET_H

#include "base/base.h"
#include "py/py.h"

struct clientsocket_source {
	int fd; /* non-blocking, and stays so */
	/*
	 * The application is about to read from the connection, to write to it or to close it, perhaps on a thread of its own.
	 * 0, or -1 with an exception. May be called more than once.
	 */
	int (*take)(void *context);
	/* NULL: not encrypted. Else what is known of the encryption, as clientsocket.py wants it: a new tuple, or NULL with an exception. */
	PyObject *(*describe_tls)(void *context);
	void *context;
};

/* 0, or -1 with an exception. Once in a process, before clientsocket_new(). */
int clientsocket_setup(void);
/* A new object that stands for the connection until clientsocket_detach(); the source is borrowed till then. NULL with an exception. */
PyObject *clientsocket_new(const struct clientsocket_source *source);
/* The request is over: what the application has made of it is closed. Runs Python code; leaves no exception. */
void clientsocket_detach(PyObject *object);

#endif
