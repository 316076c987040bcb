/* SPDX-License-Identifier: MIT */
/*
 * sockets.h - the kernel memory of this process's sockets: measured, and given back.
 *
 * For the agent alone: needs no GIL. A client's socket is one that was accepted from a
 * listener of ours; all others are upstream ones. AF_UNIX counts and is never touched: our own links are such.
 */
#ifndef WORKER_SOCKETS_H
#define WORKER_SOCKETS_H

#include "base/base.h"
#include "shared/board.h"

struct sockets; /* opaque */

enum {
	SOCKETS_DEFUSE_MS = 60000,           /* nobody has read for so long: forgotten */
	SOCKETS_DEFUSE_BYTES = 64 * 1024,    /* and so much waits */
	SOCKETS_CLAMP_BYTES = 256 * 1024,    /* a queue that is kept from growing */
	SOCKETS_CLAMP_TO_BYTES = 32 * 1024,
};

/* listen_fds: borrowed for the call. NULL: no memory. */
struct sockets *sockets_new(const int *listen_fds, size_t listen_count);
/* Looks at all of them and writes the sums and the largest on the board line. About 0.5 microseconds for a quiet one. */
void sockets_scan(struct sockets *sockets, struct board_line *line, uint64_t now_ms);

/*
 * What each has to do with them; of the sockets as they are now. Says in `ret_text` what was done, and returns how many sockets.
 * shed: closes clients, then upstream ones, the largest first, until `bytes` are gone. defuse: empties upstream connections that
 * nobody has read for silence_ms (not those of databases and brokers, which may be quiet for good reasons).
 * clamp: keeps the receive queues of upstream connections from growing.
 */
size_t sockets_shed(struct sockets *sockets, uint64_t bytes, uint64_t now_ms, char *ret_text, size_t size);
size_t sockets_defuse(struct sockets *sockets, uint64_t silence_ms, uint64_t now_ms, char *ret_text, size_t size);
size_t sockets_clamp(struct sockets *sockets, uint64_t now_ms, char *ret_text, size_t size);

#endif
