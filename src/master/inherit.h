/* SPDX-License-Identifier: MIT */
/*
 * inherit.h - what a new master got from the one it shall replace (GUNICORN_PID, GUNICORN_FD).
 */
#ifndef MASTER_INHERIT_H
#define MASTER_INHERIT_H

#include "base/base.h"
#include "base/err.h"
#include "master/listeners.h"

/* A zeroed struct: this master was not started by another one. */
struct inherited {
	pid_t parent;           /* the old master */
	int fds[LISTENERS_MAX]; /* its listening sockets; whoever opens the listeners takes them over */
	size_t count;
};

/*
 * Pure: reads the two texts (each may be NULL). has_sockets: a service manager's sockets came along, which GUNICORN_FD then does
 * not name. Without sockets the variables are a left-over of somebody else's upgrade and count for nothing. 0, or -EINVAL with a
 * sentence.
 */
int inherit_parse(const char *pid_text, const char *fds_text, bool has_sockets, struct inherited *ret_inherited,
                  struct err *err);
/*
 * The same from the environment, with the fds checked and made close-on-exec. To be called after activation_take() and before
 * anything else opens an fd. Both variables stay for hooks to see, unless they count for nothing. 0 or -errno with a sentence.
 */
int inherit_take(struct inherited *ret_inherited, bool has_sockets, struct err *err);

#endif
