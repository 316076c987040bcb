/* SPDX-License-Identifier: MIT */
/*
 * template.h - the process that holds the interpreter, warm, and forks workers from it. One per generation.
 */
#ifndef WORKER_TEMPLATE_H
#define WORKER_TEMPLATE_H

#include "base/base.h"
#include "base/outlet.h"
#include "shared/board.h"
#include "shared/link.h"
#include "shared/metrics.h"
#include "shared/settings.h"

struct tls_context;

struct template {
	struct link link;   /* to the master; owned */
	struct board board; /* owned */
	pid_t master_pid;
	struct settings settings; /* after `go` */
	char *name;               /* in the process title */
	uint32_t generation;
	bool has_settings;
	int *listen_fds;          /* owned, as are the fds */
	size_t listen_count;
	struct outlet access_log; /* owned; closed when there is none */
	struct tls_context *tls;  /* owned; NULL: plain */
	struct metrics metrics;   /* owned; off without statsd_host */
	bool has_told_logger;     /* the master knows that a Python logger writes the log */
};

/* Keeps the fds of link and board. 0, or -errno when board_fd is no board of ours. */
int template_init(struct template *self, int link_fd, int board_fd);
/*
 * Serves the master's messages until it dismisses us, is gone, or configuration or application are broken. Python has been
 * started, the GIL is held. Returns the exit code. In workers it never returns.
 */
int template_run(struct template *self);
/* Tells the master that all is lost. */
void template_fail(struct template *self, int exit_code, const char *text);

enum { TEMPLATE_STAYS = -1 }; /* what a step answers when the template goes on; else the exit code */

/* Sends; a link that takes no messages any more is the end: the master is gone. */
int template_answer(struct template *self, const struct message *message);
/* Tells the master that a server hook failed; code and text are hook_run()'s. text is cut to what a message may hold. */
void template_report_hook(struct template *self, uint32_t hook, int code, char *text);

#endif
