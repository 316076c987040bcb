/* SPDX-License-Identifier: MIT */
/*
 * service.h - what the connections of one loop share: who is to run next, deadlines, spare memory, settings made ready.
 */
#ifndef WORKER_SERVICE_H
#define WORKER_SERVICE_H

#include "base/base.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/list.h"
#include "http/http.h"
#include "py/environ.h"
#include "py/reqhooks.h"
#include "worker/access.h"
#include "worker/poller.h"
#include "worker/room.h"
#include "worker/trust.h"
#include "worker/worker.h"

/* Every kind has one duration, so that a list in the order of arming is in the order of deadlines. */
enum timer_kind {
	TIMER_SHAKE,       /* from the accept to the end of a TLS handshake */
	TIMER_FRESH,       /* accepted, not a byte yet */
	TIMER_IDLE,        /* kept alive, waits for the next request */
	TIMER_HEAD,        /* from the first byte of a head to its last */
	TIMER_BODY,        /* a good piece of a body that is gathered before the application is called */
	TIMER_WRITE,       /* until it is looked how much of the response the client took */
	TIMER_DISCARD,     /* the rest of a body that the application did not want */
	TIMER_LINGER,      /* the client reads the last response and closes */
	TIMER_LAST_CHANCE, /* draining: a kept-alive client may be just sending */
	TIMER_LAST_FRESH,  /* draining: a new connection has come to ask something */
	TIMER_MAX
};

struct timer {
	struct list link;
	uint64_t deadline_ms;
	bool is_over; /* the deadline has passed, and what came until then is to be looked at yet */
};

/* Something that waits for its turn. One queue for connections and listeners: new clients get in without pushing. */
struct turn {
	struct list link;
	bool is_queued;
	bool is_listener;
};

struct service_listener {
	struct turn turn;
	int fd;
	bool is_watched;
	struct environ_server server;
};

enum { SERVICE_SPARES = 64, SERVICE_BUFFER_BYTES = 8192 };

struct service {
	struct worker *worker;
	const struct settings *settings;
	struct http_policy policy;
	struct poller poller;
	struct trust trust;
	struct trust proxies; /* who may speak the PROXY protocol */
	struct access access;
	struct environ_kit kit;
	struct buf server_name; /* value of the Server header */
	char *software;         /* SERVER_SOFTWARE of the environ */
	struct reqhooks hooks;
	struct service_listener *listeners;
	size_t listener_count;
	struct list turns; /* struct turn: first come, first served */
	struct list conns; /* struct conn: all that are open */
	struct list timers[TIMER_MAX];
	uint64_t timer_ms[TIMER_MAX];
	uint64_t now_ms; /* read once a turn and after each call of the application */
	size_t open_count;
	/* Connections that closed after one request: in the window that began then, and in the one before. */
	uint64_t brief_since_ms;
	size_t brief_now, brief_before;
	struct room room;
	bool is_draining;
	/*
	 * Applications run side by side, each on a stack of its own, a thread's or a greenlet's. What an iterator does belongs
	 * on the stack that it began on, so that stack waits for a slow reader.
	 */
	bool has_stacks;
	int (*give_way)(void); /* lets other stacks run; NULL: they do by themselves. -1 with a Python exception */
	struct buf spares[SERVICE_SPARES]; /* empty buffers with memory */
	size_t spare_count;
	struct list free_conns; /* struct conn, closed */
	size_t spare_conns;
	struct list free_exchanges; /* struct exchange, not in use */
	size_t spare_exchanges;
	char date[32];
	time_t date_wall;
};

/* Adds to a counter of the worker's own board line. */
#define SERVICE_COUNT(service, counter, amount)                                                                             \
	atomic_store_explicit(&(service)->worker->line->counter,                                                            \
	                      atomic_load_explicit(&(service)->worker->line->counter, memory_order_relaxed) + (amount),     \
	                      memory_order_relaxed)

/* GIL held. 0 or a negative errno with a sentence. Release in every case. */
int service_init(struct service *service, struct worker *worker, struct err *err);
/* GIL held. All connections are closed already. */
void service_release(struct service *service);

void service_arm(struct service *service, struct timer *timer, enum timer_kind kind);
void service_disarm(struct timer *timer);
/* Milliseconds until the next deadline, at most `limit_ms`. */
int service_next_ms(const struct service *service, int limit_ms);
/* A timer that is due, taken out of its list; NULL when there is none. */
struct timer *service_take_due(struct service *service);

void service_queue(struct service *service, struct turn *turn);

/* Memory for incoming bytes: of SERVICE_BUFFER_BYTES, or nothing and a later reserve helps itself. */
void service_lend_buffer(struct service *service, struct buf *buf);
void service_take_back_buffer(struct service *service, struct buf *buf);
/* Value of Date, made anew each second. */
struct span service_date(struct service *service);

#endif
