/* SPDX-License-Identifier: MIT */
/*
 * status.h - the status document: what the master knows, as JSON; and the file that holds it, replaced atomically.
 *
 * The file is written each status_interval and as soon as something happened. The disk is touched on libuv's thread pool only: a
 * slow one delays the file, never the service.
 */
#ifndef MASTER_STATUS_H
#define MASTER_STATUS_H

#include "base/base.h"
#include "master/formats.h"

#include <jansson.h>

struct master;

enum {
	STATUS_SCHEMA = 1,
	STATUS_SOON_MS = 20,   /* events that come together share one write */
	STATUS_STALE_MS = 100, /* whoever asks more often gets the same answer: a scraper must not burn the master's CPU */
};

struct status {
	uint64_t next_ms;    /* when to write next; 0: never */
	bool is_writing;     /* a write is on the thread pool */
	bool has_complained; /* the last write failed and was reported */
	json_t *document;    /* the last one made; owned; NULL: none */
	uint64_t stale_ms;   /* when it is too old to be shown */
	char *texts[FORMAT_MAX]; /* of that document, each made when it is asked for; owned */
};

/* status.c: the document of this moment; the caller lets go of it. */
json_t *status_document(const struct master *master);
/* The same, at most STATUS_STALE_MS old; borrowed until the next call of any of these. */
const json_t *status_recent(struct master *master);
const char *status_text(struct master *master, enum status_format format);
/* The next of them makes a new one. */
void status_renew(struct status *status);
void status_release(struct status *status);

/* status_file.c */

/* Something happened that the file should tell. */
void status_soon(struct status *status);
/* Writes when it is time to. */
void status_on_time(struct master *master, uint64_t now_ms);
/* The file's name loses its suffix (see upgrade.h). */
void status_promote(struct master *master);
/* The last state, written at once and synchronously: for the end of the program. */
void status_write_last(struct master *master);

#endif
