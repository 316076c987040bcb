/* SPDX-License-Identifier: MIT */
/*
 * exchange.h - one request in the hands of the application, and its response.
 *
 * The GIL is held in all calls. Only write() of the application ever waits.
 */
#ifndef WORKER_EXCHANGE_H
#define WORKER_EXCHANGE_H

#include "base/base.h"
#include "base/list.h"
#include "py/clientsocket.h"
#include "py/input.h"
#include "py/result.h"
#include "py/start_response.h"
#include "worker/conn.h"
#include "worker/output.h"

struct exchange {
	struct list link; /* in service->free_exchanges */
	struct conn *conn;
	struct reply reply;
	struct result result;
	struct output output;
	struct input_source source;
	PyObject *input;
	PyObject *start_response;
	PyObject *early_hints;
	struct clientsocket_source socket_source;
	PyObject *socket; /* gunicorn.socket */
	PyObject *environ;
	PyObject *req;     /* of pre_request and post_request; NULL: no such hook, or it failed */
	PyObject *ahead;   /* a piece of the answer that waits for the output; NULL: none */
	PyObject *fields;  /* what the request's fields point into when pre_request has changed them */
	PyObject *context; /* contextvars.Context: suspended responses do not see each other's */
	uint64_t started_us;
	uint64_t remaining;  /* of the application's Content-Length */
	uint64_t body_bytes; /* of the response, framing excluded */
	unsigned long thread; /* that called the application */
	unsigned long runner; /* the thread that runs its code now, or has last */
	pid_t tid;            /* the same as the kernel names it */
	int board_entry;
	bool owes_continue;     /* the client waits for 100 Continue */
	bool is_ended;          /* the application has given everything; what is pending is the rest */
	bool is_in_application; /* its code runs now */
	bool is_pushing;        /* the output is being sent, perhaps without the lock */
	bool has_sent;          /* some of the response has left */
	bool was_held;          /* put aside by batch.c, once */
	bool is_taken;          /* by the application: it reads and writes the connection itself */
	bool hangs_up;          /* the application wants no response to be sent */
	bool is_aborted;        /* an exception is on its way to its thread, because it uses too much memory */
	bool is_cut;            /* the response cannot be completed */
	bool has_lost_client;   /* found out by write() */
	bool is_gathering;      /* pieces wait in the output for more of them, gather.c */
	bool is_lent;           /* the output, to the agent */
	unsigned quick_streak;  /* pieces that came soon after the one before */
	uint64_t piece_us;      /* when the last one came */
	uint64_t gather_since_us;
	size_t rescued_bytes;   /* sent by the agent, not counted yet */
	int file_fd;            /* wsgi.file_wrapper: sent by the kernel; FD_NONE: not so. Belongs to the file in `result` */
	off_t file_at;
	uint64_t file_left;
};

/* The head is here, and of the body what is gathered in advance: calls the application. */
void exchange_start(struct conn *conn);
/* Goes on where it stopped: the client has read some, or its turn has come. */
void exchange_resume(struct exchange *exchange);
/* The client is gone or too slow: ends the request without another byte. The caller closes the connection. */
void exchange_abandon(struct exchange *exchange);
void exchange_free_spares(struct service *service);

#endif
