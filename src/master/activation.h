/* SPDX-License-Identifier: MIT */
/*
 * activation.h - sockets that a service manager opened for us (LISTEN_PID, LISTEN_FDS).
 */
#ifndef MASTER_ACTIVATION_H
#define MASTER_ACTIVATION_H

#include "base/base.h"
#include "base/err.h"
#include "base/strlist.h"

enum { ACTIVATION_FIRST_FD = 3 };

/*
 * Pure: how many sockets the two texts (each may be NULL) give to process `self`; 0 when they are meant for another one.
 * -EINVAL with a sentence when they are meant for us and no number, or more than LISTENERS_MAX.
 */
int activation_parse(const char *pid_text, const char *fds_text, pid_t self, size_t *ret_count, struct err *err);

/*
 * Fills the empty list with what takes the place of `bind`, "fd://3" and so on; it stays empty when no sockets were given.
 * Removes both variables from the environment when they are meant for us. The fds become close-on-exec. To be called before
 * anything else opens an fd, so that none of ours is taken for one of theirs. 0 or -errno with a sentence.
 */
int activation_take(struct strlist *binds, struct err *err);

#endif
