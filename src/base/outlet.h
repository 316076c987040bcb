/* SPDX-License-Identifier: MIT */
/*
 * outlet.h - where log lines leave the process: a file, pipe, terminal or socket, written to without ever blocking.
 *
 * One write(2) a line. What a stuck reader does not take is dropped and counted. The other users of the same pipe or
 * terminal (it may be our parent's) see no O_NONBLOCK on it. No locks: any thread and any signal handler may write; opening
 * and closing is one thread's business. SIGPIPE must be ignored by the process.
 */
#ifndef BASE_OUTLET_H
#define BASE_OUTLET_H

#include "base/base.h"
#include "base/err.h"

#include <stdatomic.h>

struct outlet {
	_Atomic int fd;          /* 1, 2, or a file of ours; negative: closed */
	bool is_ours;
	char *path;              /* owned; as given to outlet_open() */
	int kind;                /* private to outlet.c, as is all that follows */
	_Atomic int own_file;    /* the same pipe or terminal as an open file of our own, non-blocking; negative: none */
	dev_t device;
	ino_t inode;
	_Atomic bool is_cut;     /* the last line went out in part: the next one begins on a new line */
	_Atomic uint64_t dropped_total;
	_Atomic uint64_t dropped_unreported;
};

#define OUTLET_CLOSED                                                                                                         \
	{                                                                                                                     \
		.fd = -1, .own_file = -1                                                                                      \
	}

/*
 * "-" is standard_fd (1 or 2), anything else a file, appended to, created 0666 & ~umask, close-on-exec. On failure the
 * outlet stays as it was. May be called on an open one (reload). 0 or -errno with a sentence.
 */
int outlet_open(struct outlet *outlet, const char *path, int standard_fd, struct err *err);
/* The same path again, after logrotate moved the file. Standard fds are left alone. 0 or -errno with a sentence. */
int outlet_reopen(struct outlet *outlet, struct err *err);
void outlet_close(struct outlet *outlet);
/* Whole lines. False when dropped (counted). Keeps errno. Async-signal-safe. */
bool outlet_write(struct outlet *outlet, const char *text, size_t len);
/* Lines dropped since the last call; for a line that tells so. */
uint64_t outlet_take_dropped(struct outlet *outlet);
uint64_t outlet_dropped_total(struct outlet *outlet);

#endif
