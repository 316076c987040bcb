/* SPDX-License-Identifier: MIT */
/*
 * status.h - the status document: what the master knows, as JSON, in a file that is replaced atomically.
 *
 * Written each status_interval and as soon as something happened. The disk is touched on libuv's thread pool only: a slow one
 * delays the file, never the service.
 */
#ifndef MASTER_STATUS_H
#define MASTER_STATUS_H

#include "base/base.h"

struct master;

enum {
	STATUS_SCHEMA = 1,
	STATUS_SOON_MS = 20, /* events that come together share one write */
};

struct status {
	uint64_t next_ms;    /* when to write next; 0: never */
	bool is_writing;     /* a write is on the thread pool */
	bool has_complained; /* the last write failed and was reported */
};

/* Something happened that the file should tell. */
void status_soon(struct status *status);
/* Writes when it is time to. */
void status_on_time(struct master *master, uint64_t now_ms);
/* The file's name loses its suffix (see upgrade.h). */
void status_promote(struct master *master);
/* The last state, written at once and synchronously: for the end of the program. */
void status_write_last(struct master *master);
/* The document as text; the caller frees. */
char *status_render(struct master *master);

#endif
