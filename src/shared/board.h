/* SPDX-License-Identifier: MIT */
/*
 * board.h - the scoreboard: the only memory that master, template and workers share.
 *
 * A memfd, made once by the master for the largest number of slots there can ever be (untouched pages cost nothing), one page
 * a slot. Each field has ONE writer, named below. All accesses are relaxed atomics; a reader believes nothing: a worker may
 * have written rubbish, so numbers are range-checked and texts cut by the reading functions. No pointers, no locks.
 */
#ifndef SHARED_BOARD_H
#define SHARED_BOARD_H

#include "base/base.h"

#include <stdatomic.h>

enum {
	BOARD_SLOTS = 2048,    /* 1,024 workers, each with room for a successor */
	BOARD_REQUESTS = 16,   /* requests in flight that a line can describe */
	BOARD_LINE_BYTES = 4096,
	BOARD_LAYOUT = 1,
};

/* What a worker is doing, for status pages; the master's decisions use its own slot states. */
enum board_phase { PHASE_NONE, PHASE_BOOT, PHASE_LOAD, PHASE_SERVE, PHASE_DRAIN, PHASE_EXIT, PHASE_MAX };

/* A request in flight. Writer: worker. */
struct board_request {
	_Atomic uint64_t started_ms;    /* monotonic; 0: this entry is free */
	_Atomic uint64_t rss_start_bytes; /* 0: not measured */
	char method[16];                /* terminated, cut */
	char path[128];                 /* terminated, cut, control bytes replaced */
};

struct board_line {
	_Atomic uint32_t pid;        /* writer: worker; 0 when free. Only for people: the master trusts its own slots */
	_Atomic uint32_t serial;     /* writer: worker */
	_Atomic uint32_t generation; /* writer: worker */
	_Atomic uint32_t phase;      /* writer: worker; enum board_phase */
	_Atomic uint64_t beat_ms;    /* writer: worker; monotonic ms of the last sign of life, 0 before the first */
	_Atomic uint64_t busy_since_ms; /* writer: worker; monotonic ms, 0 when idle */
#define COUNTER(name, kind, unit, text) _Atomic uint64_t name; /* writer: worker */
#include "tables/counters.def"
#undef COUNTER
	struct board_request requests[BOARD_REQUESTS]; /* writer: worker */
	char last_words[256];        /* writer: worker; terminated; why it died */
} __attribute__((aligned(4096)));
_Static_assert(sizeof(struct board_line) == BOARD_LINE_BYTES, "a board line is one page");

/* Head page. Writer: master. */
struct board_head {
	uint32_t magic;
	uint32_t layout;
	_Atomic uint32_t master_pid;
	_Atomic uint32_t generation;   /* newest generation that was started */
	_Atomic uint32_t is_stopping;  /* the whole service stops: workers empty the accept queue before they leave */
} __attribute__((aligned(4096)));

struct board {
	int fd;
	struct board_head *head;
	struct board_line *lines; /* BOARD_SLOTS of them */
};

/* Master: makes the memfd. 0 or -errno. */
int board_create(struct board *board);
/* Template: maps the memfd it was handed as `fd` (keeps it). 0, -errno, or -EPROTO when it is not our layout. */
int board_attach(struct board *board, int fd);
/* Unmaps and closes. */
void board_release(struct board *board);
/* Master, before a slot is used again: the line to zero. */
void board_clear_line(struct board *board, uint32_t slot);
/* NULL when slot is out of range. */
struct board_line *board_line(const struct board *board, uint32_t slot);

/* Worker: a sign of life. */
void board_beat(struct board_line *line, uint64_t now_ms);
/* Worker: why it is dying; cut to what fits. Async-signal-safe. */
void board_set_last_words(struct board_line *line, const char *text);
/* Worker: claims a free entry for a request; -1 when all are taken (the request is served all the same). */
int board_request_begin(struct board_line *line, uint64_t now_ms, uint64_t rss_bytes, const char *method, size_t method_len,
                        const char *path, size_t path_len);
void board_request_end(struct board_line *line, int entry);

/* Master: a checked copy of a line. Texts are terminated and printable ASCII or UTF-8 bytes with control bytes replaced. */
struct board_reading {
	uint32_t pid, serial, generation;
	enum board_phase phase;
	uint64_t beat_ms, busy_since_ms;
#define COUNTER(name, kind, unit, text) uint64_t name;
#include "tables/counters.def"
#undef COUNTER
	char last_words[256];
	size_t request_count;
	struct {
		uint64_t started_ms, rss_start_bytes;
		char method[16], path[128];
	} requests[BOARD_REQUESTS];
};
/* now_ms bounds the times: one that lies in the future reads as now. */
void board_read(const struct board *board, uint32_t slot, uint64_t now_ms, struct board_reading *ret_reading);
const char *board_phase_name(enum board_phase phase); /* "boot", "serve" ... */

#endif
