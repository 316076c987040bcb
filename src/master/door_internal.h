/* SPDX-License-Identifier: MIT */
/*
 * door_internal.h - between door.c and guest.c. Nobody else includes it.
 */
#ifndef MASTER_DOOR_INTERNAL_H
#define MASTER_DOOR_INTERNAL_H

#include "base/base.h"
#include "base/buf.h"
#include "base/list.h"
#include "master/door.h"

struct door {
	uv_poll_t poll;
	uv_timer_t timer;
	int open_handles;           /* of these two: the memory is theirs */
	struct listener listener;
	const struct door_kind *kind;
	void *owner;
	struct list guests;         /* oldest first */
	size_t guest_count;
	bool is_paused;             /* accepts nobody until the timer fires */
	bool is_closed;
};

struct guest {
	uv_poll_t poll;
	struct list link;
	struct door *door;
	int fd;
	struct buf input;
	struct buf output;
	uint64_t deadline_ms;
	size_t unheard;             /* bytes, after the end */
	bool is_finished;           /* says no more, and is not heard */
	bool is_lingering;          /* has taken all, its own end is awaited */
	bool is_closed;
};

/* Takes over fd. The one that has been there longest makes room if need be. */
void guest_come(struct door *door, int fd);
/* Closes, whatever was not said; freed in a later turn of the loop. */
void guest_drop(struct guest *guest);

#endif
