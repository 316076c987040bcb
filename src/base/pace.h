/* SPDX-License-Identifier: MIT */
/*
 * pace.h - whether a client that is waited for reads fast enough.
 *
 * What counts is the time spent waiting, and what the client took meanwhile: not the bytes that a socket's queue took from us,
 * which may be megabytes at once, and none for minutes.
 */
#ifndef BASE_PACE_H
#define BASE_PACE_H

#include "base/base.h"

enum {
	PACE_MS = 60000,    /* of waiting, all waits together, */
	PACE_BYTES = 16384, /* must bring so much; then both begin anew */
};

/* All zero: nobody has been waited for. */
struct pace {
	uint64_t waited_ms;
	uint64_t taken_bytes;
	uint64_t began_ms; /* the wait that is going on */
	size_t queued_bytes;
};

/* A wait begins, or goes on after pace_end(). queued_bytes: on their way to the client, see fd_queued_bytes(). */
void pace_begin(struct pace *pace, uint64_t now_ms, size_t queued_bytes);
/* It is over, or looked at between. Nothing was sent since it began. False: the client is too slow. */
bool pace_end(struct pace *pace, uint64_t now_ms, size_t queued_bytes);
/* How much longer to wait before the next look, at least 1. */
unsigned pace_left_ms(const struct pace *pace);

#endif
