/* SPDX-License-Identifier: MIT */
/*
 * privs.h - user and group of a worker.
 */
#ifndef WORKER_PRIVS_H
#define WORKER_PRIVS_H

#include "base/base.h"
#include "base/err.h"

/*
 * Group first, then user; -1 and 0 mean "leave", as does what we are already. Root's supplementary groups go with the user: with
 * init_groups those of the user take their place. All threads of the process.
 * For good: root's rights cannot come back. 0 or -errno with a sentence.
 */
int privs_drop(long uid, long gid, bool init_groups, struct err *err);
/* Gives a log file to that user, so that a worker can open it again later. No effect unless we are root, or on no file. */
void privs_give_file(int fd, long uid, long gid);

/*
 * Should the kernel have to kill for want of memory all the same, this process goes before the master does (oom_score_adj). Needs
 * no privilege; where it can't be done nothing is lost.
 */
void privs_offer_to_killer(void);

#endif
