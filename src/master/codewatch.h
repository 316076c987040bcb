/* SPDX-License-Identifier: MIT */
/*
 * codewatch.h - --reload: watches the files that the workers have loaded, and asks for a reload when one has changed.
 *
 * Workers tell what they have loaded (messages code_files and code_broken). Changes that come together are one reload. Watches
 * folders, by inotify or by looking each second, since editors replace files.
 */
#ifndef MASTER_CODEWATCH_H
#define MASTER_CODEWATCH_H

#include "base/base.h"

struct master;
struct codewatch; /* opaque; made with the first word of a worker */

enum {
	CODE_LOOK_MS = 1000,       /* engine poll: gunicorn's interval */
	CODE_SETTLE_MS = 100,      /* so long without another change, and the reload begins */
	CODE_SETTLE_MAX_MS = 1000, /* but at most so long after the first one */
};

/*
 * A worker of that generation uses these files: one path a line; a folder ends in "/". What was changed after since_ms (wall
 * clock; 0: don't ask) was read too early. Workers say so where `reload` is set.
 */
void codewatch_on_files(struct master *master, uint32_t generation, uint64_t since_ms, const char *files);
/* Application or configuration are broken: also a file that was not there before may be the cure. */
void codewatch_on_broken(struct master *master);
/* That generation serves now: what only older ones used is forgotten. */
void codewatch_on_commit(struct master *master, uint32_t generation);
void codewatch_on_time(struct master *master, uint64_t now_ms);
uint64_t codewatch_next_ms(const struct master *master); /* 0: nothing is waiting */
/* When the loop is closed. Harmless where there is none. */
void codewatch_release(struct master *master);

#endif
