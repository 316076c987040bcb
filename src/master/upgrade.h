/* SPDX-License-Identifier: MIT */
/*
 * upgrade.h - SIGUSR2: a new master beside this one, on the same sockets, until one of the two leaves.
 *
 * The old one starts the new one and serves on. The new one is "Master.2" (its pid file and status file end in .2) until the old
 * one has left; then it is promoted. Either may be the one that leaves.
 */
#ifndef MASTER_UPGRADE_H
#define MASTER_UPGRADE_H

#include "base/base.h"

struct master;
struct template;

enum {
	UPGRADE_HOOK_MS = 30000, /* for the pre_exec hook */
	UPGRADE_LOOK_MS = 200,   /* how often the new master looks whether the old one has left */
};

struct upgrade {
	pid_t child;      /* the new master that we started; 0: none */
	pid_t parent;     /* the old master that started us; 0: none, or it has left */
	uint64_t hook_ms; /* when we lose patience with the pre_exec hook; 0: it does not run */
	uint64_t look_ms; /* when to look for the parent next */
};

/* SIGUSR2. */
void upgrade_ask(struct master *master);
/* The pre_exec hook of that template has run; is_good: false when it raised. */
void upgrade_on_hook(struct template *template, bool is_good);
/* The hook's template ended. */
void upgrade_on_template_gone(struct master *master);
/* A process ended: true when it was the new master. */
bool upgrade_on_exit(struct master *master, pid_t pid, int status);
/* The service stops: no new master any more. */
void upgrade_cancel(struct master *master);
/* Promotes the new master once the old one has left; gives up on a hook that hangs. */
void upgrade_on_time(struct master *master, uint64_t now_ms);
uint64_t upgrade_next_ms(const struct master *master); /* 0: nothing is waiting */

/* We are the new one and the old one is still there. */
bool upgrade_is_second(const struct master *master);
/* ".2" then, else "". */
const char *upgrade_suffix(const struct master *master);
/* Nobody else serves on the unix sockets: they may be unlinked at the end. */
bool upgrade_owns_sockets(const struct master *master);

/*
 * Pure: the environment of the new master, NULL-terminated, every string and the array malloc'ed. present: ours. With `fds`
 * (a list for GUNICORN_FD) or, where that is NULL, with LISTEN_FDS=listen_count and LISTEN_PID=<spaces>, whose value the new
 * process itself has to write: *ret_pid points at it, else it is NULL.
 */
char **upgrade_environment(char *const *present, pid_t self, const char *fds, size_t listen_count, char **ret_pid);
void upgrade_free_environment(char **environment);

#endif
