/* SPDX-License-Identifier: MIT */
/*
 * listeners.h - the sockets of one generation; those whose address stays the same are carried over by a reload.
 */
#ifndef MASTER_LISTENERS_H
#define MASTER_LISTENERS_H

#include "base/base.h"
#include "base/err.h"
#include "base/strlist.h"
#include "shared/listen.h"
#include "shared/settings.h"

enum { LISTENERS_MAX = 60 }; /* they travel in one message to the template */

struct shared_listener; /* a listener and how many sets hold it */

struct listeners {
	struct shared_listener *items[LISTENERS_MAX];
	size_t count;
};

/*
 * Fills `set` (must be empty) with the sockets of `binds`: taken from `present` (may be NULL) where the address is the
 * same, bound anew otherwise. 0, or -errno with gunicorn's lines (separated by newlines); then `set` is empty, and where binding
 * failed *ret_failed is the address as gunicorn prints it (the caller frees; NULL otherwise). -EADDRINUSE and -EADDRNOTAVAIL are
 * worth another try later. Sockets of `present` that a new one for every address covers stay in the set: what waits in their
 * queues would be lost.
 */
int listeners_open(struct listeners *set, const struct listeners *present, const struct strlist *binds,
                   const struct settings *settings, char **ret_failed, struct err *err);
/*
 * The set takes over from `present`: sockets that could be bound only beside one of `present` (0.0.0.0:80 and 127.0.0.1:80) begin
 * to listen. Before that the kernel gives all connections to the older one. 0 or -errno with a sentence.
 */
int listeners_begin(struct listeners *set, const struct listeners *present, struct err *err);
/*
 * Fills `set` (must be empty) with those of the inherited sockets that are bound to one of `binds`, and closes the others. Their
 * files are not ours before listeners_own(). 0 or -errno with a sentence.
 */
int listeners_inherit(struct listeners *set, const int *fds, size_t fd_count, const struct strlist *binds, struct err *err);
/* The other master has left: unix sockets are unlinked at the end. */
void listeners_own(struct listeners *set);
/*
 * Lets go of the set's sockets; those that no other set holds are closed. do_unlink: they are ours alone, so unix sockets are
 * unlinked, and workers that leave take along who waits in the queue.
 */
void listeners_release(struct listeners *set, bool do_unlink);
const struct listener *listeners_get(const struct listeners *set, size_t index);
/* The same sockets in the same order. */
bool listeners_equals(const struct listeners *a, const struct listeners *b);
/* "http://127.0.0.1:8000,unix:/run/x.sock"; the caller frees. */
char *listeners_text(const struct listeners *set, const struct settings *settings);
/* One of them; the caller frees. */
char *listeners_name(const struct listeners *set, size_t index, const struct settings *settings);

#endif
