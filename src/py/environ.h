/* SPDX-License-Identifier: MIT */
/*
 * environ.h - struct http_request into the environ of PEP 3333.
 *
 * The caller holds the GIL in all calls.
 */
#ifndef PY_ENVIRON_H
#define PY_ENVIRON_H

#include "base/base.h"
#include "base/span.h"
#include "http/http.h"
#include "py/py.h"
#include "shared/settings.h"

/* A listening socket as the application sees it. */
struct environ_server {
	PyObject *name; /* SERVER_NAME and SERVER_PORT */
	PyObject *port;
	bool is_unix; /* both come from the Host header when there is one */
};

/* What every request of a worker shares. */
struct environ_kit {
	PyObject *base;                      /* dict that is copied for each request */
	const struct environ_server *server; /* whose name and port are in `base`; NULL: none; borrowed */
	char *script_name;                   /* of the process environment; "" when not set; owned */
};

struct environ_options {
	const char *software; /* SERVER_SOFTWARE */
	bool is_multiprocess;
	bool is_multithread;
};

/* What a PROXY header said beside the client's address. */
struct environ_proxy {
	const char *protocol;
	const char *address; /* "": not told */
	const char *port;
};

/* What is known of a request beside its head. All borrowed. */
struct environ_facts {
	const struct environ_server *server;
	PyObject *remote_addr;
	PyObject *remote_port;   /* NULL: none (unix sockets) */
	PyObject *input;         /* wsgi.input */
	PyObject *early_hints;   /* wsgi.early_hints */
	PyObject *socket;        /* gunicorn.socket; NULL: none */
	const struct environ_proxy *proxy; /* NULL: no PROXY header */
	struct span script_name; /* what a trusted proxy says; at == NULL: the kit's own */
	bool is_https;
};

/* As the settings want it: every worker class but sync has threads, or greenlets, side by side. Borrows software. */
struct environ_options environ_options_from(const struct settings *settings, const char *software);
/* 0, or -1 with an exception. */
int environ_kit_init(struct environ_kit *kit, const struct environ_options *options);
/* Most requests come from there: name and port are in the base. `server` lives as long as the kit. 0, or -1 with an exception. */
int environ_kit_expect(struct environ_kit *kit, const struct environ_server *server);
void environ_kit_release(struct environ_kit *kit);
/* Whether the request's path begins with the SCRIPT_NAME in force. */
bool environ_fits_path(const struct environ_kit *kit, const struct http_request *request, const struct environ_facts *facts);
/* The environ of a request whose path fits. A new dict, or NULL with an exception. */
PyObject *environ_new(const struct environ_kit *kit, const struct http_request *request, const struct environ_facts *facts);
/*
 * A key of an environ without regard to case, borrowed from it or, as UTF-8, from `text`; at == NULL when it is missing or
 * neither text nor number.
 */
struct span environ_find(PyObject *dict, struct span key, struct buf *text);
/* The str that PATH_INFO has in this environ (the application may have changed it). */
struct span environ_path(PyObject *dict);

#endif
