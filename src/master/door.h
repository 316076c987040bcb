/* SPDX-License-Identifier: MIT */
/*
 * door.h - a small server inside the master: a listening socket, a few guests, one short question and its answer at a time.
 *
 * Never blocks and never grows: a guest that says too much, takes no answer or says nothing is dropped, and when all places are
 * taken the one that has been there longest makes room. So nobody can keep others from asking.
 */
#ifndef MASTER_DOOR_H
#define MASTER_DOOR_H

#include "base/base.h"
#include "base/err.h"
#include "base/span.h"
#include "shared/listen.h"

#include <uv.h>

struct door;
struct guest;

struct door_kind {
	size_t guests_max;
	size_t input_max;     /* bytes of one question */
	uint64_t patience_ms; /* for a question to become whole, and for its answer to be taken */
	/* Somebody has come; may answer and finish at once. NULL: nothing to do. */
	void (*on_guest)(struct guest *guest);
	/*
	 * What the guest has said and was not consumed yet. Answers with guest_say(); returns how many bytes are done with, 0: the
	 * question is not whole. Not called before the last answer was taken.
	 */
	size_t (*on_input)(struct guest *guest, struct span input);
	/* input_max bytes, and no question. Answers; the guest is finished then. */
	void (*on_excess)(struct guest *guest);
};

/*
 * Binds and listens; takes over *address_take. A unix socket that nobody listens at is replaced, and unlinked by door_close(). 0, or
 * -errno with a sentence; -EADDRINUSE: somebody listens there. owner: for guest_owner().
 */
int door_open(struct door **ret_door, uv_loop_t *loop, const struct door_kind *kind, struct listen_address *address_take,
              const struct listen_options *options, void *owner, struct err *err);
/* Drops all guests. Sets *door to NULL; harmless for NULL. */
void door_close(struct door **door);
const struct listener *door_listener(const struct door *door);

void *guest_owner(const struct guest *guest);
int guest_fd(const struct guest *guest);
void guest_say(struct guest *guest, const void *data, size_t len);
/* Hears no more, and closes once the guest has taken what was said. */
void guest_finish(struct guest *guest);

#endif
