/* SPDX-License-Identifier: MIT */
/*
 * notify.h - tells the service manager how we are (sd_notify): READY, RELOADING, STOPPING, STATUS, WATCHDOG.
 *
 * Without libsystemd: one datagram to NOTIFY_SOCKET for each message. Never blocks: what does not go through is tried again.
 */
#ifndef MASTER_NOTIFY_H
#define MASTER_NOTIFY_H

#include "base/base.h"
#include "base/buf.h"
#include "base/err.h"

#include <sys/socket.h>
#include <sys/un.h>

enum {
	NOTIFY_RETRY_MS = 100, /* the manager's queue is full: tried again after this */
};

/* What the master knows of itself. */
struct notify_facts {
	pid_t pid;
	bool is_serving;  /* a worker was ready, or none is wanted */
	bool is_reloading;
	bool is_stopping;
	uint32_t serving; /* workers that serve */
	uint32_t live;    /* workers in any state */
	long target;
	const char *reload_error; /* of the last reload; empty: it succeeded, or there was none */
};

struct notify {
	int fd;                /* FD_NONE: nobody wants to know */
	struct sockaddr_un at;
	socklen_t at_len;
	uint64_t watchdog_ms;  /* a sign of life each; 0: none is wanted */
	uint64_t watchdog_next_ms;
	uint64_t reload_us;    /* when a reload was asked for that was not told yet; 0: none */
	bool has_told_ready;
	bool has_told_reloading;
	bool has_told_stopping;
	bool has_complained;   /* a failure was reported */
	char status[256];      /* as told last */
	struct buf unsent;     /* a message that did not go through yet */
	uint64_t retry_ms;
};

/* ---- pure ---- */

/* "/path" or "@abstract". 0 or -errno with a sentence. */
int notify_parse_address(const char *text, struct sockaddr_un *ret_at, socklen_t *ret_len, struct err *err);
/* WATCHDOG_USEC and WATCHDOG_PID (each may be NULL): half of the time allowed, in ms; 0 when no sign is wanted from us. */
uint64_t notify_watchdog_ms(const char *usec_text, const char *pid_text, pid_t self);
/*
 * The next message, if anything is new: true, with its text in *message (cleared first). To be called until it says false.
 * What it gives counts as told.
 */
bool notify_next(struct notify *notify, const struct notify_facts *facts, uint64_t now_ms, struct buf *message);

/* ---- the rest ---- */

void notify_init(struct notify *notify);
void notify_release(struct notify *notify);
/*
 * Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID; they stay in the environment, as with gunicorn. 0 also where nobody
 * wants to know; -errno with a sentence where that is wished for but can't be done.
 */
int notify_open(struct notify *notify, struct err *err);
/* SIGHUP came. The manager waits for RELOADING with a time not before its signal, also when the reload fails at once. */
void notify_note_reload(struct notify *notify, uint64_t now_us);

struct master;
/* Tells what is new. */
void notify_on_time(struct master *master, uint64_t now_ms);
/* The last word of a master that another one replaces (SIGUSR2): the service's main process is that one. */
void notify_hand_over(struct master *master);
/* When to be called next; 0: nothing is waiting. */
uint64_t notify_next_ms(const struct notify *notify);

#endif
