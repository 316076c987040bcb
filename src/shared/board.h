/* SPDX-License-Identifier: MIT */
/*
 * board.h - the scoreboard: the only memory that master, template and workers share.
 *
 * A memfd, made once by the master for the largest number of slots there can ever be (untouched pages cost nothing), two pages
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
	BOARD_SOCKETS = 8,     /* sockets that hold most, described one by one */
	BOARD_LATENCIES = 96,  /* classes of durations, see board_latency_class() */
	BOARD_LINE_BYTES = 8192,
	BOARD_LAYOUT = 2,
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

/* One of the sockets that hold most. Writer: agent. */
struct board_socket {
	_Atomic uint64_t memory_bytes; /* kernel memory, both directions; 0: this entry is free */
	_Atomic uint64_t unread_bytes; /* received, not read by the application */
	_Atomic uint64_t unsent_bytes; /* written, not taken by the peer */
	_Atomic uint64_t since_ms;     /* nobody has read from it since; monotonic; 0: it is read, or not known */
	_Atomic uint32_t is_client;    /* accepted from a listener of ours; else an upstream connection */
	char peer[60];                 /* "192.0.2.1:8000", terminated; "" when it has no address */
};

/* What the agent measures and does. Writer: agent; a number that could not be read is BOARD_UNKNOWN. */
#define BOARD_UNKNOWN UINT64_MAX
struct board_agent {
	_Atomic uint64_t sockets_ms;            /* when it looked at the sockets last; 0: never, all of the sockets' fields are void */
	_Atomic uint64_t sockets_open;          /* connected sockets of any family */
	_Atomic uint64_t sockets_client_bytes;  /* kernel memory of connections from clients */
	_Atomic uint64_t sockets_upstream_bytes; /* of all other sockets */
	_Atomic uint64_t sockets_unread_bytes;  /* of both: in receive queues */
	_Atomic uint64_t rollup_ms;             /* when smaps_rollup was read last; 0: never */
	_Atomic uint64_t rss_bytes, pss_bytes, uss_bytes; /* of that moment */
	_Atomic uint64_t remedy_serial;         /* of the last remedy that was carried out; 0: none was */
	_Atomic uint64_t remedy_amount;         /* what came of it: bytes given back, sockets closed, 1 for an aborted request */
	struct board_socket sockets[BOARD_SOCKETS];
	char remedy_text[200];                  /* the same in words, terminated: "closed 3 connections, 192.0.2.1:4 (3.9 MB) ..." */
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
	_Atomic uint64_t latencies[BOARD_LATENCIES]; /* writer: worker; requests by duration */
	struct board_agent agent;    /* writer: agent */
} __attribute__((aligned(4096)));
_Static_assert(sizeof(struct board_line) == BOARD_LINE_BYTES, "a board line is two pages");

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

/*
 * The class of a duration: four classes to each doubling, from 64 microseconds on; the last one has no end. And the duration, in
 * microseconds, at which a class ends.
 */
size_t board_latency_class(uint64_t duration_us);
uint64_t board_latency_end_us(size_t latency_class);
/* Worker: counts a request by its duration. */
void board_count_latency(struct board_line *line, uint64_t duration_us);
/* Agent: fills an entry of line->agent.sockets; memory_bytes comes last. */
void board_set_socket(struct board_socket *entry, const struct board_socket *values, const char *peer);
/* Agent: what a remedy did; the serial comes last. */
void board_set_remedy(struct board_line *line, uint32_t serial, uint64_t amount, const char *text);

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
	uint64_t latencies[BOARD_LATENCIES];
	struct board_agent_reading {
		uint64_t sockets_ms, sockets_open, sockets_client_bytes, sockets_upstream_bytes, sockets_unread_bytes;
		uint64_t rollup_ms, rss_bytes, pss_bytes, uss_bytes; /* bytes: BOARD_UNKNOWN where they are not known */
		uint32_t remedy_serial;
		uint64_t remedy_amount;
		char remedy_text[200];
		size_t socket_count;
		struct {
			uint64_t memory_bytes, unread_bytes, unsent_bytes, since_ms;
			bool is_client;
			char peer[60];
		} sockets[BOARD_SOCKETS];
	} agent;
};
/* now_ms bounds the times: one that lies in the future reads as now. */
void board_read(const struct board *board, uint32_t slot, uint64_t now_ms, struct board_reading *ret_reading);
/* The same for the agent's fields alone, which the master looks at often. */
void board_read_agent(const struct board *board, uint32_t slot, uint64_t now_ms, struct board_agent_reading *ret_reading);
/* When the requests in flight began, for frequent looks; returns how many there are. */
size_t board_read_starts(const struct board *board, uint32_t slot, uint64_t now_ms, uint64_t ret_starts_ms[BOARD_REQUESTS]);
/* The same for the durations alone: adds them to the sums. */
void board_add_latencies(const struct board *board, uint32_t slot, uint64_t sums[BOARD_LATENCIES]);
const char *board_phase_name(enum board_phase phase); /* "boot", "serve" ... */

#endif
